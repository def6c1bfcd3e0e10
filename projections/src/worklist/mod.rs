//! Where there is something to do: what dispatcher, timers and reconciler look at, after a restart above all.
//!
//! A hint, as durable as the other projections and no more current than they are: every act is decided again from the
//! export's or the tenant's own stream. An export is in here from its admission until nothing is left to do about it.
//!
//! Every list is in the order of a time and paged by it: hand the [`Mark`] of a page's last item to get the next page.

mod fold;
mod item;
#[cfg(test)]
mod plans;
mod query;

use carnet_events::domain::export::Outcome;
use carnet_events::ids::{ExportId, Incarnation, NodeId, TenantId, Timestamp};

use crate::Error;
use crate::database::Readers;

pub(crate) use fold::BLUEPRINT;
pub(crate) use query::{oldest_queued, read_running, running};

/// Where an item stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The time that the list is ordered by.
    pub at: Timestamp,
    /// The export.
    pub export: ExportId,
}

/// An export that was admitted, and of which `requested` is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAdmission {
    /// Which, and when it was admitted.
    pub mark: Mark,
    /// Whose.
    pub tenant: TenantId,
}

/// An export that waits for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Which, and since when.
    pub mark: Mark,
    /// Whose.
    pub tenant: TenantId,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
    /// Attempts there have been.
    pub attempts: u32,
}

/// An export that a node works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Which, and since when.
    pub mark: Mark,
    /// Whose.
    pub tenant: TenantId,
    /// The attempt.
    pub attempt: u32,
    /// The node.
    pub node: NodeId,
    /// The process on that node.
    pub incarnation: Incarnation,
    /// How long its claim holds without a sign of life, in milliseconds.
    pub lease_ms: u64,
    /// The newest sign of life.
    pub alive_at: Timestamp,
    /// The newest revision of its stream.
    pub revision: u64,
}

/// An export that is settled, and whose slot is not free yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreleased {
    /// Which, and when it was settled.
    pub mark: Mark,
    /// Whose.
    pub tenant: TenantId,
    /// How.
    pub outcome: Outcome,
}

/// An export with something due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which, and when its download window ended or its deletion began.
    pub mark: Mark,
    /// Whose.
    pub tenant: TenantId,
}

/// Asks what there is to do.
#[derive(Clone)]
pub struct Worklist {
    readers: Readers,
}

impl Worklist {
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers }
    }

    /// Exports admitted at or before a moment that are not requested yet.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn open_admissions(
        &self,
        admitted_by: Timestamp,
        after: Option<Mark>,
        limit: u32,
    ) -> Result<Vec<OpenAdmission>, Error> {
        let ask = move |tables: &_| query::open_admissions(tables, admitted_by, after, limit);
        self.readers.ask(ask).await
    }

    /// Queued exports that may start at `now`, the one waiting longest first.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn queued(
        &self,
        now: Timestamp,
        after: Option<Mark>,
        limit: u32,
    ) -> Result<Vec<Queued>, Error> {
        let ask = move |tables: &_| query::queued(tables, now, after, limit);
        self.readers.ask(ask).await
    }

    /// When the next of the queued exports that may not start at `now` may.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn next_start(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let ask = move |tables: &_| query::next_start(tables, now);
        self.readers.ask(ask).await
    }

    /// Running exports, the one running longest first.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn running(&self, after: Option<Mark>, limit: u32) -> Result<Vec<Running>, Error> {
        let ask = move |tables: &_| running(tables, after, limit);
        self.readers.ask(ask).await
    }

    /// Settled exports that still hold a slot.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn unreleased(
        &self,
        after: Option<Mark>,
        limit: u32,
    ) -> Result<Vec<Unreleased>, Error> {
        let ask = move |tables: &_| query::unreleased(tables, after, limit);
        self.readers.ask(ask).await
    }

    /// Completed exports whose download window ended at or before a moment, `expired` not being written yet.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn due_expiry(
        &self,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: u32,
    ) -> Result<Vec<Due>, Error> {
        let ask = move |tables: &_| query::due_expiry(tables, ended_by, after, limit);
        self.readers.ask(ask).await
    }

    /// When the next download window ends of those not recorded as expired.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn next_expiry(&self) -> Result<Option<Timestamp>, Error> {
        self.readers.ask(query::next_expiry).await
    }

    /// Exports with a file whose download window ended at or before a moment, whose deletion has not begun, and which no
    /// hold keeps.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn due_deletion(
        &self,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: u32,
    ) -> Result<Vec<Due>, Error> {
        let ask = move |tables: &_| query::due_deletion(tables, ended_by, after, limit);
        self.readers.ask(ask).await
    }

    /// Exports the deletion of whose file has begun and is not finished.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn deleting(&self, after: Option<Mark>, limit: u32) -> Result<Vec<Due>, Error> {
        let ask = move |tables: &_| query::deleting(tables, after, limit);
        self.readers.ask(ask).await
    }

    /// Tenants that have cancelled and are not purged, their grace window having ended at or before a moment; by their
    /// ids, after one.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn ending(
        &self,
        ended_by: Timestamp,
        after: Option<TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, Error> {
        let ask = move |tables: &_| query::ending(tables, ended_by, after.as_ref(), limit);
        self.readers.ask(ask).await
    }
}
