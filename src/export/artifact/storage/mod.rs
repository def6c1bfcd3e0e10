//! Where artifacts are kept: objects that appear whole and durable, or not at all.
//!
//! A store belongs to one event log. It bears that log's id in the object [`MARKER`]; a service with another log refuses to start on it, because a sweep
//! that asks the wrong log would take every object for a stranger's.

mod key;
mod local;
mod sweep;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use carnet_events::ids::Digest;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::StorageError;
use super::blocks::{BLOCK_BYTES, finished};
use futures::TryStreamExt;
use local::Directory;

pub use key::ArtifactKey;
pub use sweep::{Decision, Judge, Swept};
pub use upload::UploadSink;

/// The object that bears the id of the log a store belongs to.
pub const MARKER: &str = "carnet-log.json";

/// What the names of probes begin with.
const PROBE: &str = "carnet-probe-";

/// Parts of an upload to a directory: written as they come, so small ones do.
const LOCAL_PART_BYTES: usize = 1024 * 1024;

/// A place for artifacts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    objects: Arc<dyn ObjectStore>,
    directory: Option<Directory>,
}

/// What became of an object that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone for good; these were its bytes.
    Deleted {
        /// SHA-256 of them.
        sha256: Digest,
        /// How many they were.
        bytes: u64,
    },
    /// It was gone before.
    AlreadyGone,
}

#[derive(Serialize, Deserialize)]
struct Marker {
    carnet: u32,
    log_id: String,
}

impl ArtifactStore {
    /// Opens the store at `url` (`file:PATH`, which is made if it isn't there) for the event log of this id.
    ///
    /// # Errors
    /// [`StorageError::ForeignLog`] and [`StorageError::NotOurs`] when the place is another's; else what opening it fails with.
    pub async fn open(url: &str, log_id: &str) -> Result<Self, StorageError> {
        let Some(path) = url.strip_prefix("file:") else {
            return Err(StorageError::Failed {
                reason: format!("the url {url:?} is not of the form file:PATH"),
            });
        };
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        let directory = blocking(move || Directory::create(&path)).await?;
        let objects = LocalFileSystem::new_with_prefix(directory.root())?.with_fsync(true);
        let store = Self {
            objects: Arc::new(objects),
            directory: Some(directory),
        };
        store.claim(log_id).await?;
        Ok(store)
    }

