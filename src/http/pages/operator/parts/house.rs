//! Nodes, event store and projections, storages, and what operators switched.

use carnet_events::domain::tenant::LimitKind;
use carnet_projections::{ProjectionStatus, RunState};
use maud::{Markup, html};

use super::{node_name, state, tenant_link};
use crate::export::StorageView;
use crate::http::pages::operator::now::{Figures, Now};
use crate::http::pages::units::{ago, grouped, time};
use crate::http::pages::words::operator as words;

pub(super) fn nodes(now: &Now, figures: &Figures) -> Markup {
    if figures.nodes.is_empty() {
        return html! { p.muted { (words::NO_NODES) } };
    }
    html! {
        table.stacked {
            thead { tr {
                th scope="col" { (words::NODE) } th scope="col" { (words::STATUS) } th.number scope="col" { (words::RUNNING) }
                th scope="col" { (words::LAST_WROTE) } th scope="col" { (words::SERVES_SINCE) } th scope="col" { (words::VERSION) }
                th scope="col" { (words::INCARNATION) } th scope="col" { span.visually-hidden { (words::ACTION) } }
            } }
            tbody { @for node in &figures.nodes { tr {
                td data-label=(words::NODE) {
                    (node_name(node.node)) @if node.node == now.node { " " span.muted { (words::THIS_NODE) } }
                }
                td data-label=(words::STATUS) {
                    @if node.is_draining() { (state("warn", words::DRAINING)) } @else { (state("completed", words::WORKING)) }
                    @if let Some(since) = node.drained_since { " " (ago(since)) }
                }
                td.number data-label=(words::RUNNING) { (grouped(node.running)) }
                td data-label=(words::LAST_WROTE) { (node.alive_at.map_or(html! { "–" }, ago)) }
                td data-label=(words::SERVES_SINCE) { (node.started_at.map_or(html! { "–" }, ago)) }
                td data-label=(words::VERSION) { (node.version.as_deref().unwrap_or("–")) }
                td.mono data-label=(words::INCARNATION) {
                    @if let Some(incarnation) = node.incarnation.map(|id| id.to_string()) {
                        span title=(incarnation) { (incarnation.get(..8).unwrap_or_default()) }
                    } @else { "–" }
                }
                td.act {
                    a.button.small #{ "drain-" (node.node) } href={ "/operator/act/" (if node.is_draining() { "undrain" } else { "drain" }) "?node=" (node.node) } {
                        @if node.is_draining() { (words::UNDRAIN) } @else { (words::DRAIN) }
                    }
                }
            } } }
        }
        p.hint { (words::IDLE_HINT) }
    }
}

pub(super) fn history(now: &Now) -> Markup {
    let store = now.checks.get("store");
    html! {
        table.stacked {
            thead { tr {
                th scope="col" { (words::PROJECTION) } th scope="col" { (words::STATUS) } th.number scope="col" { (words::POSITION) }
                th.number scope="col" { (words::LAG) } th.number scope="col" { (words::EVENTS) }
                th scope="col" { span.visually-hidden { (words::ACTION) } }
            } }
            tbody {
                tr {
                    td data-label=(words::PROJECTION) { (words::STORE) }
                    td data-label=(words::STATUS) {
                        @if let Some(Some(_)) = store { (state("failed", words::UNWRITABLE)) } @else { (state("completed", words::WRITABLE)) }
                    }
                    td.number data-label=(words::POSITION) {
                        @if let Some(last) = now.projections.last_position { (last) } @else { "–" }
                    }
                    td.number data-label=(words::LAG) { "–" } td.number data-label=(words::EVENTS) { "–" } td.act {}
                }
                @for one in &now.projections.projections { (projection(one)) }
            }
        }
    }
}

