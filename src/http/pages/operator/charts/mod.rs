//! Charts, drawn here as SVG: no script, no style in the page, colours by class. The labels stand beside the drawing as
//! text, so that it can be stretched to any width and they can't.

mod scale;

use std::fmt::Write as _;

use carnet_events::ids::Timestamp;
use maud::{Markup, PreEscaped, html};

use self::scale::Scale;
pub(super) use self::scale::{Unit, millis};
use crate::http::pages::words::operator as words;

/// Units of the drawing's height.
const HEIGHT: u64 = 1_000;
/// Units of the drawing's width for each point.
const WIDTH: usize = 10;
/// Of which so many on both sides of a bar stay empty.
const GAP: usize = 1;
/// Times written below the drawing.
const TIMES: usize = 4;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A bar for each point; those of several series stand on each other.
    Bar,
    /// A filled level that lasts until the next point.
    Level,
    /// A line through the points that have a value.
    Line,
}

/// One thing over time.
pub(super) struct Series {
    /// Its name.
    pub(super) name: &'static str,
    /// The class that colours it.
    pub(super) class: &'static str,
    /// How it is drawn.
    pub(super) mark: Mark,
    /// Its value at each point; `None`: nothing was measured there.
    pub(super) values: Vec<Option<u64>>,
    /// How it is now.
    pub(super) newest: Option<u64>,
}

/// Some things over time.
pub(super) struct Chart {
    /// Unique in the page.
    pub(super) id: &'static str,
    /// What is shown.
    pub(super) title: &'static str,
    /// In words, what it comes to.
    pub(super) summary: String,
    /// What is counted.
    pub(super) unit: Unit,
    /// When each point begins.
    pub(super) times: Vec<Timestamp>,
    /// What is drawn, the last one on top.
    pub(super) series: Vec<Series>,
}

impl Chart {
    /// The drawing with its labels and legend.
    pub(super) fn drawing(&self) -> Markup {
        let scale = Scale::of(self.unit, self.highest());
        let width = self.times.len().max(1) * WIDTH;
        let title = format!("{}-title", self.id);
        html! {
            ul.legend {
                @for series in &self.series {
                    li class=(series.class) { (series.name) " " b { (self.newest(series)) } }
                }
            }
            div.plot {
                div.axis aria-hidden="true" { @for label in scale.labels() { span { (label) } } }
                svg viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-labelledby=(title) {
                    title id=(title) { (self.title) ". " (self.summary) }
                    (grid(scale, width))
                    @for (series, path) in self.series.iter().zip(self.paths(scale)) {
                        path.{ (class_of(series.mark)) " " (series.class) } d=(path) {}
                        @if series.mark == Mark::Line { path.{ "dot " (series.class) } d=(dots(scale, &series.values)) {} }
                    }
                    @for (index, _) in self.times.iter().enumerate() {
                        rect.hit x=(index * WIDTH) y="0" width=(WIDTH) height=(HEIGHT) { title { (self.tip(index)) } }
                    }
                }
            }
            div.times aria-hidden="true" {
                @for at in self.marked_times() { (clock(at)) }
            }
        }
    }

    /// The same as a table, newest first; points without anything are left out.
    pub(super) fn table(&self) -> Markup {
        let rows: Vec<usize> = (0..self.times.len())
            .rev()
            .filter(|index| self.has_something(*index))
            .collect();
        html! {
            @if rows.is_empty() {
                p.muted { (words::CHART_EMPTY) }
            } @else {
                table.figures {
                    thead { tr {
                        th scope="col" { (words::TIME) }
                        @for series in &self.series { th.number scope="col" { (series.name) } }
                    } }
                    tbody {
                        @for index in rows { tr {
                            th scope="row" { @if let Some(at) = self.times.get(index) { (clock(*at)) } }
                            @for series in &self.series { td.number { (self.show(series, index)) } }
                        } }
                    }
                }
            }
        }
    }

    fn has_something(&self, index: usize) -> bool {
        let some = |series: &Series| value(series, index).is_some_and(|value| value > 0);
        self.series.iter().any(some)
    }

    /// The highest thing that is drawn: bars stand on each other.
    fn highest(&self) -> u64 {
        let bars = (0..self.times.len()).map(|index| {
            let bars = self.series.iter().filter(|one| one.mark == Mark::Bar);
            bars.fold(0, |sum: u64, one| {
                sum.saturating_add(value(one, index).unwrap_or(0))
            })
        });
        let single = self
            .series
            .iter()
            .flat_map(|one| one.values.iter().copied().flatten());
        bars.chain(single).max().unwrap_or(0)
    }

    fn newest(&self, series: &Series) -> String {
        let newest = series.newest;
        newest.map_or_else(|| "–".to_owned(), |value| scale::show(self.unit, value))
    }

    fn show(&self, series: &Series, index: usize) -> String {
        let value = value(series, index);
        value.map_or_else(|| "–".to_owned(), |value| scale::show(self.unit, value))
    }

    fn tip(&self, index: usize) -> String {
        let at = self.times.get(index).map(ToString::to_string);
        let mut tip = at
            .unwrap_or_default()
            .get(11..16)
            .unwrap_or_default()
            .to_owned();
        tip.push_str(" UTC");
        for series in &self.series {
            let _ = write!(tip, " · {} {}", series.name, self.show(series, index));
        }
        tip
    }

    fn marked_times(&self) -> impl Iterator<Item = Timestamp> {
        let last = self.times.len().saturating_sub(1);
        (0..=TIMES).filter_map(move |number| self.times.get(last * number / TIMES).copied())
    }

