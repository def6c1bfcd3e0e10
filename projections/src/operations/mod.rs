//! What operators look at: counts, ages, durations, failures by code, throughput. Of the whole service, no tenant's
//! business in it.
//!
//! Figures are kept per minute and per hour of the events' own times, and dropped when they are older than
//! [`Options`](crate::Options) says, reckoned from the newest event. Durations are kept in buckets a fifth of an octave
//! wide, so a percentile is exact to about 7 %.

mod buckets;
mod fold;
mod query;

use std::collections::BTreeMap;

use carnet_events::domain::export::Status;
use carnet_events::ids::Timestamp;
use serde::Serialize;

use crate::Error;
use crate::database::Readers;
use crate::worklist::{Queued, Running};

pub(crate) use fold::BLUEPRINT;

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

/// What happened in one minute or hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SeriesPoint {
    /// Its beginning.
    pub at: Timestamp,
    /// Requests let in.
    pub admitted: u64,
    /// Requests not let in.
    pub refused: u64,
    /// Exports completed.
    pub completed: u64,
    /// Exports failed.
    pub failed: u64,
    /// Exports cancelled.
    pub cancelled: u64,
    /// Downloads begun.
    pub downloaded: u64,
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
    /// out. At most 5,000 points, the first ones.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn series(
        &self,
        grain: Grain,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<SeriesPoint>, Error> {
        let ask = move |tables: &_| query::series(tables, grain, from, to);
        self.readers.ask(ask).await
    }
}
