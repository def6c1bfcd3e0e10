//! Where artifacts are kept, a directory or a bucket: objects that appear whole and durable, or not at all.
//!
//! A store belongs to one event log. It bears that log's id in the object [`MARKER`]; a service with another log refuses to start on it, because a sweep
//! that asks the wrong log would take every object for a stranger's.

mod calls;
mod key;
mod local;
mod location;
mod mark;
mod s3;
mod sweep;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::StorageError;
use calls::Calls;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use local::Directory;
use mark::Claim;
use s3::Bucket;

pub use calls::under_way;
pub use key::ArtifactKey;
pub use location::{Location, S3Access, S3Credentials, bucket_of};
pub use mark::{MARKER, Owner};
pub(super) use s3::meaning;
pub use sweep::{Decision, Judge, Swept};
pub use upload::UploadSink;

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

impl fmt::Debug for ArtifactStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArtifactStore({:?})", self.place)
    }
}

impl ArtifactStore {
    /// Opens the store at a location for its event log. A directory is made if it isn't there, unless the log was used with it before: then it is away.
    ///
    /// A bucket that can't be reached now, or refuses, is no error: it may be set right while the service runs. Nothing is written to it before it was
    /// found to be this log's.
    ///
    /// # Errors
    /// [`StorageError::ForeignLog`] and [`StorageError::NotOurs`] when the place is another's; [`StorageError::Unmarked`] for a directory that is away;
    /// settings that can't be used; for a directory whatever
    /// opening it fails with.
    pub async fn open(
        location: impl Into<Location>,
        owner: impl Into<Owner>,
    ) -> Result<Self, StorageError> {
        let (location, owner) = (location.into(), owner.into());
        let Some(path) = location.directory() else {
            let store = Self::bucket(location, owner)?;
            return match store.claimed().await {
                Err(error @ (StorageError::ForeignLog { .. } | StorageError::NotOurs { .. })) => {
                    Err(error)
                }
                _ => Ok(store),
            };
        };
        let calls = Calls::default();
        let its_calls = calls.clone();
        let opened = calls.blocking(move || {
            if owner.used && !path.is_dir() {
                return Ok(None);
            }
            let directory = Directory::create(&path, its_calls)?;
            // It looks at the directory once more.
            let objects = LocalFileSystem::new_with_prefix(directory.root());
            Ok(Some((directory, objects.map_err(std::io::Error::other)?)))
        });
        let (directory, objects) = opened
            .await?
            .ok_or(StorageError::Unmarked { marker: MARKER })?;
        let objects = objects.with_fsync(true);
        let store = Self {
            objects: Arc::new(objects),
            place: Place::Directory(directory),
            claim: Claim::of(owner),
        };
        store.claimed().await?;
        Ok(store)
    }

    /// Reads the settings of a bucket, and certificates; nothing is sent yet.
    fn bucket(location: Location, owner: Owner) -> Result<Self, StorageError> {
        let bucket = Bucket::new(&location.url, &location.s3)?;
        Ok(Self {
            objects: Arc::new(bucket.objects().clone()),
            place: Place::Bucket(bucket),
            claim: Claim::of(owner),
        })
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
        let store = Self::bucket(location, "".into())?;
        match store.get(&path(MARKER)?).await {
            Ok(_) | Err(StorageError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        store.listed(&mut store.list()).await?;
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
        if let Place::Directory(directory) = &self.place {
            let (settled, key) = (directory.clone(), key.clone());
            let settle = move || settled.settle(&key);
            directory.calls().blocking(settle).await?;
        }
        Ok(())
    }

    /// Size of the object of this key.
    pub(super) async fn size(&self, object: &str) -> Result<u64, StorageError> {
        let path = path(object)?;
        match &self.place {
            Place::Directory(directory) => {
                let objects = Arc::clone(&self.objects);
                let size = async move { Ok(objects.head(&path).await?.size) };
                directory.calls().step(size).await
            }
            Place::Bucket(bucket) => Ok(bucket.head(&path).await?.size),
        }
    }

    /// A range of the object of this key.
    pub(super) async fn range(
        &self,
        object: &str,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, StorageError> {
        let path = path(object)?;
        match &self.place {
            Place::Directory(directory) => {
                let objects = Arc::clone(&self.objects);
                let read = async move { Ok(objects.get_range(&path, range).await?) };
                directory.calls().step(read).await
            }
            Place::Bucket(bucket) => {
                let read = || self.objects.get_range(&path, range.clone());
                bucket.call(range.end - range.start, read).await
            }
        }
    }

    /// A small object, whole.
    async fn get(&self, path: &Path) -> Result<Bytes, StorageError> {
        match &self.place {
            Place::Directory(directory) => {
                let (objects, path) = (Arc::clone(&self.objects), path.clone());
                let read = async move { Ok(objects.get(&path).await?.bytes().await?) };
                directory.calls().step(read).await
            }
            Place::Bucket(bucket) => bucket.get(path, 0).await,
        }
    }

    /// Puts an object that must not be there yet.
    async fn put_new(&self, path: &Path, payload: PutPayload) -> Result<(), StorageError> {
        match &self.place {
            Place::Directory(directory) => {
                let (objects, path) = (Arc::clone(&self.objects), path.clone());
                let put = async move {
                    let options = PutOptions::from(PutMode::Create);
                    objects.put_opts(&path, payload, options).await?;
                    Ok(())
                };
                directory.calls().step(put).await
            }
            Place::Bucket(bucket) => bucket.put_new(path, payload).await,
        }
    }

    /// Deletes an object; one that is gone already is as good.
    async fn remove(&self, path: &Path) -> Result<(), StorageError> {
        let removed = match &self.place {
            Place::Directory(directory) => {
                let (objects, path) = (Arc::clone(&self.objects), path.clone());
                let remove = async move { Ok(objects.delete(&path).await?) };
                directory.calls().step(remove).await
            }
            Place::Bucket(bucket) => bucket.call(0, || self.objects.delete(path)).await,
        };
        match removed {
            Ok(()) | Err(StorageError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All there is.
    fn list(&self) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let objects = self.objects.list(None);
        match &self.place {
            Place::Directory(directory) => directory.calls().list(objects),
            Place::Bucket(_) => objects,
        }
    }

    /// The next of a list.
    async fn listed(
        &self,
        objects: &mut BoxStream<'static, object_store::Result<ObjectMeta>>,
    ) -> Result<Option<ObjectMeta>, StorageError> {
        match tokio::time::timeout(LISTED, objects.try_next()).await {
            Ok(next) => Ok(next?),
            Err(_) => Err(self.silent()),
        }
    }

    /// What is wrong when it takes too long.
    pub(in crate::export) fn silent(&self) -> StorageError {
        match &self.place {
            Place::Directory(_) => StorageError::Silent,
            Place::Bucket(_) => StorageError::Unreachable {
                reason: "it took too long to answer".to_owned(),
            },
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
        let Place::Directory(directory) = &self.place else {
            return Ok(());
        };
        let (cleared, key) = (directory.clone(), key.clone());
        let clear = move || cleared.clear(&key);
        directory.calls().blocking(clear).await
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

/// Runs work that takes its time off the asynchronous threads. What touches a directory goes through [`Calls`].
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| StorageError::from_io(&error)),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
pub(in crate::export) mod hung;
#[cfg(test)]
mod tests;
