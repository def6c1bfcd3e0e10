//! The blocking part of an export: snapshots, rows, bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use carnet_actors::ports::{Clock, Job};
use carnet_events::domain::export::{Phase, Progress};
use carnet_events::domain::request::ExportKind;
use carnet_events::ids::{Digest, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::export::artifact::manifest::ARTIFACT_VERSION;
use crate::export::artifact::{
    ArtifactSpec, ArtifactWriter, BlockSink, CategoryManifest, Finished, Manifest,
};
use crate::export::catalog::Category;
use crate::export::detect::Counts;
use crate::export::encode::{HashKey, RowEncoder};
use crate::export::error::ExportError;
use crate::export::source::{Bindings, Row, Snapshot, Source, Visitor};

/// Rows are handed to the writer, and progress is told, whenever so many bytes have come together.
const BATCH_BYTES: usize = 64 * 1024;

/// One export, ready to be written.
pub(super) struct Plan {
    pub(super) job: Job,
    /// In the order they are written in.
    pub(super) categories: Vec<Arc<Category>>,
    pub(super) sources: BTreeMap<String, Arc<dyn Source>>,
    pub(super) hash: HashKey,
    pub(super) clock: Arc<dyn Clock>,
    /// What the clock's monotonic time was as the attempt began.
    pub(super) begun: Duration,
    /// Rows so far, those of the batch included. Written for each: looking at a clock there would cost more.
    pub(super) seen: Arc<AtomicU64>,
    /// The person whose data it is limited to; none yet, for a request can't name one.
    pub(super) subject: Option<String>,
}

/// What an export came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The file.
    pub finished: Finished,
    /// What each category came to, by id.
    pub categories: BTreeMap<String, CategoryOutcome>,
    /// End of the download window, as the manifest says.
    pub expires_at: Option<Timestamp>,
}

/// What one category came to.
#[derive(Debug, Clone)]
pub struct CategoryOutcome {
    /// Rows in the file.
    pub rows: u64,
    /// When the snapshot was fixed that they were read from.
    pub read_at: Timestamp,
    /// The policy they were read under.
    pub policy_digest: Digest,
    /// What was found and replaced.
    pub redacted: Counts,
    /// How many values were neutralised.
    pub neutralised: u64,
}

/// Writes the artifact and commits it.
pub(super) fn write(
    plan: &Plan,
    spec: ArtifactSpec,
    sink: Box<dyn BlockSink>,
    progress: &watch::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<Outcome, ExportError> {
    progress.send_replace(Progress::START);
    let mut snapshots = BTreeMap::new();
    for (name, source) in &plan.sources {
        snapshots.insert(name.as_str(), source.open(plan.clock.as_ref(), cancel)?);
    }
    let mut writer = ArtifactWriter::begin(spec, sink)?;
    let mut categories = BTreeMap::new();
    let mut rows_before = 0;
    for category in &plan.categories {
        let snapshot =
            snapshots
                .get(category.rules.source.as_str())
                .ok_or(ExportError::Internal {
                    reason: "a category without a snapshot",
                })?;
        let mut rows = Rows {
            plan,
            category,
            writer: &mut writer,
            encoder: None,
            batch: Batch::default(),
            rows: 0,
            rows_before,
            progress,
            cancel,
        };
        let outcome = rows.write(snapshot.as_ref())?;
        rows_before += outcome.rows;
        categories.insert(category.id().to_owned(), outcome);
    }
    // Nothing more is read: writers of the sources need not wait for the storage.
    drop(snapshots);
    progress.send_replace(Progress {
        phase: Phase::Storing,
        category: None,
        rows: rows_before,
        bytes: writer.json_bytes(),
    });
    // The manifest comes last: what took long to read can be downloaded no shorter for it.
    // Counted from when the attempt began, which the log dates, so that no clock that jumps has a say in it.
    let taken = plan.clock.monotonic().saturating_sub(plan.begun);
    let ttl = plan.job.ttl;
    let expires_at = ttl.map(|ttl| plan.job.started_at.plus(taken).plus(ttl));
    let finished = writer.finish(manifest(&plan.job, &categories, expires_at))?;
    Ok(Outcome {
        finished,
        categories,
        expires_at,
    })
}

fn manifest(
    job: &Job,
    categories: &BTreeMap<String, CategoryOutcome>,
    expires_at: Option<Timestamp>,
) -> Manifest {
    let describe = |outcome: &CategoryOutcome| CategoryManifest {
        neutralised: outcome.neutralised,
        policy_digest: outcome.policy_digest,
        read_at: outcome.read_at,
        redacted: outcome
            .redacted
            .found()
            .map(|(kind, count)| (kind.name().into(), count))
            .collect(),
        rows: outcome.rows,
    };
    let kind = match job.request.kind {
        ExportKind::Account => "account",
        ExportKind::Snapshot => "snapshot",
        ExportKind::Subject => "subject",
    };
    Manifest {
        attempt: job.attempt,
        carnet: ARTIFACT_VERSION,
        categories: categories
            .iter()
            .map(|(id, outcome)| (id.as_str().into(), describe(outcome)))
            .collect(),
        checksum: None,
        expires_at,
        export_id: job.export,
        generated_at: job.started_at,
        kind: kind.to_owned(),
        scope: job.request.scope.as_ref().map(|scope| scope.id.clone()),
        tenant_id: job.request.tenant.clone(),
    }
}

/// The rows of one category on their way into the artifact.
struct Rows<'a> {
    plan: &'a Plan,
    category: &'a Category,
    writer: &'a mut ArtifactWriter,
    /// There once the result's columns are known.
    encoder: Option<RowEncoder<'a>>,
    batch: Batch,
    rows: u64,
    /// Rows of the categories before.
    rows_before: u64,
    progress: &'a watch::Sender<Progress>,
    cancel: &'a CancellationToken,
}

