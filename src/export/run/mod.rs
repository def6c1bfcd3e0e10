//! Runs exports: joins catalog, sources, encoder, artifact and storage into the runner that the actors ask for.
//!
//! Reading, encoding and hashing happen on one blocking thread, compressing on a few others, storing on the runtime. Bounded channels join
//! them, so memory doesn't grow with the export, and the slowest part sets the pace.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use carnet_actors::ports::{
    Clock, Job, ObjectFailure, RunFailure, RunOutput, Runner, SweepJudge, SweepReport, Verdict,
};
use carnet_events::domain::export::{CategoryResult, Progress, PublishedArtifact};
use carnet_events::domain::request::Layer;
use carnet_events::ids::{Digest, TenantId, Timestamp};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::artifact::storage::{Decision, Judge};
use super::artifact::{ArtifactError, ArtifactKey, ArtifactSpec, Compression, Finished};
use super::catalog::{Catalog, Category};
use super::encode::HashKey;
use super::error::ExportError;
use super::source::{Source, source};
use super::storages::Storages;
use crate::keys::{KeyRing, Purpose};

mod write;

pub use write::{CategoryOutcome, Outcome};

/// How often rows are told of that wait for a batch to fill: far more often than an attempt without progress is given up.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What an exporter needs besides the catalog.
pub struct Parts {
    /// Where artifacts go.
    pub storages: Arc<Storages>,
    /// Derives the tenants' keys for `hash` columns.
    pub keys: Arc<KeyRing>,
    /// Says when a snapshot was fixed.
    pub clock: Arc<dyn Clock>,
    /// Threads that compress, for each export, beside the one that reads and encodes.
    pub compress_threads: NonZeroUsize,
}

/// Makes, stores and deletes artifacts.
pub struct Exporter {
    catalog: Arc<Catalog>,
    sources: BTreeMap<String, Arc<dyn Source>>,
    parts: Parts,
}

impl Exporter {
    /// An exporter for the catalog's categories and sources.
    ///
    /// # Errors
    /// When a source's URL is for no driver of this build.
    pub fn new(catalog: Arc<Catalog>, parts: Parts) -> Result<Self, ExportError> {
        let sources = catalog
            .sources()
            .iter()
            .map(|config| Ok((config.name.clone(), source(config)?)))
            .collect::<Result<_, ExportError>>()?;
        Ok(Self {
            catalog,
            sources,
            parts,
        })
    }

    /// Everything that the blocking part needs, decided before anything is opened.
    fn plan(&self, job: Job, begun: Duration) -> Result<write::Plan, ExportError> {
        let mut categories = Vec::new();
        let mut sources = BTreeMap::new();
        for id in &job.request.categories {
            let category = self.category(id)?;
            if job.policy_digests.get(id) != Some(&category.policy.digest()) {
                return Err(ExportError::PolicyChanged {
                    category: id.clone(),
                });
            }
            if job.request.scope.is_some() && !category.rules.binds_scope {
                return Err(ExportError::ScopeUnsupported {
                    category: id.clone(),
                });
            }
            let name = &category.rules.source;
            let source = self.sources.get(name).ok_or(ExportError::Internal {
                reason: "a category without a source",
            })?;
            sources.insert(name.clone(), Arc::clone(source));
            categories.push(Arc::clone(category));
        }
        // Ids are ASCII, for which the order of bytes is that of UTF-16.
        categories.sort_by(|a, b| a.id().cmp(b.id()));
        categories.dedup_by(|a, b| a.id() == b.id());
        let hash = self
            .parts
            .keys
            .current(Purpose::Columns(&job.request.tenant))
            .map_err(|_| ExportError::Internal {
                reason: "a key that can't be derived",
            })?;
        Ok(write::Plan {
            categories,
            sources,
            hash: HashKey::new(self.parts.keys.current_id(), &hash),
            begun,
            clock: Arc::clone(&self.parts.clock),
            seen: Arc::default(),
            subject: None,
            job,
        })
    }

    fn category(&self, id: &str) -> Result<&Arc<Category>, ExportError> {
        self.catalog
            .get(id)
            .ok_or_else(|| ExportError::UnknownCategory {
                category: id.to_owned(),
            })
    }