    fn paths(&self, scale: Scale) -> Vec<String> {
        let mut below = vec![0_u64; self.times.len()];
        let path = |series: &Series| match series.mark {
            Mark::Bar => bars(scale, &series.values, &mut below),
            Mark::Level => level(scale, &series.values),
            Mark::Line => line(scale, &series.values),
        };
        self.series.iter().map(path).collect()
    }
}

fn value(series: &Series, index: usize) -> Option<u64> {
    series.values.get(index).copied().flatten()
}

fn class_of(mark: Mark) -> &'static str {
    match mark {
        Mark::Bar => "bar",
        Mark::Level => "level",
        Mark::Line => "line",
    }
}

fn grid(scale: Scale, width: usize) -> Markup {
    let mut path = String::new();
    for number in 0..=scale.steps() {
        let y = HEIGHT - HEIGHT * number / scale.steps().max(1);
        let _ = write!(path, "M0 {y}H{width}");
    }
    html! { path.grid d=(PreEscaped(path)) {} }
}

/// Bars that stand on what is `below` them, and are below what comes next.
fn bars(scale: Scale, values: &[Option<u64>], below: &mut [u64]) -> String {
    let mut path = String::new();
    for (index, (value, below)) in values.iter().zip(below).enumerate() {
        let Some(value) = value.filter(|value| *value > 0) else {
            continue;
        };
        let from = HEIGHT - scale.part(*below, HEIGHT);
        *below = below.saturating_add(value);
        let to = HEIGHT - scale.part(*below, HEIGHT);
        let (x, width) = (index * WIDTH + GAP, WIDTH - 2 * GAP);
        let _ = write!(path, "M{x} {from}V{to}h{width}V{from}Z");
    }
    path
}

fn level(scale: Scale, values: &[Option<u64>]) -> String {
    let mut path = format!("M0 {HEIGHT}");
    for (index, value) in values.iter().enumerate() {
        let y = HEIGHT - scale.part(value.unwrap_or(0), HEIGHT);
        let _ = write!(path, "V{y}H{}", (index + 1) * WIDTH);
    }
    let _ = write!(path, "V{HEIGHT}Z");
    path
}

/// Points without neighbours, which no line shows: lines to themselves, which round ends make dots.
fn dots(scale: Scale, values: &[Option<u64>]) -> String {
    let at = |index: usize| values.get(index).copied().flatten();
    let mut path = String::new();
    for (index, value) in values.iter().enumerate() {
        let alone = index.checked_sub(1).and_then(at).is_none() && at(index + 1).is_none();
        if let Some(value) = value.filter(|_| alone) {
            let (x, y) = (
                index * WIDTH + WIDTH / 2,
                HEIGHT - scale.part(value, HEIGHT),
            );
            let _ = write!(path, "M{x} {y}h0");
        }
    }
    path
}

/// A line that ends where nothing was measured.
fn line(scale: Scale, values: &[Option<u64>]) -> String {
    let mut path = String::new();
    let mut drawing = false;
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else {
            drawing = false;
            continue;
        };
        let x = index * WIDTH + WIDTH / 2;
        let y = HEIGHT - scale.part(*value, HEIGHT);
        let _ = match drawing {
            true => write!(path, "L{x} {y}"),
            false => write!(path, "M{x} {y}h0"),
        };
        drawing = true;
    }
    path
}

/// A moment of today: scripts show it in the viewer's zone.
pub(super) fn clock(at: Timestamp) -> Markup {
    let exact = at.to_string();
    html! { time datetime=(exact) data-clock { (exact.get(11..16).unwrap_or_default()) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: Vec<Option<u64>>, mark: Mark) -> Chart {
        let times = (0..values.len())
            .map(|minute| Timestamp::from_millis(minute as i64 * 60_000))
            .collect();
        let series = |name| Series {
            name,
            class: "good",
            mark,
            values: values.clone(),
            newest: values.last().copied().flatten(),
        };
        Chart {
            id: "test",
            title: "Test",
            summary: "<b>".to_owned(),
            unit: Unit::Count,
            times,
            series: vec![series("one"), series("two")],
        }
    }

    #[test]
    fn a_chart_without_points_is_drawn_all_the_same() {
        for mark in [Mark::Bar, Mark::Level, Mark::Line] {
            let empty = chart(vec![], mark);
            assert!(empty.drawing().into_string().contains("<svg"));
            assert!(empty.table().into_string().contains(words::CHART_EMPTY));
        }
    }

    #[test]
    fn one_point_is_seen_whichever_way_it_is_drawn() {
        let paths = |mark| chart(vec![Some(4)], mark).paths(Scale::of(Unit::Count, 4));
        assert_eq!(paths(Mark::Line)[0], "M5 0h0");
        assert_eq!(paths(Mark::Level)[0], "M0 1000V0H10V1000Z");
        let stacked = chart(vec![Some(2)], Mark::Bar).paths(Scale::of(Unit::Count, 4));
        assert_eq!(stacked, ["M1 1000V500h8V1000Z", "M1 500V0h8V500Z"]);
    }

    #[test]
    fn huge_values_stay_within_the_drawing() {
        for mark in [Mark::Bar, Mark::Level, Mark::Line] {
            let huge = chart(vec![Some(u64::MAX), None, Some(0)], mark);
            let drawing = huge.drawing().into_string();
            assert!(!drawing.contains("-1"), "{drawing}");
        }
    }

    #[test]
    fn a_line_has_a_gap_where_nothing_was_measured() {
        let gap = chart(vec![Some(1), None, Some(1)], Mark::Line);
        let path = gap.paths(Scale::of(Unit::Count, 1)).remove(0);
        assert_eq!(path, "M5 0h0M25 0h0");
    }

    #[test]
    fn what_is_said_is_escaped() {
        let drawing = chart(vec![Some(1)], Mark::Line).drawing().into_string();
        assert!(drawing.contains("&lt;b&gt;") && !drawing.contains("<b>\""));
    }
}
