//! Throughput and durations over time.

use std::collections::BTreeMap;

use carnet_events::ids::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::buckets::{Metric, durations};
use super::{Durations, Grain};
use crate::Error;
use crate::database::from_sql;

/// The most points of an answer.
const MAX_POINTS: usize = 5000;

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
    /// Rows exported, counted when their export was completed.
    pub rows: u64,
    /// Bytes of JSON exported, counted when their export was completed.
    pub json_bytes: u64,
    /// Time from the request to the first attempt, of those first attempted here.
    pub waited: Durations,
    /// Time from the first attempt to completion, of those completed here.
    pub ran: Durations,
    /// Time from the request to completion, of those completed here.
    pub total: Durations,
}

/// In the order of the table's key, so that nothing is sorted.
pub(super) const SERIES: &str = "SELECT start, metric, key, count FROM operations_buckets
    WHERE grain = ? AND start >= ? AND start < ? ORDER BY start, metric, key";

pub(super) fn series(
    tables: &Connection,
    grain: Grain,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<SeriesPoint>, Error> {
    let mut select = tables.prepare_cached(SERIES)?;
    let mut rows = select.query(params![grain.millis(), from.as_millis(), to.as_millis()])?;
    let mut points = Vec::new();
    let mut point: Option<Gathered> = None;
    while let Some(row) = rows.next()? {
        let at = Timestamp::from_millis(row.get(0)?);
        let (metric, key) = (row.get_ref(1)?, row.get_ref(2)?);
        let text = |error: rusqlite::types::FromSqlError| rusqlite::Error::from(error);
        let (metric, key) = (metric.as_str().map_err(text)?, key.as_str().map_err(text)?);
        if point.as_ref().is_none_or(|point| point.counts.at != at) {
            points.extend(point.take().map(Gathered::point));
            if points.len() == MAX_POINTS {
                break;
            }
        }
        let point = point.get_or_insert_with(|| Gathered::new(at));
        point.add(metric, key, from_sql(row.get(3)?));
    }
    points.extend(point.map(Gathered::point));
    Ok(points)
}

/// A point while its counts are gathered.
#[derive(Default)]
struct Gathered {
    counts: SeriesPoint,
    waited: BTreeMap<u32, u64>,
    ran: BTreeMap<u32, u64>,
    total: BTreeMap<u32, u64>,
}

impl Gathered {
    fn new(at: Timestamp) -> Self {
        let counts = SeriesPoint {
            at,
            ..SeriesPoint::default()
        };
        Self {
            counts,
            ..Self::default()
        }
    }

    fn add(&mut self, metric: &str, key: &str, count: u64) {
        let point = &mut self.counts;
        let is = |one: Metric| one.as_str() == metric;
        let sums = [
            (Metric::Admitted, &mut point.admitted),
            (Metric::Refused, &mut point.refused),
            (Metric::Completed, &mut point.completed),
            (Metric::Failed, &mut point.failed),
            (Metric::Cancelled, &mut point.cancelled),
            (Metric::Downloaded, &mut point.downloaded),
            (Metric::Rows, &mut point.rows),
            (Metric::JsonBytes, &mut point.json_bytes),
        ];
        if let Some((_, sum)) = sums.into_iter().find(|(one, _)| is(*one)) {
            *sum = sum.saturating_add(count);
            return;
        }
        let durations = [
            (Metric::Waited, &mut self.waited),
            (Metric::Ran, &mut self.ran),
            (Metric::Total, &mut self.total),
        ];
        if let Some((_, buckets)) = durations.into_iter().find(|(one, _)| is(*one))
            && let Ok(bucket) = key.parse()
        {
            *buckets.entry(bucket).or_default() += count;
        }
    }

    fn point(self) -> SeriesPoint {
        SeriesPoint {
            waited: durations(&self.waited),
            ran: durations(&self.ran),
            total: durations(&self.total),
            ..self.counts
        }
    }
}