    /// Runs a job to the stored artifact.
    ///
    /// # Errors
    /// Whatever stood in the way; nothing is then left behind.
    pub async fn export(
        &self,
        job: Job,
        progress: watch::Sender<Progress>,
        cancel: CancellationToken,
    ) -> Result<(PublishedArtifact, Outcome), ExportError> {
        let mut again = BTreeSet::new();
        let begun = self.parts.clock.monotonic();
        loop {
            let done = self.once(job.clone(), begun, progress.clone(), &cancel);
            let done = done.await;
            match &done {
                Err(ExportError::RowTooLarge {
                    category,
                    column: None,
                }) if self.measure(category) && again.insert(category.clone()) => {}
                _ => return done,
            }
        }
    }

    /// Whether a category is worth reading again in which a row was too large for nobody knows which column.
    fn measure(&self, category: &str) -> bool {
        let source = self.category(category).ok();
        let source = source.and_then(|category| self.sources.get(&category.rules.source));
        source.is_some_and(|source| source.measure(category))
    }

    async fn once(
        &self,
        job: Job,
        begun: Duration,
        progress: watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(PublishedArtifact, Outcome), ExportError> {
        // Whether this future is cancelled, fails or is dropped: the thread and the upload hear of it.
        let cancel = cancel.child_token();
        let _ends_with_us = cancel.clone().drop_guard();
        let compression = compression(&job.request.layers)?;
        let key = ArtifactKey::new(
            &job.request.tenant,
            job.export,
            job.attempt,
            job.claim,
            compression,
        );
        let storage = self.parts.storages.of(&job.request.tenant);
        let plan = self.plan(job, begun)?;
        let spec = ArtifactSpec {
            compression,
            threads: self.parts.compress_threads,
        };
        let sink = storage.upload(&key, cancel.clone());
        let token = cancel.clone();
        let (seen, told) = (Arc::clone(&plan.seen), progress.clone());
        let writing = tokio::task::spawn_blocking(move || {
            write::write(&plan, spec, Box::new(sink), &progress, &token)
        });
        let written = self.follow(writing, &seen, &told).await;
        let written = written.map_err(|_| ExportError::Internal {
            reason: "the export's thread ended early",
        });
        match written.and_then(|result| result) {
            Ok(outcome) => Ok((describe(&key, &outcome.finished), outcome)),
            Err(error) => {
                self.remove(&key).await;
                Err(if cancel.is_cancelled() {
                    ExportError::Cancelled
                } else {
                    error
                })
            }
        }
    }

    /// Waits for the export's thread. Meanwhile rows that come too slowly to fill a batch are told of, for they are a sign of life too.
    async fn follow<T>(
        &self,
        mut writing: JoinHandle<T>,
        seen: &AtomicU64,
        told: &watch::Sender<Progress>,
    ) -> Result<T, JoinError> {
        loop {
            tokio::select! {
                biased;
                written = &mut writing => return written,
                () = self.parts.clock.sleep(TOLD_EVERY) => {}
            }
            let rows = seen.load(Ordering::Relaxed);
            told.send_if_modified(|progress| {
                let more = rows > progress.rows;
                progress.rows = progress.rows.max(rows);
                more
            });
        }
    }

    /// After a failure. What can't be removed now, the sweep removes later.
    async fn remove(&self, key: &ArtifactKey) {
        if let Err(error) = self.parts.storages.delete(key).await {
            tracing::warn!(%key, %error, "a failed export's object may be left behind");
        }
    }
}

fn compression(layers: &[Layer]) -> Result<Compression, ExportError> {
    match layers {
        [] => Ok(Compression::None),
        [Layer::Gzip] => Ok(Compression::Gzip),
        [Layer::Zstd] => Ok(Compression::Zstd),
        _ => Err(ExportError::Internal {
            reason: "layers that this build can't write",
        }),
    }
}

fn describe(key: &ArtifactKey, finished: &Finished) -> PublishedArtifact {
    PublishedArtifact {
        key: key.to_string(),
        bytes: finished.stored_bytes,
        sha256: finished.stored_sha256,
        media_type: key.compression().media_type().to_owned(),
        json_bytes: finished.json_bytes,
        json_sha256: finished.json_sha256,
        checksum: finished.checksum,
        blocks_root: finished.blocks_root,
    }
}

#[async_trait]
impl Runner for Exporter {
    fn current_digests(
        &self,
        categories: &[String],
    ) -> Result<BTreeMap<String, Digest>, RunFailure> {
        let digest = |id: &String| Ok((id.clone(), self.category(id)?.policy.digest()));
        categories
            .iter()
            .map(digest)
            .collect::<Result<_, ExportError>>()
            .map_err(|error| error.failure())
    }

