//! The worklist: a durable hint where to look for work, after a restart above all.

use std::time::Duration;

use async_trait::async_trait;
use carnet_events::ids::{ExportId, Incarnation, NodeId, TenantId, Timestamp};

/// An admission of which the export's own stream is not known to exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAdmission {
    /// Whose.
    pub tenant: TenantId,
    /// The admitted export.
    pub export: ExportId,
}

/// An export that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub export: ExportId,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
}

/// An export that a process has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub export: ExportId,
    /// The running attempt.
    pub attempt: u32,
    /// The node that claimed it.
    pub node: NodeId,
    /// The process that claimed it.
    pub incarnation: Incarnation,
    /// How long the claim holds without a sign of life.
    pub lease: Duration,
}

/// What is to be done with a published artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueAction {
    /// Its download window is over: record it.
    Expire,
    /// Its deletion is due, or was begun and not finished.
    Delete,
}

/// A published artifact whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub export: ExportId,
    /// What is to be done.
    pub action: DueAction,
}

/// A settled export whose slot is still taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreleased {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub export: ExportId,
}

/// The worklist can't be read now. The reason is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the worklist can't be read: {reason}")]
pub struct WorklistError {
    /// What happened.
    pub reason: String,
}

/// Where work lies, folded from all streams with a durable checkpoint.
///
/// # Contract
///
/// It is a hint: every entry is decided anew from the stream it speaks of, so it may be late and may name what is done
/// already. But nothing that needs doing is missing for ever. Every answer is a page of at most `limit` entries, oldest
/// first; entries go as their work is done, so the next page comes by asking again. Entries that can't be worked on
/// (an artifact under a legal hold) are left out, or they would keep others from the page.
#[async_trait]
pub trait Worklist: Send + Sync {
    /// Admissions without an export.
    async fn open_admissions(&self, limit: usize) -> Result<Vec<OpenAdmission>, WorklistError>;

    /// Waiting exports, the oldest of every tenant before the second oldest of any.
    async fn queued(&self, limit: usize) -> Result<Vec<Queued>, WorklistError>;

    /// Running exports.
    async fn running(&self, limit: usize) -> Result<Vec<Running>, WorklistError>;

    /// Artifacts whose window is over at `now` without `expired`, then those whose window has been over for
    /// `deletion_delay` (or whose deletion has begun) without `artifact_deleted`; none under a hold among the latter.
    async fn due(
        &self,
        now: Timestamp,
        deletion_delay: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, WorklistError>;

    /// Settled exports that are not released.
    async fn unreleased(&self, limit: usize) -> Result<Vec<Unreleased>, WorklistError>;
}
