//! An upload in parts: several under way at once, within a bound of memory.

use std::time::Duration;

use object_store::PutPayload;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use tokio::task::JoinSet;

use super::Bucket;
use super::parts::{fits, part_bytes};
use crate::export::artifact::StorageError;

/// Tries of one part: one that is lost costs the export everything before it.
const TRIES: usize = 3;

/// How long the bucket may take to put the parts together.
const ASSEMBLED: Duration = Duration::from_secs(150);

/// How long parts under way may go on when their upload is given up.
const ARRIVING: Duration = Duration::from_secs(2);

/// The parts of one object. Nothing of them is seen before they are complete.
pub(in crate::export::artifact::storage) struct Parts {
    bucket: Bucket,
    path: Path,
    upload: String,
    under_way: JoinSet<Result<Sent, StorageError>>,
    under_way_bytes: u64,
    /// By number.
    sent: Vec<Option<PartId>>,
    bytes: u64,
}

struct Sent {
    number: usize,
    id: PartId,
    bytes: u64,
}

impl Parts {
    pub(in crate::export::artifact::storage) async fn begin(
        bucket: &Bucket,
        path: &Path,
    ) -> Result<Self, StorageError> {
        let upload = bucket
            .call(0, || bucket.objects.create_multipart(path))
            .await?;
        Ok(Self {
            bucket: bucket.clone(),
            path: path.clone(),
            upload,
            under_way: JoinSet::new(),
            under_way_bytes: 0,
            sent: Vec::new(),
            bytes: 0,
        })
    }

    /// How many parts there are so far.
    pub(in crate::export::artifact::storage) fn sent(&self) -> usize {
        self.sent.len()
    }

    /// Sends the next part, and waits until there is room for another to be filled.
    pub(in crate::export::artifact::storage) async fn put(
        &mut self,
        payload: PutPayload,
    ) -> Result<(), StorageError> {
        let number = self.sent.len();
        if part_bytes(number).is_none() {
            return Err(StorageError::Failed {
                reason: "a bucket takes no more parts of one object".to_owned(),
            });
        }
        let bytes = payload.content_length() as u64;
        self.sent.push(None);
        self.bytes += bytes;
        self.under_way_bytes += bytes;
        let (bucket, path, upload) = (self.bucket.clone(), self.path.clone(), self.upload.clone());
        self.under_way.spawn(async move {
            let put = || {
                bucket
                    .objects
                    .put_part(&path, &upload, number, payload.clone())
            };
            let id = bucket.patiently(bucket.deadline(bytes), TRIES, put).await?;
            Ok(Sent { number, id, bytes })
        });
        let next = part_bytes(self.sent.len()).unwrap_or(0);
        while !fits(self.under_way_bytes, next) {
            self.one_done().await?;
        }
        Ok(())
    }

    async fn one_done(&mut self) -> Result<(), StorageError> {
        let Some(done) = self.under_way.join_next().await else {
            self.under_way_bytes = 0;
            return Ok(());
        };
        let done = done.map_err(|error| super::super::failed(&error))??;
        self.under_way_bytes = self.under_way_bytes.saturating_sub(done.bytes);
        if let Some(slot) = self.sent.get_mut(done.number) {
            *slot = Some(done.id);
        }
        Ok(())
    }

    /// Waits for the parts that are under way, and makes them one object. What the bucket then has is held against what was sent.
    pub(in crate::export::artifact::storage) async fn complete(
        &mut self,
    ) -> Result<(), StorageError> {
        while !self.under_way.is_empty() {
            self.one_done().await?;
        }
        let ids: Option<Vec<PartId>> = self.sent.iter().cloned().collect();
        let ids = ids.ok_or(StorageError::Cancelled)?;
        let complete = || {
            let objects = &self.bucket.objects;
            objects.complete_multipart(&self.path, &self.upload, ids.clone())
        };
        let completed = self.bucket.patiently(ASSEMBLED, TRIES, complete).await;
        let tag = match completed {
            Ok(completed) => completed.e_tag,
            // It may have been put together all the same, and the answer lost: a second try then no longer finds the parts. Nobody else
            // uses this key, so what is there now is this upload's.
            Err(error) => match self.bucket.head(&self.path).await {
                Ok(_) => None,
                Err(_) => return Err(error),
            },
        };
        let there = self.bucket.head(&self.path).await?;
        let same_tag = match (&tag, &there.e_tag) {
            (Some(told), Some(found)) => told.trim_matches('"') == found.trim_matches('"'),
            _ => true,
        };
        if there.size == self.bytes && same_tag {
            Ok(())
        } else {
            Err(StorageError::Unfaithful)
        }
    }

    /// Gives the upload up, and the bucket forgets the parts. Those under way get a moment to arrive: one that came later would be left over.
    pub(in crate::export::artifact::storage) async fn abort(&mut self) -> Result<(), StorageError> {
        let all = async { while self.under_way.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(ARRIVING, all).await;
        self.under_way.shutdown().await;
        self.bucket.abort(&self.path, &self.upload).await
    }
}

impl Bucket {
    /// Forgets an upload in parts; one that is forgotten already is as good.
    pub(super) async fn abort(&self, path: &Path, upload: &str) -> Result<(), StorageError> {
        let upload = upload.to_owned();
        let abort = || self.objects.abort_multipart(path, &upload);
        match self.call(0, abort).await {
            Ok(()) | Err(StorageError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
