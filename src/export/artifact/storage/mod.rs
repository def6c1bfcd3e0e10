//! Where artifacts are kept, a directory or a bucket: objects that appear whole and durable, or not at all.
//!
//! A store belongs to one event log. It bears that log's id in the object [`MARKER`]; a service with another log refuses to start on it, because a sweep
//! that asks the wrong log would take every object for a stranger's.

mod key;
mod local;
mod location;
mod s3;
mod sweep;
mod upload;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::StorageError;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use local::Directory;
use s3::Bucket;

pub use key::ArtifactKey;
pub use location::{Location, S3Access, S3Credentials, bucket_of};
pub(super) use s3::meaning;
pub use sweep::{Decision, Judge, Swept};
pub use upload::UploadSink;

/// The object that bears the id of the log a store belongs to.
pub const MARKER: &str = "carnet-log.json";

/// What the names of probes begin with.
const PROBE: &str = "carnet-probe-";

/// How long a page of a list may take.
const LISTED: Duration = Duration::from_secs(30);

/// A place for artifacts. Cheap to clone.
#[derive(Clone)]
pub struct ArtifactStore {
    objects: Arc<dyn ObjectStore>,
    place: Place,
    claim: Arc<Claim>,
}

/// What is behind a store.
#[derive(Debug, Clone)]
enum Place {
    Directory(Directory),
    Bucket(Bucket),
}

/// The log a store is to belong to, and whether it was found to.
struct Claim {
    log_id: String,
    made: OnceCell<()>,
}

impl Claim {
    fn of(log_id: &str) -> Arc<Self> {
        Arc::new(Self {
            log_id: log_id.to_owned(),
            made: OnceCell::new(),
        })
    }
}

impl fmt::Debug for ArtifactStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArtifactStore({:?})", self.place)
    }
}

#[derive(Serialize, Deserialize)]
struct Marker {
    carnet: u32,
    log_id: String,
}

impl ArtifactStore {
    /// Opens the store at a location (a directory is made if it isn't there) for the event log of this id.
    ///
    /// A bucket that can't be reached now, or refuses, is no error: it may be set right while the service runs. Nothing is written to it before it was
    /// found to be this log's.
    ///
    /// # Errors
    /// [`StorageError::ForeignLog`] and [`StorageError::NotOurs`] when the place is another's; settings that can't be used; for a directory whatever
    /// opening it fails with.
    pub async fn open(location: impl Into<Location>, log_id: &str) -> Result<Self, StorageError> {
        let location = location.into();
        let url = location.url.clone();
        let Some(path) = url.strip_prefix("file:") else {
            let store = Self::bucket(location, log_id)?;
            return match store.claimed().await {
                Err(error @ (StorageError::ForeignLog { .. } | StorageError::NotOurs { .. })) => {
                    Err(error)
                }
                _ => Ok(store),
            };
        };
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        let directory = blocking(move || Directory::create(&path)).await?;
        let objects = LocalFileSystem::new_with_prefix(directory.root())?.with_fsync(true);
        let store = Self {
            objects: Arc::new(objects),
            place: Place::Directory(directory),
            claim: Claim::of(log_id),
        };
        store.claimed().await?;
        Ok(store)
    }

    /// Reads the settings of a bucket, and certificates; nothing is sent yet.
    fn bucket(location: Location, log_id: &str) -> Result<Self, StorageError> {
        let bucket = Bucket::new(&location.url, &location.s3)?;
        Ok(Self {
            objects: Arc::new(bucket.objects().clone()),
            place: Place::Bucket(bucket),
            claim: Claim::of(log_id),
        })
    }

    /// Sees to it that the store bears the mark of the log. Asked before anything is written; once it does, that isn't asked again.
    async fn claimed(&self) -> Result<(), StorageError> {
        let claim = async || {
            self.mark(&self.claim.log_id).await?;
            if let Place::Bucket(bucket) = &self.place {
                bucket.warn().await;
            }
            Ok(())
        };
        self.claim.made.get_or_try_init(claim).await.copied()
    }

