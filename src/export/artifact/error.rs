//! What can go wrong between the rows and the stored object.

use std::error::Error;
use std::{fmt, io};

use object_store::client::{HttpError, HttpErrorKind};

use super::storage::meaning;

/// Why an object could not be stored, read or deleted.
///
/// The texts are for the service's log: they may name paths, and never stand in an event or an answer. Those carry [`StorageError::code`]. Shown, an error is its
/// [problem](StorageError::problem), and after a colon its [remedy](StorageError::remedy).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageError {
    /// The disk, the quota or the bucket is full.
    Full,
    /// An object of that key is there already; keys are never used twice.
    Exists {
        /// The key.
        key: String,
    },
    /// There is no such object.
    Missing {
        /// The key.
        key: String,
    },
    /// The storage was made by another event log.
    ForeignLog {
        /// This service's log.
        expected: String,
        /// The log named in the storage.
        found: String,
    },
    /// The storage holds objects, but not the mark of an event log.
    NotOurs {
        /// The key of the mark that is missing.
        marker: &'static str,
    },
    /// The storage bore the mark of this log, now or when the log was used with it before, and doesn't any more: it isn't the same place.
    Unmarked {
        /// The key of the mark that is missing.
        marker: &'static str,
    },
    /// What was written could not be read back the same.
    Unfaithful,
    /// The bucket isn't there.
    NoBucket,
    /// There is nothing to sign requests with.
    NoCredentials {
        /// What was tried.
        reason: String,
    },
    /// The bucket's server doesn't know the credentials, or they don't fit together.
    WrongCredentials {
        /// The server's word for it.
        code: String,
    },
    /// The credentials are known, but may not do this.
    Denied {
        /// The server's word for it.
        code: String,
    },
    /// The credentials were good once.
    Expired,
    /// Requests are signed with the time, and the bucket's server has another.
    ClockSkew,
    /// The bucket is elsewhere.
    WrongRegion,
    /// The bucket's server doesn't answer, or only that it can't.
    Unreachable {
        /// How it failed.
        reason: String,
    },
    /// A directory doesn't answer: its volume is mounted from a server that is gone, or its disk hangs.
    Silent,
    /// The upload was given up before it was complete; nothing of it is left.
    Cancelled,
    /// Anything else.
    Failed {
        /// The cause in the storage's own words.
        reason: String,
    },
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem())?;
        match self.remedy() {
            Some(remedy) => write!(f, ": {remedy}"),
            None => Ok(()),
        }
    }
}

impl Error for StorageError {}

impl StorageError {
    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> String {
        match self {
            Self::Full => "the artifact storage is full".to_owned(),
            Self::Exists { key } => format!("an object with the key {key} exists already"),
            Self::Missing { key } => format!("there is no object with the key {key}"),
            Self::ForeignLog { expected, found } => {
                format!("the artifact storage belongs to the event log {found}, this is {expected}")
            }
            Self::NotOurs { marker } => format!(
                "the artifact storage isn't empty and bears no mark of an event log (the object {marker})"
            ),
            Self::Unmarked { marker } => format!(
                "the artifact storage no longer bears the mark of this event log (the object {marker})"
            ),
            Self::Unfaithful => {
                "the artifact storage gave back other bytes than were written".to_owned()
            }
            Self::NoBucket => "the bucket isn't there".to_owned(),
            Self::NoCredentials { reason } => {
                format!("there are no credentials for the bucket ({reason})")
            }
            Self::WrongCredentials { code } => {
                format!("the bucket's server doesn't accept the credentials ({code})")
            }
            Self::Denied { code } => {
                format!("the credentials may not use the bucket ({code})")
            }
            Self::Expired => "the credentials for the bucket have expired".to_owned(),
            Self::ClockSkew => {
                "this machine's clock and that of the bucket's server are too far apart".to_owned()
            }
            Self::WrongRegion => "the bucket is in another region".to_owned(),
            Self::Unreachable { reason } => {
                format!("the bucket's server can't be reached ({reason})")
            }
            Self::Silent => "the artifact storage's directory doesn't answer".to_owned(),
            Self::Cancelled => "the upload was given up".to_owned(),
            Self::Failed { reason } => format!("the artifact storage failed: {reason}"),
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::Full => "make room in it, or raise its quota",
            Self::ForeignLog { .. } => {
                "name an empty directory in [artifacts] url, or restore the matching event store"
            }
            Self::NotOurs { .. } => "name an empty directory in [artifacts] url",
            Self::Unmarked { .. } => {
                "mount its volume, or correct its url, and start the service again; if what it held is lost for good, start once with `--replace-storages`"
            }
            Self::NoBucket => {
                "create it, or correct its name in the storage's url and its region or endpoint in [s3]"
            }
            Self::NoCredentials { .. } => {
                "set access_key_id and secret_access_key in [s3], or let the environment or the machine give them"
            }
            Self::WrongCredentials { .. } => "correct access_key_id and secret_access_key",
            Self::Denied { .. } => {
                "allow them to list it and to get, put and delete objects below the prefix"
            }
            Self::Expired => {
                "renew them where they come from; if they stand in [s3], change them there and restart"
            }
            Self::ClockSkew => "set both by NTP",
            Self::WrongRegion => "set region in [s3] to the bucket's",
            Self::Unreachable { .. } => {
                "check the endpoint in [s3], the network and that the server is up"
            }
            Self::Silent => {
                "check the volume it is on and, if that is mounted over the network, its server"
            }
            Self::Exists { .. }
            | Self::Missing { .. }
            | Self::Unfaithful
            | Self::Cancelled
            | Self::Failed { .. } => return None,
        })
    }

    /// The failure code that events and answers carry.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full => "storage_full",
            Self::Cancelled => "cancelled",
            Self::NoBucket => "storage_missing",
            Self::NoCredentials { .. }
            | Self::WrongCredentials { .. }
            | Self::Denied { .. }
            | Self::Expired => "storage_denied",
            Self::ClockSkew => "storage_clock",
            Self::Unreachable { .. } | Self::Silent => "storage_unreachable",
            Self::Exists { .. }
            | Self::Missing { .. }
            | Self::ForeignLog { .. }
            | Self::NotOurs { .. }
            | Self::Unmarked { .. }
            | Self::Unfaithful
            | Self::WrongRegion
            | Self::Failed { .. } => "storage_failed",
        }
    }

    /// Whether it is the storage as a whole that is away or refuses, whatever is asked of it.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(
            self,
            Self::NoBucket
                | Self::NoCredentials { .. }
                | Self::WrongCredentials { .. }
                | Self::Expired
                | Self::ClockSkew
                | Self::WrongRegion
                | Self::Unreachable { .. }
                | Self::Silent
        )
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
        // What a bucket answers says more than the status it is sorted by.
        if let Some(meant) = meaning(&chain(&error)) {
            return meant;
        }
        match error {
            object_store::Error::NotFound { path, .. } => Self::Missing { key: path },
            object_store::Error::AlreadyExists { path, .. } => Self::Exists { key: path },
            other if chain_is_full(&other) => Self::Full,
            other if chain_is_unreachable(&other) => Self::Unreachable {
                reason: innermost(&other),
            },
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

/// Whether nobody was there, or went away in the middle.
fn chain_is_unreachable(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<HttpError>())
        .any(|error| error.kind() != HttpErrorKind::Decode)
}

/// The first cause: without the addresses that those who pass it on put before it.
fn innermost(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| (*error).source())
        .last()
        .map_or_else(String::new, ToString::to_string)
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
