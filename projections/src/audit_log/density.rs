//! How a query's entries lie in time: for a small bar chart.

use std::time::Duration;

use carnet_events::ids::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

use super::AuditQuery;
use super::counts::{DAY, Span, start_of};
use super::scan::{Group, Narrow, Scan, Scope};
use crate::Error;

/// The most bars of [`AuditDensity`].
pub const MAX_BARS: u32 = 96;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const WEEK: i64 = 7 * DAY;

/// How wide a bar can be: minutes, quarters, hours, days, weeks, months and quarters of weeks, years of 52 weeks.
const WIDTHS: [i64; 10] = [
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    HOUR,
    6 * HOUR,
    DAY,
    WEEK,
    4 * WEEK,
    13 * WEEK,
    52 * WEEK,
];

/// How a query's entries lie in time.
///
/// The bars follow each other without a gap, oldest first, empty ones included. They begin at whole minutes, hours, days
/// or weeks (UTC; weeks on Mondays), but the first and the last are cut to the range asked for, so that asking for a
/// bar's own range finds the entries counted in it. Without `from` or `to`, or when that is further away than bars of a
/// year reach, the range ends at the oldest or newest entry of the tenant (or of the export, if one is asked for).
///
/// Bars of a day or more come from counts kept per day and type, unless a person or an export is asked for; all others from
/// the entries. At most 200,000 rows are looked at; where that is not enough for narrow bars, they become days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AuditDensity {
    /// Length of a bar that isn't cut, in milliseconds: a minute, 5 or 15 minutes, an hour, 6 hours, a day, a week, 4, 13
    /// or 52 weeks.
    pub width_ms: u64,
    /// The bars; none when there are no entries to take a range from, or the range is empty.
    pub bars: Vec<AuditBar>,
    /// `None`: everything is counted. Otherwise bars before this moment are "at least".
    pub counted_since: Option<Timestamp>,
}

impl AuditDensity {
    /// Length of a bar that isn't cut.
    #[must_use]
    pub fn width(&self) -> Duration {
        Duration::from_millis(self.width_ms)
    }
}

/// Entries of a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AuditBar {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end, which is not in it.
    pub to: Timestamp,
    /// Entries in it.
    pub count: u64,
}

pub(super) fn density(
    tables: &Connection,
    query: &AuditQuery,
    most: u32,
) -> Result<AuditDensity, Error> {
    let Some(mut scope) = Scope::of(tables, query)? else {
        return Ok(AuditDensity::default());
    };
    let Some((oldest, newest)) = scope.ends(tables)? else {
        return Ok(AuditDensity::default());
    };
    let most = i64::from(most.clamp(2, MAX_BARS));
    let after = newest.saturating_add(1);
    let mut to = query.to.map_or(after, |_| scope.to);
    let mut from = query.from.map_or(oldest, |_| scope.from);
    let longest = (most - 1).saturating_mul(52 * WEEK);
    if to.saturating_sub(from) > longest {
        to = to.min(after);
        from = from.max(oldest).max(to.saturating_sub(longest));
    }
    if from >= to {
        return Ok(AuditDensity::default());
    }
    (scope.from, scope.to) = (from, to);
    let fits = |width: &&i64| Chart::bars_of(from, to, **width) <= most;
    let width = WIDTHS.iter().find(fits).copied().unwrap_or(52 * WEEK);
    let (chart, ended) = count(tables, &scope, width)?;
    let (chart, ended) = match ended {
        Some(_) if width < DAY && scope.has_counts() => count(tables, &scope, DAY)?,
        _ => (chart, ended),
    };
    Ok(AuditDensity {
        width_ms: chart.width.unsigned_abs(),
        bars: chart.bars(from, to),
        counted_since: ended.map(Timestamp::from_millis),
    })
}

fn count(tables: &Connection, scope: &Scope, width: i64) -> Result<(Chart, Option<i64>), Error> {
    let mut chart = Chart::new(scope.from, scope.to, width);
    let mut scan = Scan::new(tables, scope, Narrow::Fully);
    let visit = |group: &Group| {
        if scope.is_type(group) && scope.is_person(group) {
            chart.add(group);
        }
    };
    match width < DAY || scope.has_person() {
        true => scan.entries(scope.from, scope.to, visit)?,
        false => scan.spans(Span::Day, visit)?,
    }
    let ended = scan.ended;
    Ok((chart, ended))
}

/// Bars while they are counted.
struct Chart {
    width: i64,
    /// Beginning of the first bar.
    first: i64,
    counts: Vec<u64>,
}

impl Chart {
    fn new(from: i64, to: i64, width: i64) -> Self {
        let bars = Self::bars_of(from, to, width).clamp(1, MAX_BARS.into());
        Self {
            width,
            first: start_of(from, width),
            counts: vec![0; usize::try_from(bars).unwrap_or(1)],
        }
    }

    /// How many bars a range takes.
    fn bars_of(from: i64, to: i64, width: i64) -> i64 {
        let last = start_of(to.saturating_sub(1), width);
        last.saturating_sub(start_of(from, width)) / width + 1
    }

    fn add(&mut self, group: &Group) {
        let bar = group.at.saturating_sub(self.first).div_euclid(self.width);
        let bar = usize::try_from(bar).unwrap_or(0);
        if let Some(count) = self.counts.get_mut(bar) {
            *count += group.count;
        }
    }

    fn bars(&self, from: i64, to: i64) -> Vec<AuditBar> {
        let numbered = (0_i64..).zip(&self.counts);
        let bar = |(number, count): (i64, &u64)| {
            let begin = self.first.saturating_add(number.saturating_mul(self.width));
            let end = begin.saturating_add(self.width);
            AuditBar {
                from: Timestamp::from_millis(begin.max(from)),
                to: Timestamp::from_millis(end.min(to)),
                count: *count,
            }
        };
        numbered.map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_begin_at_whole_spans_and_weeks_on_mondays() {
        // 2026-11-21 12:34:56.789, a Saturday.
        let at = 1_795_264_496_789;
        let begins = WIDTHS.map(|width| Timestamp::from_millis(start_of(at, width)).to_string());
        assert_eq!(
            begins[..7],
            [
                "2026-11-21T12:34:00.000Z",
                "2026-11-21T12:30:00.000Z",
                "2026-11-21T12:30:00.000Z",
                "2026-11-21T12:00:00.000Z",
                "2026-11-21T12:00:00.000Z",
                "2026-11-21T00:00:00.000Z",
                "2026-11-16T00:00:00.000Z",
            ]
        );
    }

    #[test]
    fn the_bars_of_a_range_cover_it_and_nothing_else() {
        for (from, to) in [(0, 1), (0, MINUTE), (-5, 5), (123_456, 987_654_321)] {
            for width in WIDTHS {
                let number = Chart::bars_of(from, to, width);
                if number > MAX_BARS.into() {
                    continue;
                }
                let bars = Chart::new(from, to, width).bars(from, to);
                assert_eq!(bars.len() as i64, number);
                assert_eq!(bars[0].from.as_millis(), from);
                assert_eq!(bars[bars.len() - 1].to.as_millis(), to);
                assert!(bars.windows(2).all(|pair| pair[0].to == pair[1].from));
                assert!(bars.iter().all(|bar| bar.from < bar.to));
            }
        }
    }
}
