//! Offline verification of an artifact: is this file what a Carnet wrote, whole and unchanged?
//!
//! The file is read once, in constant memory: one thread undoes the compression, the caller's checks that the document is canonical (RFC 8785) byte
//! for byte, of the artifact's form, with the rows its manifest counts and the checksum its manifest bears. A canonical document has
//! one spelling, so anything that parses but isn't spelt so has been changed.
//!
//! **Limits.** An honest export may be of any size, so neither the file nor the document has one. What a hostile file could make grow is bounded
//! instead: nesting, the length of a string (streamed, never held), the object keys that must be held for comparison, the manifest, and the
//! ratio of document to file, which honest data can't reach. A file is refused as soon as it breaks one.
//!
//! `Intact` says that nothing was changed since it was written. Anyone can write an artifact; that it came from a certain service is beyond its bytes.
//!
//! For compressed files it is the *document* that is vouched for: header, trailer, a single member and the absence of anything else are checked strictly,
//! but deflate and zstd can spell the same document in many ways. The stored file as such has its own digest in the `completed` event.

mod canonical;
mod document;
mod input;
mod source;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use carnet_events::ids::Digest;

use super::artifact::decode::CodingError;
use super::artifact::{Compression, Manifest};

/// What a file may make grow.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Deepest nesting of objects and arrays. Rows stand at depth 3, and their JSON cells are at most 128 deep.
    pub depth: usize,
    /// Longest string, in bytes of UTF-8. A cell is at most 16 MiB; base64 makes 22 of them.
    pub string_bytes: u64,
    /// Object keys held at once, in bytes: the path to the current value and what they are compared with.
    pub key_bytes: usize,
    /// Longest manifest, in bytes.
    pub manifest_bytes: usize,
    /// Most categories.
    pub categories: usize,
    /// Most document bytes per stored byte, beyond the first [`Limits::ratio_from`].
    pub ratio: u64,
    /// Document bytes before the ratio counts.
    pub ratio_from: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 256,
            string_bytes: 24 * 1024 * 1024,
            key_bytes: 32 * 1024 * 1024,
            manifest_bytes: 4 * 1024 * 1024,
            categories: 10_000,
            // Deflate ends at 1,032. Our zstd needs some 18 bytes for 128 KiB of equal rows: 7,300.
            ratio: 20_000,
            ratio_from: 64 * 1024 * 1024,
        }
    }
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file read so far.
    pub read: u64,
    /// Size of the file, when it is known.
    pub total: Option<u64>,
}

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Whole and unchanged.
    Intact(Box<Summary>),
    /// Not an artifact, or not as it was written.
    NotIntact(Finding),
}

/// What an intact file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What is wrapped around the document.
    pub compression: Compression,
    /// Size of the file.
    pub stored_bytes: u64,
    /// SHA-256 of the file.
    pub stored_sha256: Digest,
    /// Size of the document.
    pub json_bytes: u64,
    /// SHA-256 of the document.
    pub json_sha256: Digest,
    /// The document's checksum, as computed and as the manifest has it.
    pub checksum: Digest,
    /// The manifest, whose counts have been checked against the rows.
    pub manifest: Manifest,
}

/// The first thing found wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at byte {offset} of the {})", match self.within { Within::File => "file", Within::Document => "document" })]
pub struct Finding {
    /// What.
    pub reason: Reason,
    /// Where, in bytes.
    pub offset: u64,
    /// What the offset counts in.
    pub within: Within,
}

/// What an offset counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// The file as it is stored.
    File,
    /// The JSON document in it.
    Document,
}

/// What can be wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Neither gzip, zstd nor JSON.
    #[error("the file is neither gzip nor zstd nor a JSON document")]
    UnknownFormat,
    /// The compression is not as this service writes it.
    #[error(transparent)]
    Coding(#[from] CodingError),
    /// The document is far larger than honest data could make it.
    #[error("the file expands beyond any honest ratio")]
    Bomb,
    /// The file or the document ends too early.
    #[error("the {0} ends too early")]
    Truncated(&'static str),
    /// Something follows the document.
    #[error("something follows the end of the document")]
    Trailing,
    /// The document is JSON in another spelling, or no JSON.
    #[error("the document is not canonical JSON: {0}")]
    NotCanonical(&'static str),
    /// An object has a key twice.
    #[error("an object has a key twice")]
    DuplicateKey,
    /// A limit was broken.
    #[error("the document exceeds a limit: {0}")]
    Limit(&'static str),
    /// The document is not of the artifact's form.
    #[error("the document is not an artifact: {0}")]
    Form(&'static str),
    /// The manifest is not one this build knows.
    #[error("the manifest can't be read: {0}")]
    Manifest(String),
    /// A category has other rows than the manifest counts.
    #[error("the category {category:?} has {found} rows, its manifest counts {counted}")]
    Rows {
        /// Which.
        category: String,
        /// In the document.
        found: u64,
        /// In the manifest.
        counted: u64,
    },
    /// The manifest counts other categories than there are.
    #[error("the manifest counts other categories than there are")]
    Categories,
    /// The checksum is not that of the document.
    #[error("the checksum is {computed}, the manifest has {claimed}")]
    Checksum {
        /// Of the document with the field blanked.
        computed: Digest,
        /// As the manifest has it.
        claimed: String,
    },
}

impl Reason {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownFormat => "unknown_format",
            Self::Coding(_) => "coding",
            Self::Bomb => "bomb",
            Self::Truncated(_) => "truncated",
            Self::Trailing => "trailing_bytes",
            Self::NotCanonical(_) => "not_canonical",
            Self::DuplicateKey => "duplicate_key",
            Self::Limit(_) => "limit",
            Self::Form(_) => "form",
            Self::Manifest(_) => "manifest",
            Self::Rows { .. } => "rows",
            Self::Categories => "categories",
            Self::Checksum { .. } => "checksum",
        }
    }
}

/// Why reading stopped before the end.
#[derive(Debug)]
enum Stop {
    Found(Finding),
    Io(io::Error),
}

type Checked<T> = Result<T, Stop>;

/// Verifies the file at `path`. `progress` is called about once per quarter of a MiB of document.
///
/// # Errors
/// When the file can't be read: nothing can be said of it then.
pub fn verify_file(
    path: &Path,
    limits: Limits,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<Verdict> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let total = metadata.is_file().then_some(metadata.len());
    verify(Box::new(file), limits, &mut |read| {
        progress(Progress { read, total })
    })
}

/// Verifies what `file` gives; `progress` hears the bytes read so far.
///
/// # Errors
/// As for [`verify_file`].
pub fn verify(
    file: Box<dyn Read + Send>,
    limits: Limits,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Verdict> {
    match document::check(file, limits, progress) {
        Ok(summary) => Ok(Verdict::Intact(Box::new(summary))),
        Err(Stop::Found(finding)) => Ok(Verdict::NotIntact(finding)),
        Err(Stop::Io(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;
