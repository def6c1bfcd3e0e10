//! The mark of the event log that a store belongs to.
//!
//! It tells a store from a place where nothing is because its volume isn't mounted, or because it is another bucket. So it is set once, on an
//! empty store; where the log says that the store was used before and no mark is there, the store is away, and nothing is made in its place.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::{ArtifactStore, PROBE, Place, failed, path};
use crate::export::artifact::StorageError;

/// The object that bears the id of the log a store belongs to.
pub const MARKER: &str = "carnet-log.json";

/// The event log that a storage is opened for, and what that log says of it.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The log's id.
    pub log_id: String,
    /// The log was used with this storage before, so its mark is there already, or the storage is away.
    pub used: bool,
}

impl From<&str> for Owner {
    /// A log that says nothing of the storage.
    fn from(log_id: &str) -> Self {
        Self {
            log_id: log_id.to_owned(),
            used: false,
        }
    }
}

/// The log a store is to belong to, and whether it was found to.
pub(super) struct Claim {
    owner: Owner,
    made: OnceCell<()>,
}

impl Claim {
    pub(super) fn of(owner: Owner) -> Arc<Self> {
        Arc::new(Self {
            owner,
            made: OnceCell::new(),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Marker {
    carnet: u32,
    log_id: String,
}

impl ArtifactStore {
    /// Sees to it that the store bears the mark of the log. Asked before anything is written; once it does, that isn't asked again.
    pub(super) async fn claimed(&self) -> Result<(), StorageError> {
        let claim = async || {
            self.mark(&self.claim.owner).await?;
            if let Place::Bucket(bucket) = &self.place {
                bucket.warn().await;
            }
            Ok(())
        };
        self.claim.made.get_or_try_init(claim).await.copied()
    }

    /// The same before an export is stored, by looking again where that costs next to nothing and a volume may have been unmounted since.
    pub(in crate::export) async fn still_ours(&self) -> Result<(), StorageError> {
        self.claimed().await?;
        match &self.place {
            Place::Directory(_) => self.bears_mark().await,
            Place::Bucket(_) => Ok(()),
        }
    }

    /// Whether the store was found to bear the mark.
    pub fn is_claimed(&self) -> bool {
        self.claim.made.initialized()
    }

    /// Checks the mark of the log, or sets it on an empty store that the log wasn't used with before.
    async fn mark(&self, Owner { log_id, used }: &Owner) -> Result<(), StorageError> {
        let path = path(MARKER)?;
        match self.get(&path).await {
            Ok(found) => return Self::check_marker(&found, log_id),
            // Setting it anew would make every file that is away look lost.
            Err(StorageError::Missing { .. }) if *used => {
                return Err(StorageError::Unmarked { marker: MARKER });
            }
            Err(StorageError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        if self.holds_objects().await? {
            return Err(StorageError::NotOurs { marker: MARKER });
        }
        let marker = serde_json::to_vec(&Marker {
            carnet: 1,
            log_id: log_id.clone(),
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
        let mut objects = self.list();
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

    /// Looks whether the mark of the log is there now. Where it isn't, what is missing may be somewhere else: the volume isn't mounted, the bucket is
    /// another.
    ///
    /// # Errors
    /// [`StorageError::Unmarked`] without the mark, [`StorageError::ForeignLog`] with another's; else what reading it fails with.
    pub async fn bears_mark(&self) -> Result<(), StorageError> {
        match self.get(&path(MARKER)?).await {
            Ok(found) => Self::check_marker(&found, &self.claim.owner.log_id),
            Err(StorageError::Missing { .. }) => Err(StorageError::Unmarked { marker: MARKER }),
            Err(error) => Err(error),
        }
    }
}
