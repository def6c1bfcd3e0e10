//! What a directory needs beyond `object_store`: temporaries left by a crash, and deletions that are durable.
//!
//! `LocalFileSystem` writes to `{path}#{n}` beside the object, never lists such files, and with `with_fsync(true)` syncs the file, its directory
//! and every directory it makes before a put returns. It leaves the temporary behind when the last step fails, and doesn't sync deletions:
//! a receipt must not be undone by a power cut. Both are made good here.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::calls::Calls;
use super::key::ArtifactKey;

/// The most temporaries of a tenant that one sweep looks at; the next takes the rest.
const MAX_TEMPORARIES: usize = 10_000;

/// The directory behind a store.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: PathBuf,
    calls: Calls,
}

/// A file that an upload left half-written.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) key: ArtifactKey,
    pub(super) path: PathBuf,
    pub(super) modified: SystemTime,
}

impl Directory {
    /// Makes the directory if it isn't there, for this user alone.
    pub(super) fn create(root: &Path, calls: Calls) -> io::Result<Self> {
        if !root.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(root)?;
            if let Some(parent) = root.canonicalize()?.parent() {
                sync(parent)?;
            }
        }
        Ok(Self {
            root: root.canonicalize()?,
            calls,
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// What everything asked of it goes through.
    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    #[cfg(test)]
    pub(super) fn impatient(&self) -> Self {
        Self {
            calls: self.calls.impatient(),
            ..self.clone()
        }
    }

    /// Keys are safe as paths: see [`ArtifactKey`].
    fn folder(&self, key: &ArtifactKey) -> Option<PathBuf> {
        self.root.join(key.as_str()).parent().map(Path::to_path_buf)
    }

    /// Removes what a failed upload to this key left half-written.
    pub(super) fn clear(&self, key: &ArtifactKey) -> io::Result<()> {
        let Some(folder) = self.folder(key) else {
            return Ok(());
        };
        for file in temporaries_in(&folder)? {
            if file.key == *key {
                gone(fs::remove_file(&file.path))?;
            }
        }
        self.settle(key)
    }

    /// Makes deletions below this key's export durable, and removes its folder when nothing is left in it.
    pub(super) fn settle(&self, key: &ArtifactKey) -> io::Result<()> {
        let Some(folder) = self.folder(key) else {
            return Ok(());
        };
        if fs::remove_dir(&folder).is_ok() {
            return folder.parent().map_or(Ok(()), sync);
        }
        gone(sync(&folder))
    }

    /// The folders of tenants.
    pub(super) fn tenants(&self) -> io::Result<Vec<PathBuf>> {
        folders(&self.root)
    }
}

/// The half-written files below a tenant's folder.
pub(super) fn temporaries(tenant: &Path) -> io::Result<Vec<Temporary>> {
    let mut found = Vec::new();
    for export in folders(tenant)? {
        found.extend(temporaries_in(&export)?);
        if found.len() >= MAX_TEMPORARIES {
            break;
        }
    }
    Ok(found)
}

fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in entries(folder)? {
        // A link is not followed: what it leads to is not ours.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn temporaries_in(folder: &Path) -> io::Result<Vec<Temporary>> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        let path = entry.path();
        let parts: Vec<_> = path
            .iter()
            .rev()
            .take(3)
            .filter_map(|part| part.to_str())
            .collect();
        let [name, export, tenant] = parts[..] else {
            continue;
        };
        let Some((object, serial)) = name.rsplit_once('#') else {
            continue;
        };
        let ours = !serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_digit());
        let key = ArtifactKey::of_object(&format!("{tenant}/{export}/{object}"));
        if let (true, Some(key), Ok(modified)) =
            (ours, key, entry.metadata().and_then(|it| it.modified()))
        {
            found.push(Temporary {
                key,
                path,
                modified,
            });
        }
    }
    Ok(found)
}

/// The entries of a folder; none when it is gone by now.
fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// It being gone already is as good.
pub(super) fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}
