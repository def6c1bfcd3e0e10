//! How many exports wait and run, over time: a gauge per minute and per hour.

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::ids::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::Grain;
use crate::database::from_sql;
use crate::{Error, Options};

/// The most points of an answer.
const MAX_POINTS: u32 = 5000;

/// How many exports waited and ran in one minute or hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DepthPoint {
    /// Its beginning.
    pub at: Timestamp,
    /// Waiting exports at its end.
    pub queued: u64,
    /// Running exports at its end.
    pub running: u64,
    /// The most that waited at any moment of it.
    pub queued_max: u64,
    /// The most that ran at any moment of it.
    pub running_max: u64,
}

/// How many wait and run at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Level {
    pub(super) queued: i64,
    pub(super) running: i64,
}

/// The level of a minute or an hour.
#[derive(Clone, Copy)]
struct Gauge {
    last: Level,
    highest: Level,
}

const UPSERT: &str = "INSERT INTO operations_depth VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET queued = excluded.queued, running = excluded.running,
    queued_max = max(queued_max, excluded.queued_max),
    running_max = max(running_max, excluded.running_max)";
const PRUNE: &str = "DELETE FROM operations_depth WHERE grain = ? AND start < ?";
const NEWEST: &str = "SELECT max(start) FROM operations_depth WHERE grain = ?";

/// The present level, and gauges gathered until they are written.
pub(super) struct Gauges {
    pub(super) level: Level,
    grains: [(Grain, Duration, BTreeMap<i64, Gauge>); 2],
}

impl Gauges {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            level: Level::default(),
            grains: [
                (Grain::Minute, options.keep_minutes, BTreeMap::new()),
                (Grain::Hour, options.keep_hours, BTreeMap::new()),
            ],
        }
    }

    /// How many gauges are in memory.
    pub(super) fn len(&self) -> usize {
        self.grains.iter().map(|(_, _, gauges)| gauges.len()).sum()
    }

    /// From `at` on so many more (or fewer) wait and run.
    pub(super) fn change(&mut self, at: Timestamp, queued: i64, running: i64) {
        let before = self.level;
        self.level.queued += queued;
        self.level.running += running;
        for (grain, _, gauges) in &mut self.grains {
            let gauge = gauges.entry(grain.start_of(at)).or_insert(Gauge {
                last: before,
                highest: before,
            });
            gauge.last = self.level;
            gauge.highest = Level {
                queued: gauge
                    .highest
                    .queued
                    .max(before.queued)
                    .max(self.level.queued),
                running: gauge
                    .highest
                    .running
                    .max(before.running)
                    .max(self.level.running),
            };
        }
    }

    /// Lets go of what is too old to be kept, reckoned from the newest.
    pub(super) fn age(&mut self) {
        for (_, keep, gauges) in &mut self.grains {
            let Some((newest, _)) = gauges.last_key_value() else {
                continue;
            };
            let oldest = Timestamp::from_millis(*newest).minus(*keep).as_millis();
            while let Some(first) = gauges.first_entry()
                && *first.key() < oldest
            {
                first.remove();
            }
        }
    }

    /// Writes what was gathered, but for what is too old to be kept.
    pub(super) fn write(&mut self, tables: &Connection) -> rusqlite::Result<()> {
        for (grain, keep, gauges) in &mut self.grains {
            let Some((newest, _)) = gauges.last_key_value() else {
                continue;
            };
            let stored: Option<i64> = tables
                .prepare_cached(NEWEST)?
                .query_row([grain.millis()], |row| row.get(0))?;
            let newest = Timestamp::from_millis((*newest).max(stored.unwrap_or(i64::MIN)));
            let oldest = newest.minus(*keep).as_millis();
            let mut upsert = tables.prepare_cached(UPSERT)?;
            for (start, Gauge { last, highest }) in std::mem::take(gauges) {
                if start >= oldest {
                    upsert.execute(params![
                        grain.millis(),
                        start,
                        last.queued,
                        last.running,
                        highest.queued,
                        highest.running,
                    ])?;
                }
            }
            let mut prune = tables.prepare_cached(PRUNE)?;
            prune.execute([grain.millis(), oldest])?;
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.level = Level::default();
        for (_, _, gauges) in &mut self.grains {
            gauges.clear();
        }
    }
}

pub(super) const DEPTH: &str =
    "SELECT start, queued, running, queued_max, running_max FROM operations_depth
     WHERE grain = ? AND start >= ? AND start < ? ORDER BY start LIMIT ?";
pub(super) const BEFORE: &str =
    "SELECT start, queued, running, queued_max, running_max FROM operations_depth
     WHERE grain = ? AND start < ? ORDER BY start DESC LIMIT 1";

pub(super) fn depth(
    tables: &Connection,
    grain: Grain,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<DepthPoint>, Error> {
    let mut before = tables.prepare_cached(BEFORE)?;
    let before = before
        .query_row(params![grain.millis(), from.as_millis()], point)
        .optional()?;
    let mut select = tables.prepare_cached(DEPTH)?;
    let range = params![grain.millis(), from.as_millis(), to.as_millis(), MAX_POINTS];
    let mut points = select
        .query_map(range, point)?
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(before) = before
        && points.first().is_none_or(|first| first.at > from)
    {
        let carried = DepthPoint {
            at: from,
            queued_max: before.queued,
            running_max: before.running,
            ..before
        };
        points.insert(0, carried);
    }
    Ok(points)
}

fn point(row: &Row<'_>) -> rusqlite::Result<DepthPoint> {
    let count = |column| row.get(column).map(from_sql);
    Ok(DepthPoint {
        at: Timestamp::from_millis(row.get(0)?),
        queued: count(1)?,
        running: count(2)?,
        queued_max: count(3)?,
        running_max: count(4)?,
    })
}
