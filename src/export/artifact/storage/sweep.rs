//! The sweep: removes what crashes left behind, and only that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::local::{Directory, gone, temporaries};
use super::s3::Bucket;
use super::{ArtifactKey, ArtifactStore, MARKER, PROBE, Place, blocking};
use crate::export::artifact::StorageError;

/// Longer than any export takes: a category may be read for seven days.
const LONGEST_UPLOAD: Duration = Duration::from_secs(8 * 86_400);

/// How long a half-written file that may yet be published is left alone, at least: its source may be slow. And a probe, which another node may be reading.
const WRITING: Duration = Duration::from_secs(24 * 60 * 60);

/// The most objects one sweep names, of those that are unknown and of those that it can't remove; it counts them all.
const MAX_NAMED: usize = 100;

/// After so many removals in a row that the storage as a whole stood in the way of, it isn't asked for more. Objects of their own trouble end no sweep.
const AWAY: u32 = 3;

/// What is to become of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is published, or may yet be.
    Keep,
    /// A later attempt superseded it, or its export settled without it: nobody can ever publish it.
    Remove,
    /// The event log knows no such export. Never removed, but reported.
    Unknown,
}

/// Who decides: whoever can read the export's own stream.
#[async_trait]
pub trait Judge: Send {
    /// What is to become of the object of this key.
    async fn judge(&mut self, key: &ArtifactKey) -> Decision;
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Artifacts removed, sidecars and all.
    pub removed: u64,
    /// Half-written files and forgotten probes removed.
    pub temporaries: u64,
    /// Objects of no known export: how many.
    pub unknown: u64,
    /// The first of them.
    pub unknown_named: Vec<String>,
    /// The bucket doesn't list uploads in parts that never ended. A lifecycle rule there has to remove them (`AbortIncompleteMultipartUpload`).
    pub unlisted: bool,
    /// The first of what couldn't be removed or listed, and why. The rest was swept all the same; the next sweep tries again.
    pub failure: Option<StorageError>,
    /// Removals that failed.
    pub failed: u64,
    /// Failures in a row, up to now, that are the storage's as a whole.
    away: u32,
}

impl Swept {
    /// Notes how a removal went: whether it was done.
    fn done(&mut self, object: &str, removed: Result<(), StorageError>) -> bool {
        let Err(error) = removed else {
            self.away = 0;
            return true;
        };
        self.failed += 1;
        if self.failed <= MAX_NAMED as u64 {
            tracing::warn!(object, %error, "an object couldn't be swept away");
        }
        self.away = if error.is_away() { self.away + 1 } else { 0 };
        self.failure.get_or_insert(error);
        false
    }

    /// Whether the storage is away, so that asking it for more would only take time.
    fn is_over(&self) -> bool {
        self.away >= AWAY
    }

    fn report(&mut self, object: &str) {
        self.unknown += 1;
        if self.unknown_named.len() < MAX_NAMED {
            self.unknown_named.push(object.to_owned());
        }
    }
}

/// What was last written no later than this was written long enough ago.
#[derive(Clone, Copy)]
struct Ages {
    /// For what nobody can ever publish.
    old: SystemTime,
    /// For what may be in use: [`WRITING`] earlier.
    forgotten: SystemTime,
}

impl Ages {
    /// Whether what was half-written, and of which this was decided, is left for good.
    fn is_abandoned(self, decision: Decision, modified: SystemTime) -> bool {
        match decision {
            Decision::Remove => modified <= self.old,
            // Written even now, perhaps by another node; or left between being published and being tidied away.
            Decision::Keep => modified <= self.forgotten,
            Decision::Unknown => false,
        }
    }
}

impl ArtifactStore {
    /// Removes artifacts that `judge` gives up and half-written files of exports it knows, all of them untouched since `before`; what may yet be
    /// published, since a day earlier. What can't be removed is left for the next sweep, and told by [`Swept::failure`].
    ///
    /// # Errors
    /// When it isn't this log's storage, or can't be told to be.
    pub async fn sweep(
        &self,
        judge: &mut dyn Judge,
        before: SystemTime,
    ) -> Result<Swept, StorageError> {
        // What another log's export left is not this log's to remove.
        self.still_ours().await?;
        let mut swept = Swept::default();
        let ages = Ages {
            old: before,
            forgotten: before.checked_sub(WRITING).unwrap_or(UNIX_EPOCH),
        };
        let listed = self.sweep_objects(judge, ages, &mut swept).await;
        if let Err(error) = listed {
            swept.failure.get_or_insert(error);
        }
        if let Err(error) = self.sweep_temporaries(judge, ages, &mut swept).await {
            swept.failure.get_or_insert(error);
        }
        Ok(swept)
    }

