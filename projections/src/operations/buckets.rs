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

/// The counts of a minute or an hour; there are few of each.
type Counts = Vec<(Metric, Key, u64)>;

/// Counts gathered until they are written.
pub(super) struct Buckets {
    minutes: BTreeMap<i64, Counts>,
    /// Those of minutes too old to be kept, by hour.
    hours: BTreeMap<i64, Counts>,
    /// How many there are in all.
    len: usize,
    keep: [(Grain, Duration); 2],
}

impl Buckets {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            minutes: BTreeMap::new(),
            hours: BTreeMap::new(),
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
        self.len += usize::from(add(counts, metric, count, same, key));
    }

    /// Lets go of what is too old to be kept, reckoned from the newest: of minutes only their hours are left. While history
    /// is read that is nearly all, and none of it is written only to be taken away again.
    pub(super) fn age(&mut self) {
        let Some((newest, _)) = self.minutes.last_key_value() else {
            return;
        };
        let newest = Timestamp::from_millis(*newest);
        let [oldest_minute, oldest_hour] = self.keep.map(|(grain, keep)| {
            let newest = Timestamp::from_millis(grain.start_of(newest));
            newest.minus(keep).as_millis()
        });
        while let Some(first) = self.minutes.first_entry()
            && *first.key() < oldest_minute
        {
            let (minute, counts) = first.remove_entry();
            self.len -= counts.len();
            let hour = Grain::Hour.start_of(Timestamp::from_millis(minute));
            let known = self.hours.entry(hour).or_default();
            for (metric, key, count) in counts {
                let same = |known: &Key| *known == key;
                self.len += usize::from(add(known, metric, count, same, || key.clone()));
            }
        }
        while let Some(first) = self.hours.first_entry()
            && *first.key() < oldest_hour
        {
            self.len -= first.remove().len();
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
        let aged = self.hours.iter().filter(|_| grain == Grain::Hour);
        for (start, counts) in self.minutes.range(oldest..).chain(aged) {
            let start = grain.start_of(Timestamp::from_millis(*start));
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
        self.hours.clear();
        self.len = 0;
    }
}

/// Adds to a count, and says whether it is new.
fn add(
    counts: &mut Counts,
    metric: Metric,
    count: u64,
    same: impl Fn(&Key) -> bool,
    key: impl FnOnce() -> Key,
) -> bool {
    let known = counts
        .iter_mut()
        .find(|(of, known, _)| *of == metric && same(known));
    match known {
        Some((_, _, sum)) => {
            *sum = sum.saturating_add(count);
            false
        }
        None => {
            counts.push((metric, key(), count));
            true
        }
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
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::tests::plans::tables;

    fn rows(tables: &Connection) -> Vec<(i64, i64, String, String, i64)> {
        let all = "SELECT * FROM operations_buckets ORDER BY 1, 2, 3, 4";
        let mut select = tables.prepare(all).unwrap();
        let rows = select.query_map([], |row| {
            let what = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((row.get(0)?, row.get(1)?, what.0, what.1, what.2))
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn what_was_let_go_while_it_was_counted_is_what_would_not_have_been_written() {
        let options = Options {
            keep_minutes: Duration::from_secs(90 * 60),
            keep_hours: Duration::from_secs(5 * 3600),
            ..Options::new("unused")
        };
        let (aged, whole) = (tables(), tables());
        let (mut aging, mut hoarding) = (Buckets::new(&options), Buckets::new(&options));
        for step in 0..600_i64 {
            // Two minutes on with every step; every tenth event is told of three hours late.
            let late = if step % 10 == 9 { 3 * 3_600_000 } else { 0 };
            let at = Timestamp::from_millis(1_790_000_000_000 + step * 120_000 - late);
            let code = ["a", "b"][usize::from(step % 3 == 0)];
            for buckets in [&mut aging, &mut hoarding] {
                buckets.add(at, Metric::Refused, code, 1);
                buckets.took(Metric::Ran, at, at.plus(Duration::from_millis(7)));
            }
            aging.age();
            if step == 300 {
                aging.write(&aged).unwrap();
                hoarding.write(&whole).unwrap();
            }
        }
        assert!(aging.len() < hoarding.len() / 2);
        aging.write(&aged).unwrap();
        hoarding.write(&whole).unwrap();
        assert_eq!((aging.len(), hoarding.len()), (0, 0));
        let rows_of_aged = rows(&aged);
        assert!(rows_of_aged.len() > 20);
        assert_eq!(rows_of_aged, rows(&whole));
    }

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
