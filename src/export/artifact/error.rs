//! What can go wrong between the rows and the stored object.

use std::error::Error;
use std::io;

/// Why an object could not be stored, read or deleted.
///
/// The texts are for the service's log: they may name paths, and never stand in an event or an answer. Those carry [`StorageError::code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The disk, the quota or the bucket is full.
    #[error("the artifact storage is full")]
    Full,
    /// An object of that key is there already; keys are never used twice.
    #[error("an object with the key {key} exists already")]
    Exists {
        /// The key.
        key: String,
    },
    /// There is no such object.
    #[error("there is no object with the key {key}")]
    Missing {
        /// The key.
        key: String,
    },
    /// The storage was made by another event log.
    #[error(
        "the artifact storage belongs to the event log {found}, this is {expected}: name an empty directory in [artifacts] url, or restore the matching event store"
    )]
    ForeignLog {
        /// This service's log.
        expected: String,
        /// The log named in the storage.
        found: String,
    },
    /// The storage holds objects, but not the mark of an event log.
    #[error(
        "the artifact storage isn't empty and bears no mark of an event log (the object {marker}): name an empty directory in [artifacts] url"
    )]
    NotOurs {
        /// The key of the mark that is missing.
        marker: &'static str,
    },
    /// What was written could not be read back the same.
    #[error("the artifact storage gave back other bytes than were written")]
    Unfaithful,
    /// The upload was given up before it was complete; nothing of it is left.
    #[error("the upload was given up")]
    Cancelled,
    /// Anything else.
    #[error("the artifact storage failed: {reason}")]
    Failed {
        /// The cause in the storage's own words.
        reason: String,
    },
}

impl StorageError {
    /// The failure code that events and answers carry.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full => "storage_full",
            Self::Cancelled => "cancelled",
            Self::Exists { .. }
            | Self::Missing { .. }
            | Self::ForeignLog { .. }
            | Self::NotOurs { .. }
            | Self::Unfaithful
            | Self::Failed { .. } => "storage_failed",
        }
    }

    /// Takes an I/O error for what it means here.
    #[must_use]
    pub fn from_io(error: &io::Error) -> Self {
        if is_full(error) {
            Self::Full
        } else {
            Self::Failed {
                reason: error.to_string(),
            }
        }
    }
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::Missing { key: path },
            object_store::Error::AlreadyExists { path, .. } => Self::Exists { key: path },
            other if chain_is_full(&other) => Self::Full,
            other => Self::Failed {
                reason: chain(&other),
            },
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// The store wraps the operating system's error several layers deep.
fn chain_is_full(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(is_full))
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in
        std::iter::successors(error.source(), |error| (*error).source()).map(ToString::to_string)
    {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Why an artifact could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Storing failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The compressor failed.
    #[error("compressing failed: {reason}")]
    Compression {
        /// The compressor's own words.
        reason: String,
    },
    /// The calls came in an order that would not make a canonical document. A bug of the caller.
    #[error("the artifact was written out of order: {what}")]
    Order {
        /// The rule that was broken.
        what: &'static str,
    },
    /// The manifest doesn't tell what was written. A bug of the caller.
    #[error("the manifest doesn't match what was written: {what}")]
    Manifest {
        /// What differs.
        what: &'static str,
    },
    /// The stored file would have more blocks than a sidecar may list.
    #[error("the artifact is larger than {max_bytes} bytes")]
    TooLarge {
        /// The largest stored file.
        max_bytes: u64,
    },
}

impl ArtifactError {
    /// The failure code that events and answers carry.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Storage(error) => error.code(),
            Self::TooLarge { .. } => "too_large",
            Self::Compression { .. } | Self::Order { .. } | Self::Manifest { .. } => "internal",
        }
    }
}
