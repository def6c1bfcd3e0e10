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
    /// Its window has been over for long enough, and no hold keeps it: delete it.
    Delete,
    /// Its deletion was begun: finish it.
    FinishDeleting,
}

/// A published artifact whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub export: ExportId,
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

/// Where an entry stands in its list, which is in the order of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// That time.
    pub at: Timestamp,
    /// The export.
    pub export: ExportId,
}

/// Some of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, oldest first.
    pub entries: Vec<T>,
    /// After which the next page begins; `None`: this was the last.
    pub next: Option<Mark>,
}

/// Where work lies, folded from all streams with a durable checkpoint.
///
/// # Contract
///
/// It is a hint: every entry is decided anew from the stream it speaks of, so it may be late and may name what is done
/// already. But nothing that needs doing is missing for ever. Every answer is a page of at most `limit` entries after a
/// mark, or from the beginning, oldest first. Entries go as their work is done; one that can't be worked on stays, and
/// whoever goes through the list page by page comes past it.
#[async_trait]
pub trait Worklist: Send + Sync {
    /// Admissions without an export.
    async fn open_admissions(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<OpenAdmission>, WorklistError>;

    /// Waiting exports.
    async fn queued(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Queued>, WorklistError>;

    /// Running exports.
    async fn running(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Running>, WorklistError>;

    /// Artifacts with `action` to be done, their window having ended at or before `ended_by`: for [`DueAction::Expire`] those
    /// without `expired`, for [`DueAction::Delete`] those without `deletion_started` and without a hold. For
    /// [`DueAction::FinishDeleting`] all those without `artifact_deleted`, whenever their window ended.
    async fn due(
        &self,
        action: DueAction,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Due>, WorklistError>;

    /// Settled exports that are not released.
    async fn unreleased(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Unreleased>, WorklistError>;

    /// Tenants that have cancelled and are not purged, their grace window having ended at or before `ended_by`; at most
    /// `limit` of them after a tenant, or from the beginning, by their ids.
    async fn ending(
        &self,
        ended_by: Timestamp,
        after: Option<TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, WorklistError>;
}
