//! The charts: what happened and how long it took.

use std::collections::BTreeMap;

use carnet_events::ids::Timestamp;
use carnet_projections::operations::{DepthPoint, SeriesPoint};

use crate::http::pages::operator::charts::{Chart, Mark, Series, Unit, millis};
use crate::http::pages::operator::now::Now;
use crate::http::pages::words::operator as words;

/// The charts' ids and titles.
pub(in crate::http::pages::operator) const CHARTS: [(&str, &str, &str); 3] = [
    ("depth", "depth-table", words::DEPTH),
    ("throughput", "throughput-table", words::THROUGHPUT),
    ("durations", "durations-table", words::DURATIONS),
];

/// Where the table of a chart stands.
pub(super) fn table_of(id: &str) -> &'static str {
    let chart = CHARTS.iter().find(|(chart, _, _)| *chart == id);
    chart.map_or("", |(_, table, _)| table)
}

pub(super) fn charts(now: &Now) -> Vec<Chart> {
    let times = now.range.times(now.at);
    let (depth, series): (&[DepthPoint], &[SeriesPoint]) = match &now.figures {
        Some(figures) => (&figures.depth, &figures.series),
        None => (&[], &[]),
    };
    vec![
        of_depth(&times, depth),
        of_throughput(&times, series),
        of_durations(&times, series),
    ]
}

/// Levels last until the next point, so what is shown of a point is the most there was in it.
fn of_depth(times: &[Timestamp], points: &[DepthPoint]) -> Chart {
    let mut points = points.iter().peekable();
    let mut level = (0, 0);
    let (mut queued, mut running) = (Vec::new(), Vec::new());
    for at in times {
        let mut most = level;
        while let Some(point) = points.next_if(|point| point.at <= *at) {
            most = (point.queued_max, point.running_max);
            level = (point.queued, point.running);
        }
        queued.push(Some(most.0));
        running.push(Some(most.1));
    }
    let most = queued.iter().copied().flatten().max().unwrap_or(0);
    Chart {
        id: "depth",
        title: words::DEPTH,
        summary: words::depth_summary(level.0, level.1, most),
        unit: Unit::Count,
        times: times.to_vec(),
        series: vec![
            Series {
                newest: Some(level.0),
                ..series(words::QUEUED, "of-queued", Mark::Level, queued)
            },
            Series {
                newest: Some(level.1),
                ..series(words::RUNNING, "of-running", Mark::Line, running)
            },
        ],
    }
}

fn of_throughput(times: &[Timestamp], points: &[SeriesPoint]) -> Chart {
    let by_time = by_time(points);
    let of = |count: fn(&SeriesPoint) -> u64| -> Vec<Option<u64>> {
        let at = |at| Some(by_time.get(at).map_or(0, |point| count(point)));
        times.iter().map(at).collect()
    };
    let admitted = of(|point| point.admitted);
    let (completed, failed) = (of(|point| point.completed), of(|point| point.failed));
    let sum = |values: &[Option<u64>]| values.iter().flatten().sum();
    Chart {
        id: "throughput",
        title: words::THROUGHPUT,
        summary: words::throughput_summary(sum(&admitted), sum(&completed), sum(&failed)),
        unit: Unit::Count,
        times: times.to_vec(),
        series: vec![
            series(words::COMPLETED, "of-completed", Mark::Bar, completed),
            series(words::FAILED, "of-failed", Mark::Bar, failed),
            series(words::ADMITTED, "of-admitted", Mark::Line, admitted),
        ],
    }
}

fn of_durations(times: &[Timestamp], points: &[SeriesPoint]) -> Chart {
    let by_time = by_time(points);
    let of = |length: fn(&SeriesPoint) -> u64| -> Vec<Option<u64>> {
        let at = |at| {
            let point: Option<&&SeriesPoint> = by_time.get(at);
            let point = point.filter(|point| point.total.count > 0);
            point.map(|point| length(point))
        };
        times.iter().map(at).collect()
    };
    let (p50, p90) = (
        of(|point| point.total.p50_ms),
        of(|point| point.total.p90_ms),
    );
    let measured = points.iter().map(|point| point.total.count).sum();
    let most = |values: &[Option<u64>]| millis(values.iter().copied().flatten().max().unwrap_or(0));
    Chart {
        id: "durations",
        title: words::DURATIONS,
        summary: words::durations_summary(measured, &most(&p50), &most(&p90)),
        unit: Unit::Millis,
        times: times.to_vec(),
        series: vec![
            series(words::P90, "of-p90", Mark::Line, p90),
            series(words::P50, "of-p50", Mark::Line, p50),
        ],
    }
}

fn by_time(points: &[SeriesPoint]) -> BTreeMap<Timestamp, &SeriesPoint> {
    points.iter().map(|point| (point.at, point)).collect()
}

fn series(name: &'static str, class: &'static str, mark: Mark, values: Vec<Option<u64>>) -> Series {
    Series {
        name,
        class,
        mark,
        newest: values.last().copied().flatten(),
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    #[test]
    fn the_depth_lasts_until_it_changes_and_shows_the_most_of_each_minute() {
        let point = |minute, queued, queued_max| DepthPoint {
            at: at(minute),
            queued,
            queued_max,
            ..DepthPoint::default()
        };
        let times: Vec<Timestamp> = (0..5).map(at).collect();
        let chart = of_depth(&times, &[point(1, 2, 7), point(3, 1, 2), point(4, 0, 9)]);
        let queued: Vec<u64> = chart.series[0].values.iter().copied().flatten().collect();
        assert_eq!(queued, [0, 7, 2, 2, 9]);
        assert_eq!(chart.series[0].newest, Some(0));
    }

    #[test]
    fn durations_have_gaps_where_nothing_was_completed() {
        let mut point = SeriesPoint {
            at: at(1),
            ..SeriesPoint::default()
        };
        point.total.count = 1;
        point.total.p50_ms = 40;
        let times: Vec<Timestamp> = (0..3).map(at).collect();
        let chart = of_durations(&times, &[point]);
        assert_eq!(chart.series[1].values, [None, Some(40), None]);
    }
}
