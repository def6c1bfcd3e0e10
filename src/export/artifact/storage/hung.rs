//! A directory that hangs, for tests: where its mark was lies a FIFO, and opening that waits, as long as nobody opens the other end, in the same system
//! call as a file of a volume whose server is gone.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ArtifactStore, MARKER, Place};

pub(in crate::export) struct Hung {
    mark: PathBuf,
    kept: PathBuf,
}

impl Hung {
    /// Lets the store in this directory hang.
    pub(in crate::export) fn hang(directory: &Path) -> Self {
        let (mark, kept) = (directory.join(MARKER), directory.with_extension("mark"));
        fs::rename(&mark, &kept).unwrap();
        let made = Command::new("mkfifo").arg(&mark).status().unwrap();
        assert!(made.success());
        Self { mark, kept }
    }

    /// Lets it answer again. There must be somebody who waits.
    pub(in crate::export) fn answer(self) {
        let fifo = fs::OpenOptions::new().write(true).open(&self.mark);
        fs::rename(&self.kept, &self.mark).unwrap();
        drop(fifo);
    }
}

impl ArtifactStore {
    /// The same store, with no patience for a directory that hangs anyway.
    pub(in crate::export) fn impatient(&self) -> Self {
        let Place::Directory(directory) = &self.place else {
            return self.clone();
        };
        Self {
            place: Place::Directory(directory.impatient()),
            ..self.clone()
        }
    }
}