    /// Checks the mark of the log, or sets it on an empty store.
    async fn claim(&self, log_id: &str) -> Result<(), StorageError> {
        let path = path(MARKER)?;
        match self.objects.get(&path).await {
            Ok(found) => return Self::check_marker(&found.bytes().await?, log_id),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let probe = |object: &object_store::ObjectMeta| object.location.as_ref().starts_with(PROBE);
        if self
            .objects
            .list(None)
            .try_filter(|object| std::future::ready(!probe(object)))
            .try_next()
            .await?
            .is_some()
        {
            return Err(StorageError::NotOurs { marker: MARKER });
        }
        let marker = serde_json::to_vec(&Marker {
            carnet: 1,
            log_id: log_id.to_owned(),
        })
        .map_err(|error| failed(&error))?;
        match self
            .objects
            .put_opts(&path, marker.into(), PutMode::Create.into())
            .await
        {
            Ok(_) => Ok(()),
            // Another node of this service, or of another, came first.
            Err(object_store::Error::AlreadyExists { .. }) => {
                Self::check_marker(&self.objects.get(&path).await?.bytes().await?, log_id)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn check_marker(marker: &Bytes, log_id: &str) -> Result<(), StorageError> {
        let found: Marker = serde_json::from_slice(marker).map_err(|error| failed(&error))?;
        if found.log_id == log_id {
            Ok(())
        } else {
            Err(StorageError::ForeignLog {
                expected: log_id.to_owned(),
                found: found.log_id,
            })
        }
    }

    /// Proves that the store keeps what it is given: writes a small object, reads it back and deletes it.
    ///
    /// # Errors
    /// [`StorageError::Unfaithful`] when other bytes come back; else what a step fails with.
    pub async fn verify(&self) -> Result<(), StorageError> {
        let name = Uuid::new_v4();
        let path = path(&format!("{PROBE}{name}"))?;
        let written = Bytes::from(format!("carnet probe {name}\n").repeat(64));
        self.objects
            .put_opts(
                &path,
                written.clone().into(),
                PutOptions::from(PutMode::Create),
            )
            .await?;
        let read = match self.objects.get(&path).await {
            Ok(object) => object.bytes().await,
            Err(error) => Err(error),
        };
        let deleted = self.objects.delete(&path).await;
        if read? != written {
            return Err(StorageError::Unfaithful);
        }
        Ok(deleted?)
    }

    /// Begins an upload. The object appears, whole and durable, when the sink is committed; dropping the sink or cancelling discards it.
    ///
    /// Needs a tokio runtime; the sink itself is for a blocking thread.
    #[must_use]
    pub fn upload(&self, key: &ArtifactKey, cancel: CancellationToken) -> UploadSink {
        upload::start(self.clone(), key.clone(), cancel)
    }

    /// Deletes an artifact and its sidecar for good, and says what was deleted. May be repeated.
    ///
    /// # Errors
    /// What a step fails with; repeating goes on from there.
    pub async fn delete(&self, key: &ArtifactKey) -> Result<Deletion, StorageError> {
        let deletion = match self.digest(key).await {
            Ok((sha256, bytes)) => Deletion::Deleted { sha256, bytes },
            Err(StorageError::Missing { .. }) => Deletion::AlreadyGone,
            Err(error) => return Err(error),
        };
        for object in [key.as_str(), &key.sidecar()] {
            match self.objects.delete(&path(object)?).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(directory) = self.directory.clone() {
            let key = key.clone();
            blocking(move || directory.settle(&key)).await?;
        }
        Ok(deletion)
    }

    /// SHA-256 and size of a stored object.
    async fn digest(&self, key: &ArtifactKey) -> Result<(Digest, u64), StorageError> {
        let path = path(key.as_str())?;
        let bytes = self.objects.head(&path).await?.size;
        let mut hash = Context::new(&SHA256);
        let mut at = 0;
        while at < bytes {
            let end = bytes.min(at + BLOCK_BYTES as u64);
            let block = self.objects.get_range(&path, at..end).await?;
            hash = blocking(move || {
                hash.update(&block);
                Ok(hash)
            })
            .await?;
            at = end;
        }
        Ok((finished(hash), bytes))
    }

    /// Size of the object of this key.
    pub(super) async fn size(&self, object: &str) -> Result<u64, StorageError> {
        Ok(self.objects.head(&path(object)?).await?.size)
    }

    /// A range of the object of this key.
    pub(super) async fn range(
        &self,
        object: &str,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, StorageError> {
        Ok(self.objects.get_range(&path(object)?, range).await?)
    }

    async fn exists(&self, object: &str) -> Result<bool, StorageError> {
        match self.size(object).await {
            Ok(_) => Ok(true),
            Err(StorageError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Size of an upload's next part, when this many have been sent.
    fn part_bytes(&self, _sent: usize) -> usize {
        LOCAL_PART_BYTES
    }

    /// Removes what a failed upload left half-written.
    async fn clear(&self, key: &ArtifactKey) -> Result<(), StorageError> {
        let Some(directory) = self.directory.clone() else {
            return Ok(());
        };
        let key = key.clone();
        blocking(move || directory.clear(&key)).await
    }
}

/// The path of an object: its key as it is, nothing encoded a second time.
fn path(key: &str) -> Result<Path, StorageError> {
    Path::parse(key).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> StorageError {
    StorageError::Failed {
        reason: error.to_string(),
    }
}

/// Runs file-system work off the asynchronous threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| StorageError::from_io(&error)),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests;