/// Rows joined by commas.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    rows: u64,
}

impl Rows<'_> {
    fn write(&mut self, snapshot: &dyn Snapshot) -> Result<CategoryOutcome, ExportError> {
        self.writer.begin_category(self.category.id())?;
        self.tell();
        let request = &self.plan.job.request;
        let bindings = Bindings {
            tenant: request.tenant.as_str(),
            scope: request.scope.as_ref().map(|scope| scope.id.as_str()),
        };
        snapshot.read(
            self.category.id(),
            &self.category.rules.query,
            &bindings,
            self,
        )?;
        self.hand_on()?;
        self.writer.end_category()?;
        let (redacted, neutralised) = self
            .encoder
            .as_ref()
            .map(RowEncoder::counts)
            .unwrap_or_default();
        Ok(CategoryOutcome {
            rows: self.rows,
            read_at: snapshot.read_at(),
            policy_digest: self.category.policy.digest(),
            redacted,
            neutralised,
        })
    }

    fn hand_on(&mut self) -> Result<(), ExportError> {
        if self.cancel.is_cancelled() {
            return Err(ExportError::Cancelled);
        }
        self.writer.rows(&self.batch.bytes, self.batch.rows)?;
        self.rows += self.batch.rows;
        self.batch.bytes.clear();
        self.batch.rows = 0;
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        self.progress.send_replace(Progress {
            phase: Phase::Reading,
            category: Some(self.category.id().to_owned()),
            rows: self.rows_before + self.rows,
            bytes: self.writer.json_bytes(),
        });
    }
}

impl Visitor for Rows<'_> {
    fn columns(&mut self, names: &[&str]) -> Result<(), ExportError> {
        let Plan {
            job, subject, hash, ..
        } = self.plan;
        self.encoder = Some(RowEncoder::new(
            &self.category.rules,
            names,
            &job.request.tenant,
            subject.as_deref(),
            hash,
        )?);
        Ok(())
    }

    fn row(&mut self, row: &dyn Row) -> Result<(), ExportError> {
        let encoder = self.encoder.as_mut().ok_or(ExportError::Internal {
            reason: "a row before its columns",
        })?;
        if self.batch.rows > 0 {
            self.batch.bytes.push(b',');
        }
        encoder.encode(row, &mut self.batch.bytes)?;
        self.batch.rows += 1;
        let seen = self.rows_before + self.rows + self.batch.rows;
        self.plan.seen.store(seen, Ordering::Relaxed);
        if self.batch.bytes.len() >= BATCH_BYTES {
            self.hand_on()?;
        }
        Ok(())
    }

    fn waiting(&mut self) {
        self.progress.send_modify(|_| ());
    }
}