fn projection(one: &ProjectionStatus) -> Markup {
    let name = one.name.as_str();
    let (class, word) = match &one.state {
        RunState::Live => ("completed", words::LIVE),
        RunState::CatchingUp => ("running", words::CATCHING_UP),
        RunState::Stopped { .. } => ("failed", words::STOPPED),
    };
    html! {
        tr {
            td.mono data-label=(words::PROJECTION) { (name) }
            td data-label=(words::STATUS) {
                (state(class, word))
                @if let Some(rebuilding) = &one.rebuilding {
                    div { (state("running", words::REBUILDING)) " " span.muted { (words::rebuilt(rebuilding.events, one.events)) } }
                    progress max=(one.events.max(1)) value=(rebuilding.events.min(one.events)) aria-label=(words::REBUILDING) {}
                } @else if let Some(why) = &one.rebuild_failed {
                    div.muted { (words::not_rebuilt(why)) }
                }
            }
            td.number data-label=(words::POSITION) { @if let Some(at) = one.position { (at) } @else { "–" } }
            td.number data-label=(words::LAG) { (words::lag(one.lag_events)) }
            td.number data-label=(words::EVENTS) { (grouped(one.events)) }
            td.act {
                @if one.rebuilding.is_none() {
                    a.button.small #{ "rebuild-" (name) } href={ "/operator/act/rebuild?projection=" (name) } { (words::REBUILD) }
                }
            }
        }
    }
}

pub(super) fn storages(now: &Now) -> Markup {
    html! {
        table.stacked {
            thead { tr {
                th scope="col" { (words::STORAGE) } th scope="col" { (words::STATUS) } th scope="col" { (words::LAST_TRIED) }
            } }
            tbody { @for storage in &now.storages { tr {
                td.mono data-label=(words::STORAGE) { (storage.key) }
                td data-label=(words::STATUS) { (storage_state(storage)) }
                td data-label=(words::LAST_TRIED) { (storage.tried_at.map_or(html! { "–" }, ago)) }
            } } }
        }
    }
}

fn storage_state(storage: &StorageView) -> Markup {
    match (&storage.problem, storage.tried_at) {
        (Some(problem), _) => html! {
            (state("failed", words::BROKEN_STORAGE)) div.hint { (problem) }
        },
        (None, Some(_)) => state("completed", words::VERIFIED),
        (None, None) => state("queued", words::NOT_TRIED),
    }
}

pub(super) fn switches(now: &Now) -> Markup {
    html! {
        dl.facts {
            dt { (words::CLOCK) }
            dd {
                @match now.clock_skew_ms {
                    None => (state("completed", words::CLOCK_GOOD)),
                    Some(skew) => (state("failed", &words::findings::clock(skew))),
                }
            }
            @if let Some(figures) = &now.figures { (of_operators(figures)) }
        }
    }
}

fn of_operators(figures: &Figures) -> Markup {
    let limit = |kind| match kind {
        LimitKind::User => words::PERSON,
        LimitKind::Tenant => words::TENANT_LIMIT,
    };
    html! {
        dt { (words::INTAKE) }
        dd {
            @if figures.intake.paused { (state("warn", words::INTAKE_PAUSED)) } @else { (state("completed", words::INTAKE_OPEN)) }
            @if let Some(at) = figures.intake.at { " " span.muted { (ago(at)) } }
            " " a.button.small #intake-link href={ "/operator/act/" (if figures.intake.paused { "resume_intake" } else { "pause_intake" }) } { @if figures.intake.paused { (words::RESUME) } @else { (words::PAUSE) } }
        }
        dt { (words::CLOSED_TENANTS) }
        dd {
            @if figures.closed.is_empty() { (words::NONE) }
            @for (index, closed) in figures.closed.iter().enumerate() {
                @if index > 0 { ", " } (tenant_link(&closed.tenant)) " " span.muted { (ago(closed.at)) }
            }
        }
        dt { (words::EXEMPTIONS) }
        dd {
            @if figures.exemptions.is_empty() { (words::NONE) }
            @for open in &figures.exemptions { div {
                (tenant_link(&open.tenant)) ": " (words::exemption(open.used, open.count, limit(open.limit)))
                ", " (words::UNTIL) " " (time(open.until))
            } }
        }
    }
}
