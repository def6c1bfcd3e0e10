//! What operators look at: counts, ages, durations, failures by code, throughput, the queue's depth; nodes; and what
//! operators switched. Of the whole service, no tenant's business in it but whether it is closed and exempted.
//!
//! | room | what is in it |
//! |---|---|
//! | [`Overview`] | how the service stands now, and what happened in the last hour and day |
//! | [`SeriesPoint`], [`DepthPoint`] | throughput, durations and the queue's depth over time: for charts |
//! | [`NodeRow`] | the nodes that were seen |
//! | [`Stuck`] | running exports without a sign of life |
//! | [`Intake`] | whether requests are taken |
//! | [`ClosedTenant`], [`Exemption`] | what operators did to tenants |
//!
//! Figures are kept per minute and per hour of the events' own times, and dropped when they are older than
//! [`Options`](crate::Options) says, reckoned from the newest event. Durations are kept in buckets a fifth of an octave
//! wide, so a percentile is exact to about 7 %.

mod buckets;
mod depth;
mod fold;
mod intake;
mod nodes;
#[cfg(test)]
mod plans;
mod query;
mod series;
mod stuck;
mod tables;
mod tenants;

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::domain::export::Status;
use carnet_events::ids::Timestamp;
use serde::Serialize;

use crate::database::Readers;
use crate::worklist::{Queued, Running};
use crate::{Error, ProjectionName};

pub use depth::DepthPoint;
pub use intake::Intake;
pub use nodes::NodeRow;
pub use series::SeriesPoint;
pub use stuck::Stuck;
pub(crate) use tables::BLUEPRINT;
pub use tenants::{ClosedTenant, Exemption};

/// How the service stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// Exports by status, as recorded; a status that no export has is 0.
    pub statuses: BTreeMap<Status, u64>,
    /// The export that waits longest.
    pub oldest_queued: Option<Queued>,
    /// Running exports, the one running longest first, at most 100.
    pub running: Vec<Running>,
    /// The last 60 minutes.
    pub last_hour: Period,
    /// The last 24 hours.
    pub last_day: Period,
}

/// What happened in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Period {
    /// Requests let in.
    pub admitted: u64,
    /// Requests not let in, by code.
    pub refused: BTreeMap<String, u64>,
    /// Exports completed.
    pub completed: u64,
    /// Exports failed, by code.
    pub failed: BTreeMap<String, u64>,
    /// Exports cancelled.
    pub cancelled: u64,
    /// Attempts that failed and are tried again, by code.
    pub attempts_failed: BTreeMap<String, u64>,
    /// Attempts lost with their node.
    pub attempts_lost: u64,
    /// Downloads begun.
    pub downloaded: u64,
    /// Downloads refused, by code.
    pub blocked: BTreeMap<String, u64>,
    /// Rows exported.
    pub rows: u64,
    /// Bytes of JSON exported.
    pub json_bytes: u64,
    /// Time from the request to the first attempt.
    pub waited: Durations,
    /// Time from the first attempt to completion.
    pub ran: Durations,
    /// Time from the request to completion.
    pub total: Durations,
}

/// How long something took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Durations {
    /// How many were measured.
    pub count: u64,
    /// Half took no longer.
    pub p50_ms: u64,
    /// Nine in ten took no longer.
    pub p90_ms: u64,
    /// Ninety-nine in a hundred took no longer.
    pub p99_ms: u64,
    /// None took longer.
    pub max_ms: u64,
}

/// How finely a series is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
}

/// Asks for the service's figures.
#[derive(Clone)]
pub struct Operations {
    readers: Readers,
}

impl Operations {
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers }
    }

    /// How the service stands at `now`.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn overview(&self, now: Timestamp) -> Result<Overview, Error> {
        let ask = move |tables: &_| query::overview(tables, now);
        self.readers.ask(ask).await
    }

    /// What happened from one moment to another, minute by minute or hour by hour; those in which nothing did are left
    /// out. At most 5,000 points, the first ones. Costs some ten rows a point.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn series(
        &self,
        grain: Grain,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<SeriesPoint>, Error> {
        let ask = move |tables: &_| series::series(tables, grain, from, to);
        self.readers.ask(ask).await
    }

    /// How many exports waited and ran from one moment to another: a point for each minute or hour in which that changed,
    /// and first one for `from` with what came before, if that is known. Between two points nothing changed. At most 5,000
    /// points, the first ones.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn depth(
        &self,
        grain: Grain,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<DepthPoint>, Error> {
        let ask = move |tables: &_| depth::depth(tables, grain, from, to);
        self.readers.ask(ask).await
    }

    /// Running exports whose newest sign of life is at least `age` old at `now`, the one silent longest first; at most
    /// `limit`. Looks at the running ones only.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn stuck(&self, now: Timestamp, age: Duration, limit: u32) -> Result<Stuck, Error> {
        let ask = move |tables: &_| stuck::stuck(tables, now, age, limit);
        self.readers.ask(ask).await
    }

    /// The nodes that were seen, those seen last first; at most `limit`.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn nodes(&self, limit: u32) -> Result<Vec<NodeRow>, Error> {
        let ask = move |tables: &_| nodes::list(tables, limit);
        self.readers.ask(ask).await
    }

    /// Whether requests are taken, and who said so when.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn intake(&self) -> Result<Intake, Error> {
        self.readers.ask(intake::get).await
    }

    /// The tenants that are closed, those closed last first; at most `limit`.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn closed_tenants(&self, limit: u32) -> Result<Vec<ClosedTenant>, Error> {
        let ask = move |tables: &_| tenants::closed(tables, limit);
        self.readers.ask(ask).await
    }

    /// The exemptions that operators granted, newest first; with `open_at` only those whose end is after it. At most
    /// `limit`.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn exemptions(
        &self,
        open_at: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<Exemption>, Error> {
        let ask = move |tables: &_| tenants::exemptions(tables, open_at, limit);
        self.readers.ask(ask).await
    }
}

fn bad(reason: &impl ToString) -> Error {
    Error::BadRow {
        projection: ProjectionName::Operations,
        reason: reason.to_string(),
    }
}
