//! Whoever makes, stores and deletes artifacts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carnet_events::domain::export::{CategoryResult, Parameters, Progress, PublishedArtifact};
use carnet_events::domain::request::Request;
use carnet_events::ids::{Digest, ExportId, TenantId, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// One attempt at one export: everything the artifact is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The export.
    pub export: ExportId,
    /// What was asked for; `request.tenant` is whose data it is.
    pub request: Request,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// Random; together with the attempt it makes the object's key unlike every other attempt's.
    pub claim: Uuid,
    /// The policies the attempt was started with, by category. Run under exactly these, or fail.
    pub policy_digests: BTreeMap<String, Digest>,
    /// When the attempt began, as `started` says: the manifest's `generated_at`.
    pub started_at: Timestamp,
    /// How long the artifact can be downloaded, counted from when its manifest is written; `None`: for ever.
    pub ttl: Option<Duration>,
}

/// A stored, durable, not yet published artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOutput {
    /// The file.
    pub artifact: PublishedArtifact,
    /// What each category came to.
    pub categories: BTreeMap<String, CategoryResult>,
    /// End of the download window, as the manifest says; `None`: no end.
    pub expires_at: Option<Timestamp>,
}

/// Why an attempt came to nothing. Whoever returns it has removed what it had stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the export failed: {code}")]
pub struct RunFailure {
    /// Why, as a code.
    pub code: String,
    /// Safe values for the code's explanation.
    pub parameters: Parameters,
    /// Whether another attempt may fare better.
    pub retryable: bool,
}

impl RunFailure {
    /// A failure that no repetition can mend.
    pub fn permanent(code: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            parameters: Parameters::new(),
            retryable: false,
        }
    }

    /// A failure that may be gone the next time.
    pub fn retryable(code: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            parameters: Parameters::new(),
            retryable: true,
        }
    }

    /// Adds a safe value to the explanation.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }
}

/// An object could not be deleted or listed now. The reason is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the artifact storage failed: {reason}")]
pub struct ObjectFailure {
    /// What happened.
    pub reason: String,
}

/// What may become of a stored object that a sweep came across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is published, or may still be.
    Keep,
    /// It can never be published any more, or its deletion was begun.
    Remove,
    /// No export of that id is known: report it, leave it.
    Unknown,
}

/// Says what may become of stored objects, from a linearizable read of the export's stream.
#[async_trait]
pub trait SweepJudge: Send + Sync {
    /// What may become of the object `key`, made by `attempt` of `export`. When in doubt, [`Verdict::Keep`].
    async fn judge(&self, export: ExportId, attempt: u32, key: &str) -> Verdict;
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweepReport {
    /// Objects and temporary files removed.
    pub removed: u64,
    /// Objects left as they were.
    pub kept: u64,
    /// Objects of exports that nobody knows, left as they were.
    pub unknown: u64,
}

/// Runs exports and keeps their artifacts.
///
/// # Contract
///
/// * The object of a run has a key that no other attempt can have; nothing is overwritten.
/// * A run that was cancelled ends soon, and like one that failed it leaves nothing behind.
/// * What [`run`](Self::run) returns is durable.
/// * [`delete`](Self::delete) is idempotent: what is gone already is a success. It isn't waited for longer than a minute, after
///   which it may still take effect.
/// * A [`sweep`](Self::sweep) may take as long as it needs, but no call it makes may last without end.
#[async_trait]
pub trait Runner: Send + Sync {
    /// The digests of today's policies of `categories`.
    ///
    /// # Errors
    /// When one of them is in no catalog any more; the export then fails with that.
    fn current_digests(
        &self,
        categories: &[String],
    ) -> Result<BTreeMap<String, Digest>, RunFailure>;

    /// Whether the tenant's artifact storage is configured and was verified. Asked at every admission: answer from memory, or nearly so.
    async fn storage_verified(&self, tenant: &TenantId) -> bool;

    /// Whether the tenant's artifact storage answered when it was last tried. One that is full, or may not be written to, still lets files be
    /// deleted. Asked for every deletion: answer from memory.
    fn storage_answers(&self, tenant: &TenantId) -> bool;

    /// Makes and stores the artifact. Keeps `progress` current, and ends soon after `cancel`. Whatever is sent is a sign that it is alive (see the
    /// stall limit): a change of rows, bytes, category or phase, or the same once more by a runner that waits for something which has a limit of
    /// its own, and knows that it still works.
    ///
    /// # Errors
    /// Whatever stood in the way; when cancelled, anything.
    async fn run(
        &self,
        job: Job,
        progress: watch::Sender<Progress>,
        cancel: CancellationToken,
    ) -> Result<RunOutput, RunFailure>;

    /// Deletes an object and whatever lies beside it: one that was published, or one that never will be.
    ///
    /// # Errors
    /// When it may still be there.
    async fn delete(&self, key: &str) -> Result<(), ObjectFailure>;

    /// Goes through everything stored before `before` and removes what `judge` condemns.
    ///
    /// # Errors
    /// When the storage can't be listed; what was removed until then stays removed.
    async fn sweep(
        &self,
        before: Timestamp,
        judge: Arc<dyn SweepJudge>,
    ) -> Result<SweepReport, ObjectFailure>;
}
