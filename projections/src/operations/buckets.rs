//! Counting per minute and per hour, and durations in buckets.

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::ids::Timestamp;
use rusqlite::{Connection, params};

use super::{Durations, Grain};
use crate::Options;

/// What is counted. The name is what stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Admitted,
    Refused,
    Completed,
    Failed,
    Cancelled,
    AttemptFailed,
    AttemptLost,
    Downloaded,
    Blocked,
    Rows,
    JsonBytes,
    Waited,
    Ran,
    Total,
}

impl Metric {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Refused => "refused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::AttemptFailed => "attempt_failed",
            Self::AttemptLost => "attempt_lost",
            Self::Downloaded => "downloaded",
            Self::Blocked => "blocked",
            Self::Rows => "rows",
            Self::JsonBytes => "json_bytes",
            Self::Waited => "waited",
            Self::Ran => "ran",
            Self::Total => "total",
        }
    }
}

impl Grain {
    /// Its length in milliseconds; also what stands for it in the table.
    pub(super) fn millis(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }

    /// The beginning of the one that a moment lies in.
    pub(super) fn start_of(self, at: Timestamp) -> i64 {
        at.as_millis().div_euclid(self.millis()) * self.millis()
    }
}

/// What a count is about, besides its metric: a code, or the number of a duration's bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Code(Box<str>),
    Duration(u32),
}

const UPSERT: &str = "INSERT INTO operations_buckets VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count";
const PRUNE: &str = "DELETE FROM operations_buckets WHERE grain = ? AND start < ?";
const NEWEST: &str = "SELECT max(start) FROM operations_buckets WHERE grain = ?";

/// Counts gathered until they are written.
pub(super) struct Buckets {
    /// The counts of each minute; there are few of a minute.
    minutes: BTreeMap<i64, Vec<(Metric, Key, u64)>>,
    /// How many there are in all.
    len: usize,
    keep: [(Grain, Duration); 2],
}

impl Buckets {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            minutes: BTreeMap::new(),
            len: 0,
            keep: [
                (Grain::Minute, options.keep_minutes),
                (Grain::Hour, options.keep_hours),
            ],
        }
    }

    /// How many counts are in memory.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Counts something that happened at `at`.
    pub(super) fn add(&mut self, at: Timestamp, metric: Metric, code: &str, count: u64) {
        let same = |key: &Key| matches!(key, Key::Code(known) if **known == *code);
        self.count(at, metric, count, same, || Key::Code(code.into()));
    }

    /// Counts something that took from one moment to another.
    pub(super) fn took(&mut self, metric: Metric, from: Timestamp, to: Timestamp) {
        let millis = u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX);
        let bucket = bucket_of(millis);
        let same = |key: &Key| *key == Key::Duration(bucket);
        self.count(to, metric, 1, same, || Key::Duration(bucket));
    }

    fn count(
        &mut self,
        at: Timestamp,
        metric: Metric,
        count: u64,
        same: impl Fn(&Key) -> bool,
        key: impl FnOnce() -> Key,
    ) {
        let counts = self.minutes.entry(Grain::Minute.start_of(at)).or_default();
        let known = counts
            .iter_mut()
            .find(|(of, known, _)| *of == metric && same(known));
        match known {
            Some((_, _, sum)) => *sum = sum.saturating_add(count),
            None => {
                counts.push((metric, key(), count));
                self.len += 1;
            }
        }
    }

    /// Writes what was counted, but for what is too old to be kept.
    pub(super) fn write(&mut self, tables: &Connection) -> rusqlite::Result<()> {
        let Some((newest, _)) = self.minutes.last_key_value() else {
            return Ok(());
        };
        let newest = Timestamp::from_millis(*newest);
        for (grain, keep) in self.keep {
            let stored: Option<i64> = tables
                .prepare_cached(NEWEST)?
                .query_row([grain.millis()], |row| row.get(0))?;
            let newest = grain.start_of(newest).max(stored.unwrap_or(i64::MIN));
            let oldest = Timestamp::from_millis(newest).minus(keep).as_millis();
            self.write_grain(tables, grain, oldest)?;
            let mut prune = tables.prepare_cached(PRUNE)?;
            prune.execute([grain.millis(), oldest])?;
        }
        self.forget();
        Ok(())
    }

    /// Writes each row once, however many minutes went into it, in the table's order.
    fn write_grain(&self, tables: &Connection, grain: Grain, oldest: i64) -> rusqlite::Result<()> {
        let mut sums: BTreeMap<(i64, &str, &Key), u64> = BTreeMap::new();
        for (minute, counts) in self.minutes.range(oldest..) {
            let start = grain.start_of(Timestamp::from_millis(*minute));
            if start < oldest {
                continue;
            }
            for (metric, key, count) in counts {
                let sum = sums.entry((start, metric.as_str(), key)).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        let mut upsert = tables.prepare_cached(UPSERT)?;
        for ((start, metric, key), count) in sums {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let grain = grain.millis();
            match key {
                Key::Code(code) => upsert.execute(params![grain, start, metric, code, count])?,
                Key::Duration(bucket) => {
                    let bucket = bucket.to_string();
                    upsert.execute(params![grain, start, metric, bucket, count])?
                }
            };
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.minutes.clear();
        self.len = 0;
    }
}

/// Buckets per octave. Bucket 0 is less than a millisecond.
const PER_OCTAVE: f64 = 5.0;

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "between 0 and 321, from a value whose last digits don't matter"
)]
fn bucket_of(millis: u64) -> u32 {
    if millis == 0 {
        return 0;
    }
    ((millis as f64).log2() * PER_OCTAVE).floor() as u32 + 1
}