    async fn sweep_objects(
        &self,
        judge: &mut dyn Judge,
        ages: Ages,
        swept: &mut Swept,
    ) -> Result<(), StorageError> {
        let mut objects = self.list();
        // An artifact and its sidecar come one after the other, and are removed together.
        let mut last = None;
        while let Some(object) = self.listed(&mut objects).await? {
            if swept.is_over() {
                break;
            }
            let name = object.location.as_ref();
            if name == MARKER {
                continue;
            }
            if name.starts_with(PROBE) {
                if SystemTime::from(object.last_modified) <= ages.forgotten
                    && swept.done(name, self.remove(&object.location).await)
                {
                    swept.temporaries += 1;
                }
                continue;
            }
            let Some(key) = ArtifactKey::of_object(name) else {
                swept.report(name);
                continue;
            };
            match judge.judge(&key).await {
                Decision::Keep => {}
                Decision::Unknown => swept.report(name),
                Decision::Remove if SystemTime::from(object.last_modified) <= ages.old => {
                    if swept.done(name, self.delete_objects(&key).await)
                        && last.as_ref() != Some(&key)
                    {
                        swept.removed += 1;
                        last = Some(key);
                    }
                }
                Decision::Remove => {}
            }
        }
        Ok(())
    }

    async fn sweep_temporaries(
        &self,
        judge: &mut dyn Judge,
        ages: Ages,
        swept: &mut Swept,
    ) -> Result<(), StorageError> {
        match &self.place {
            Place::Directory(directory) => Self::sweep_files(directory, judge, ages, swept).await,
            Place::Bucket(bucket) => Self::sweep_uploads(bucket, judge, ages, swept).await,
        }
    }

    async fn sweep_files(
        directory: &Directory,
        judge: &mut dyn Judge,
        ages: Ages,
        swept: &mut Swept,
    ) -> Result<(), StorageError> {
        let (calls, walked) = (directory.calls(), directory.clone());
        for tenant in calls.blocking(move || walked.tenants()).await? {
            // A tenant of many exports takes a while; one that takes too long keeps no other's from being swept.
            let found = calls.sync(blocking(move || temporaries(&tenant))).await;
            let files = found.unwrap_or_else(|error| {
                swept.failure.get_or_insert(error);
                Vec::new()
            });
            for file in files {
                let decision = judge.judge(&file.key).await;
                if decision == Decision::Unknown {
                    swept.report(&file.path.to_string_lossy());
                } else if ages.is_abandoned(decision, file.modified) {
                    let (directory, name) = (directory.clone(), file.path.clone());
                    let removed = calls.blocking(move || {
                        gone(std::fs::remove_file(&file.path))
                            .and_then(|()| directory.settle(&file.key))
                    });
                    if swept.done(&name.to_string_lossy(), removed.await) {
                        swept.temporaries += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// A bucket's half-written files are uploads in parts that never ended. Not every server lists them, and not to everybody: see
    /// [`Swept::unlisted`].
    async fn sweep_uploads(
        bucket: &Bucket,
        judge: &mut dyn Judge,
        ages: Ages,
        swept: &mut Swept,
    ) -> Result<(), StorageError> {
        let Some(pending) = bucket.pending().await? else {
            swept.unlisted = true;
            return Ok(());
        };
        for upload in pending {
            if swept.is_over() {
                break;
            }
            let decision = match ArtifactKey::of_object(&upload.key) {
                Some(key) => judge.judge(&key).await,
                None => Decision::Unknown,
            };
            if decision == Decision::Unknown {
                swept.report(&upload.key);
            } else if ages.is_abandoned(decision, last_written(decision, upload.begun))
                && swept.done(&upload.key, bucket.forget(&upload).await)
            {
                swept.temporaries += 1;
            }
        }
        Ok(())
    }
}

/// When an upload may have been written to last. A listing tells when it began, and that of an attempt that runs may go on for days.
fn last_written(decision: Decision, begun: SystemTime) -> SystemTime {
    match decision {
        Decision::Keep => begun + LONGEST_UPLOAD,
        Decision::Remove | Decision::Unknown => begun,
    }
}
