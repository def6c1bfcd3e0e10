//! The queries behind [`super::Operations`].

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::domain::export::Status;
use carnet_events::ids::Timestamp;
use rusqlite::{Connection, params};

use super::buckets::{Metric, durations};
use super::{Grain, Overview, Period};
use crate::Error;
use crate::database::from_sql;
use crate::worklist;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_RUNNING: u32 = 100;

pub(super) fn overview(tables: &Connection, now: Timestamp) -> Result<Overview, Error> {
    Ok(Overview {
        statuses: statuses(tables)?,
        oldest_queued: worklist::oldest_queued(tables)?,
        running: worklist::running(tables, None, MAX_RUNNING)?,
        last_hour: period(tables, now.minus(HOUR), now)?,
        last_day: period(tables, now.minus(DAY), now)?,
    })
}

fn statuses(tables: &Connection) -> Result<BTreeMap<Status, u64>, Error> {
    let mut all: BTreeMap<Status, u64> =
        Status::ALL.into_iter().map(|status| (status, 0)).collect();
    let mut select = tables.prepare_cached("SELECT status, count FROM operations_statuses")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let status: String = row.get(0)?;
        if let Ok(status) = status.parse() {
            all.insert(status, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0));
        }
    }
    Ok(all)
}

/// A day has 1,440 minutes with some thirty counts each, at most; that many rows are summed.
pub(super) const PERIOD: &str = "SELECT metric, key, sum(count) FROM operations_buckets
    WHERE grain = ? AND start > ? AND start <= ? GROUP BY metric, key";

/// The minutes that begin after `from` and not after `to`.
fn period(tables: &Connection, from: Timestamp, to: Timestamp) -> Result<Period, Error> {
    let mut select = tables.prepare_cached(PERIOD)?;
    let range = params![Grain::Minute.millis(), from.as_millis(), to.as_millis()];
    let mut rows = select.query(range)?;
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let of_metric = counts.entry(row.get(0)?).or_default();
        of_metric.insert(row.get(1)?, from_sql(row.get(2)?));
    }
    let by_key = |metric: Metric| counts.get(metric.as_str()).cloned().unwrap_or_default();
    let sum = |metric: Metric| by_key(metric).values().sum();
    let durations = |metric: Metric| {
        let numbered = |(key, count): (String, u64)| Some((key.parse().ok()?, count));
        durations(&by_key(metric).into_iter().filter_map(numbered).collect())
    };
    Ok(Period {
        admitted: sum(Metric::Admitted),
        refused: by_key(Metric::Refused),
        completed: sum(Metric::Completed),
        failed: by_key(Metric::Failed),
        cancelled: sum(Metric::Cancelled),
        attempts_failed: by_key(Metric::AttemptFailed),
        attempts_lost: sum(Metric::AttemptLost),
        downloaded: sum(Metric::Downloaded),
        blocked: by_key(Metric::Blocked),
        rows: sum(Metric::Rows),
        json_bytes: sum(Metric::JsonBytes),
        waited: durations(Metric::Waited),
        ran: durations(Metric::Ran),
        total: durations(Metric::Total),
    })
}