/// The longest duration that falls into a bucket.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, which is right for the last bucket"
)]
fn upper_end(bucket: u32) -> u64 {
    if bucket == 0 {
        return 0;
    }
    let next = (f64::from(bucket) / PER_OCTAVE).exp2();
    (next.ceil() as u64).saturating_sub(1)
}

/// Percentiles of durations counted by bucket.
pub(super) fn durations(buckets: &BTreeMap<u32, u64>) -> Durations {
    let count: u64 = buckets.values().sum();
    let at = |hundredths: u64| {
        let rank = count.saturating_mul(hundredths).div_ceil(100);
        let mut seen = 0;
        let reached = |number: &u64| {
            seen += number;
            seen >= rank
        };
        let mut reached = reached;
        let bucket = buckets.iter().find(|(_, number)| reached(number));
        bucket.map_or(0, |(bucket, _)| upper_end(*bucket))
    };
    Durations {
        count,
        p50_ms: at(50),
        p90_ms: at(90),
        p99_ms: at(99),
        max_ms: at(100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_a_bucket_not_much_wider_than_itself() {
        let mut last = 0;
        for millis in (0..5000).chain([60_000, 3_600_000, u64::from(u32::MAX)]) {
            let bucket = bucket_of(millis);
            let end = upper_end(bucket);
            assert!(bucket >= last, "{millis}");
            assert!(
                end >= millis && end <= millis + millis * 15 / 100 + 1,
                "{millis} {end}"
            );
            last = bucket;
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_durations() {
        let mut buckets = BTreeMap::new();
        for millis in 1..=1000 {
            *buckets.entry(bucket_of(millis)).or_default() += 1;
        }
        let durations = durations(&buckets);
        assert_eq!(durations.count, 1000);
        for (found, exact) in [
            (durations.p50_ms, 500),
            (durations.p90_ms, 900),
            (durations.p99_ms, 990),
            (durations.max_ms, 1000),
        ] {
            assert!(
                found >= exact && found <= exact * 115 / 100,
                "{found} {exact}"
            );
        }
        assert_eq!(super::durations(&BTreeMap::new()), Durations::default());
    }
}