    /// The same before an export is stored, by looking again where that costs next to nothing and a volume may have been unmounted since.
    async fn still_ours(&self) -> Result<(), StorageError> {
        self.claimed().await?;
        match &self.place {
            Place::Directory(_) => self.bears_mark().await,
            Place::Bucket(_) => Ok(()),
        }
    }

    /// Checks the mark of the log, or sets it on an empty store.
    async fn mark(&self, log_id: &str) -> Result<(), StorageError> {
        let path = path(MARKER)?;
        match self.get(&path).await {
            Ok(found) => return Self::check_marker(&found, log_id),
            Err(StorageError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        if self.holds_objects().await? {
            return Err(StorageError::NotOurs { marker: MARKER });
        }
        let marker = serde_json::to_vec(&Marker {
            carnet: 1,
            log_id: log_id.to_owned(),
        })
        .map_err(|error| failed(&error))?;
        match self.put_new(&path, marker.into()).await {
            // Exists: another node of this service, or of another, came first. And not every server refuses to write over what is there.
            Ok(()) | Err(StorageError::Exists { .. }) => {
                Self::check_marker(&self.get(&path).await?, log_id)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether there is anything but probes.
    async fn holds_objects(&self) -> Result<bool, StorageError> {
        let mut objects = self.objects.list(None);
        while let Some(object) = self.listed(&mut objects).await? {
            if !object.location.as_ref().starts_with(PROBE) {
                return Ok(true);
            }
        }
        Ok(false)
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
    /// [`StorageError::Unfaithful`] when other bytes come back, [`StorageError::Unmarked`] when the mark it had is gone; else what a step fails with.
    pub async fn verify(&self) -> Result<(), StorageError> {
        self.claimed().await?;
        self.bears_mark().await?;
        let name = Uuid::new_v4();
        let path = path(&format!("{PROBE}{name}"))?;
        let written = Bytes::from(format!("carnet probe {name}\n").repeat(64));
        self.put_new(&path, written.clone().into()).await?;
        let read = self.get(&path).await;
        let deleted = self.remove(&path).await;
        if read? != written {
            return Err(StorageError::Unfaithful);
        }
        deleted
    }

    /// Begins an upload. The object appears, whole and durable, when the sink is committed; dropping the sink or cancelling discards it.
    ///
    /// Needs a tokio runtime; the sink itself is for a blocking thread.
    #[must_use]
    pub fn upload(&self, key: &ArtifactKey, cancel: CancellationToken) -> UploadSink {
        upload::start(self.clone(), key.clone(), cancel)
    }

    /// Tells whether a storage could be used, changing nothing: that a bucket is there, lets itself be listed and read, and isn't another log's
    /// business to find out. Of a directory nothing is asked.
    ///
    /// # Errors
    /// What keeps it from being used.
    pub async fn look(location: Location) -> Result<(), StorageError> {
        if location.url.starts_with("file:") {
            return Ok(());
        }
        let store = Self::bucket(location, "")?;
        match store.get(&path(MARKER)?).await {
            Ok(_) | Err(StorageError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        store.listed(&mut store.objects.list(None)).await?;
        Ok(())
    }

    /// An address at which anybody can get an object from its bucket for a while, with these headers (`response-…`) in the answer; `None`: it is
    /// not in a bucket. It is a secret, for it is all that it takes.
    ///
    /// # Errors
    /// When there are no credentials to sign with.
    pub async fn presign(
        &self,
        key: &ArtifactKey,
        valid: Duration,
        answer: &[(&'static str, String)],
    ) -> Result<Option<SecretString>, StorageError> {
        match &self.place {
            Place::Directory(_) => Ok(None),
            Place::Bucket(bucket) => {
                let path = path(key.as_str())?;
                bucket.presign(&path, valid, answer).await.map(Some)
            }
        }
    }

    /// Deletes an artifact and its sidecar for good. May be repeated, and what is gone already is as good. Nothing is read: a file too large to be
    /// read in time, or that can't be read any more, is deleted all the same.
    ///
    /// # Errors
    /// [`StorageError::Unmarked`] and the like when this isn't the storage that it was opened as, so that it can't tell what is gone; else what a step
    /// fails with. Repeating goes on from there.
    pub async fn delete(&self, key: &ArtifactKey) -> Result<(), StorageError> {
        self.bears_mark().await?;
        self.delete_objects(key).await
    }

    /// Deletes an artifact and its sidecar, of a storage whose mark was looked at.
    async fn delete_objects(&self, key: &ArtifactKey) -> Result<(), StorageError> {
        for object in [key.as_str(), &key.sidecar()] {
            self.remove(&path(object)?).await?;
        }
        if let Place::Directory(directory) = self.place.clone() {
            let key = key.clone();
            blocking(move || directory.settle(&key)).await?;
        }
        Ok(())
    }

    /// Looks whether the mark of the log is there now. Where it isn't, what is missing may be somewhere else: the volume isn't mounted, the bucket is
    /// another.
    ///
    /// # Errors
    /// [`StorageError::Unmarked`] without the mark, [`StorageError::ForeignLog`] with another's; else what reading it fails with.
    pub async fn bears_mark(&self) -> Result<(), StorageError> {
        match self.get(&path(MARKER)?).await {
            Ok(found) => Self::check_marker(&found, &self.claim.log_id),
            Err(StorageError::Missing { .. }) => Err(StorageError::Unmarked { marker: MARKER }),
            Err(error) => Err(error),
        }
    }

    /// Size of the object of this key.
    pub(super) async fn size(&self, object: &str) -> Result<u64, StorageError> {
        let path = path(object)?;
        Ok(match &self.place {
            Place::Directory(_) => self.objects.head(&path).await?.size,
            Place::Bucket(bucket) => bucket.head(&path).await?.size,
        })
    }

    /// A range of the object of this key.
    pub(super) async fn range(
        &self,
        object: &str,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, StorageError> {
        let path = path(object)?;
        let read = || self.objects.get_range(&path, range.clone());
        match &self.place {
            Place::Directory(_) => Ok(read().await?),
            Place::Bucket(bucket) => bucket.call(range.end - range.start, read).await,
        }
    }

    /// A small object, whole.
    async fn get(&self, path: &Path) -> Result<Bytes, StorageError> {
        match &self.place {
            Place::Directory(_) => Ok(self.objects.get(path).await?.bytes().await?),
            Place::Bucket(bucket) => bucket.get(path, 0).await,
        }
    }

    /// Puts an object that must not be there yet.
    async fn put_new(&self, path: &Path, payload: PutPayload) -> Result<(), StorageError> {
        match &self.place {
            Place::Directory(_) => {
                let options = PutOptions::from(PutMode::Create);
                self.objects.put_opts(path, payload, options).await?;
                Ok(())
            }
            Place::Bucket(bucket) => bucket.put_new(path, payload).await,
        }
    }

    /// Deletes an object; one that is gone already is as good.
    async fn remove(&self, path: &Path) -> Result<(), StorageError> {
        let removed = match &self.place {
            Place::Directory(_) => self.objects.delete(path).await.map_err(Into::into),
            Place::Bucket(bucket) => bucket.call(0, || self.objects.delete(path)).await,
        };
        match removed {
            Ok(()) | Err(StorageError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The next of a list.
    async fn listed(
        &self,
        objects: &mut BoxStream<'static, object_store::Result<ObjectMeta>>,
    ) -> Result<Option<ObjectMeta>, StorageError> {
        match tokio::time::timeout(LISTED, objects.try_next()).await {
            Ok(next) => Ok(next?),
            Err(_) => Err(StorageError::Unreachable {
                reason: "a list of its objects didn't come".to_owned(),
            }),
        }
    }

    async fn exists(&self, object: &str) -> Result<bool, StorageError> {
        match self.size(object).await {
            Ok(_) => Ok(true),
            Err(StorageError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what a failed upload left half-written.
    async fn clear(&self, key: &ArtifactKey) -> Result<(), StorageError> {
        let Place::Directory(directory) = self.place.clone() else {
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

fn failed(error: &dyn fmt::Display) -> StorageError {
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
