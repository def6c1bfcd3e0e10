//! How entries lie in time: bars that are links. Drawn here, so that it works without a script and says in words what
//! it shows.

use carnet_events::ids::Timestamp;
use carnet_projections::audit_log::{AuditBar, AuditDensity};
use maud::{Markup, html};

use super::super::units::grouped;
use super::super::words::audit as words;
use super::filter::Filter;
use super::show;

/// As many bars as stand apart on a phone.
pub(super) const BARS: u32 = 60;

/// A young log's few bars stand at the right of as much room as this many take, so that a single one is no wall.
const LEAST_BARS: usize = 30;

/// The drawing's own units; it is stretched to the width there is.
const WIDTH: u64 = 960;
const HEIGHT: u64 = 72;
/// The least that something is drawn as, so that one entry among thousands is seen.
const LEAST: u64 = 3;
const DAY_MS: u64 = 86_400_000;

/// The chart, with the same figures as a table for those who can't see it.
pub(super) fn chart(filter: &Filter, density: &AuditDensity) -> Markup {
    let bars = &density.bars;
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        return html! {};
    };
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(0);
    let is_ranged = filter.query.from.is_some() || filter.query.to.is_some();
    let least = if is_ranged { 1 } else { LEAST_BARS };
    let slots = bars.len().max(least) as u64;
    let empty = slots - bars.len() as u64;
    let begin = first
        .from
        .minus(density.width() * u32::try_from(empty).unwrap_or(0));
    let whole = filter.with(|query| (query.from, query.to) = (None, None));
    let width = words::span(density.width());
    html! {
        section.density aria-label=(words::DENSITY) {
            p.label {
                (words::DENSITY) ", " (words::each_bar(&width)) " · " (words::at_most(&grouped(most)))
                @if is_ranged { " · " a href=(whole) { (words::WIDEN) } }
            }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="group" aria-label=(words::DENSITY) {
                line x1="0" y1=(HEIGHT) x2=(WIDTH) y2=(HEIGHT) {}
                @for (at, bar) in (empty..).zip(bars) {
                    @if bar.count > 0 { (drawn(filter, density, bar, (at, slots), most)) }
                }
            }
            p.axis {
                span { (label(density, begin)) }
                span { (label(density, last.to)) }
            }
            details {
                summary { (words::AS_TABLE) }
                table.counts {
                    thead { tr { th scope="col" { (words::FROM) } th.number scope="col" { (words::ENTRIES_COLUMN) } } }
                    tbody {
                        @for bar in bars.iter().filter(|bar| bar.count > 0) {
                            tr { td { a href=(range(filter, bar)) { (show::time(bar.from)) } } td.number { (grouped(bar.count)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A bar over its whole height is the link, so that a short one can be hit too.
fn drawn(
    filter: &Filter,
    density: &AuditDensity,
    bar: &AuditBar,
    (at, slots): (u64, u64),
    most: u64,
) -> Markup {
    let (left, right) = (at * WIDTH / slots, (at + 1) * WIDTH / slots);
    let width = (right - left).saturating_sub(2).max(1);
    let height = (bar.count * HEIGHT / most.max(1)).max(LEAST);
    let says = format!(
        "{}: {}",
        label(density, bar.from),
        words::entries(&grouped(bar.count), bar.count)
    );
    html! {
        a href=(range(filter, bar)) aria-label=(says) {
            title { (says) }
            rect.reach x=(left) y="0" width=(right - left) height=(HEIGHT) {}
            rect.bar x=(left + 1) y=(HEIGHT - height) width=(width) height=(height) {}
        }
    }
}

/// The page with the time of a bar.
fn range(filter: &Filter, bar: &AuditBar) -> String {
    filter.with(|query| (query.from, query.to) = (Some(bar.from), Some(bar.to)))
}

/// A moment in UTC, as exact as bars of this width need.
fn label(density: &AuditDensity, at: Timestamp) -> String {
    let text = show::plain(&at.to_string());
    let digits = if density.width_ms >= DAY_MS { 10 } else { 16 };
    text.get(..digits).unwrap_or(&text).to_owned()
}