    fn storage_answers(&self, tenant: &TenantId) -> bool {
        self.parts.storages.answers(tenant)
    }

    async fn storage_verified(&self, tenant: &TenantId) -> bool {
        self.parts.storages.is_verified(tenant).await
    }

    async fn run(
        &self,
        job: Job,
        progress: watch::Sender<Progress>,
        cancel: CancellationToken,
    ) -> Result<RunOutput, RunFailure> {
        let (export, attempt) = (job.export, job.attempt);
        match self.export(job, progress, cancel).await {
            Ok((artifact, outcome)) => Ok(RunOutput {
                artifact,
                expires_at: outcome.expires_at,
                categories: results(outcome),
            }),
            Err(error) => {
                // The one place where the drivers' own words are written down.
                tracing::warn!(%export, attempt, code = error.code(), %error, "an export's attempt failed");
                if matches!(error, ExportError::Artifact(ArtifactError::Storage(_))) {
                    self.parts.storages.doubt();
                }
                Err(error.failure())
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectFailure> {
        let key: ArtifactKey = key.parse().map_err(|_| ObjectFailure {
            reason: "it is not an artifact's key".to_owned(),
        })?;
        let deleted = self.parts.storages.delete(&key).await;
        deleted.map_err(|error| ObjectFailure {
            reason: error.to_string(),
        })
    }

    async fn sweep(
        &self,
        before: Timestamp,
        judge: Arc<dyn SweepJudge>,
    ) -> Result<SweepReport, ObjectFailure> {
        let mut asking = Asking { judge, kept: 0 };
        let before = SystemTime::UNIX_EPOCH
            + Duration::from_millis(u64::try_from(before.as_millis()).unwrap_or(0));
        let (mut report, mut failed) = (SweepReport::default(), None);
        for storage in self.parts.storages.all() {
            let swept = match storage.sweep(&mut asking, before).await {
                Ok(swept) => swept,
                // The others are swept all the same.
                Err(error) => {
                    tracing::warn!(?storage, %error, "an artifact storage wasn't swept");
                    failed.get_or_insert(error);
                    continue;
                }
            };
            if swept.unknown > 0 {
                tracing::warn!(unknown = swept.unknown, first = ?swept.unknown_named.first(), "the artifact storage holds objects of no known export");
            }
            report.removed += swept.removed + swept.temporaries;
            report.unknown += swept.unknown;
            if let Some(error) = swept.failure {
                tracing::warn!(?storage, %error, failed = swept.failed, "an artifact storage wasn't swept of everything");
                failed.get_or_insert(error);
            }
        }
        report.kept = asking.kept;
        match failed {
            None => Ok(report),
            Some(error) => Err(ObjectFailure {
                reason: error.to_string(),
            }),
        }
    }
}

fn results(outcome: Outcome) -> BTreeMap<String, CategoryResult> {
    outcome
        .categories
        .into_iter()
        .map(|(id, category)| {
            let CategoryOutcome {
                rows,
                read_at,
                policy_digest,
                ..
            } = category;
            (
                id,
                CategoryResult {
                    rows,
                    read_at,
                    policy_digest,
                },
            )
        })
        .collect()
}

/// Puts the storage's questions to the actors' judge.
struct Asking {
    judge: Arc<dyn SweepJudge>,
    kept: u64,
}

#[async_trait]
impl Judge for Asking {
    async fn judge(&mut self, key: &ArtifactKey) -> Decision {
        match self
            .judge
            .judge(key.export(), key.attempt(), key.as_str())
            .await
        {
            Verdict::Keep => {
                self.kept += 1;
                Decision::Keep
            }
            Verdict::Remove => Decision::Remove,
            Verdict::Unknown => Decision::Unknown,
        }
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "slow_tests.rs"]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod slow_tests;
