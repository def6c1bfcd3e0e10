//! `/operator/exports/{id}`: one export as operators see it: its attempts, nodes and leases. Neither its file nor its people.

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::{ExportView, HistoryEntry};
use carnet_events::codec::DomainEvent as _;
use carnet_events::domain::export::{Export, ExportEvent, Stage};
use carnet_events::ids::ExportId;
use carnet_events::stream::StreamName;
use maud::{Markup, html};
use serde::Deserialize;

use super::exports::{code, ended, took};
use super::parts::{node_name, state as status_of, tenant_link};
use super::{Place, admit, notice, page};
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::pages::units::{ago, bytes, grouped, lasting, precise, time};
use crate::http::pages::words::operator as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

/// Events shown; an export has some ten.
const MAX_EVENTS: usize = 500;

/// What an act leaves in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    pub(super) event: Option<u64>,
    #[serde(default)]
    pub(super) unchanged: bool,
}

pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    let after: After = query(&request)?;
    let id: ExportId = id.parse().map_err(|_| Code::NotFound)?;
    let found = state.system.export(id).await?.ok_or(Code::NotFound)?;
    let events = state.system.history(id, None, MAX_EVENTS).await?;
    let tenant = &found.export.request.tenant;
    let stream = StreamName::export(id);
    let notice = notice::of(&state, &stream, Some(tenant), after.event, after.unchanged).await;
    let content = html! {
        @if let Some(notice) = notice { (notice) }
        div.title { h1 { (words::EXPORT) } span.mono { (id) } }
        (acts(&found))
        div.pair {
            section { h2 { (words::HOW_IT_STANDS) } (facts(&state, &found)) }
            section { h2 { (words::ATTEMPTS) } (attempts(&events)) }
        }
        section { h2 { (words::TIMELINE) } (timeline(&events)) }
    };
    Ok(page(
        &state,
        &caller.0,
        Place::Other,
        words::EXPORT,
        &content,
    ))
}

fn acts(found: &ExportView) -> Markup {
    let act = |name: &str| format!("/operator/act/{name}?export={}", found.id);
    let export = &found.export;
    html! {
        div.actions {
            @match &export.stage {
                Stage::Queued { .. } | Stage::Running(_) => {
                    a.button href=(act("requeue")) { (words::REQUEUE) }
                    a.button href=(act("fail")) { (words::FAIL) }
                }
                Stage::Failed(_) => { a.button href=(act("requeue")) { (words::TRY_AGAIN) } }
                Stage::Completed(_) | Stage::Expired(_) => {
                    @if export.held { a.button href=(act("release_hold")) { (words::RELEASE_HOLD) } }
                    @else { a.button href=(act("hold")) { (words::HOLD) } }
                }
                Stage::Cancelled(_) => {}
            }
        }
    }
}

fn facts(state: &AppState, found: &ExportView) -> Markup {
    let export = &found.export;
    let status = export.status_at(state.clock.now());
    html! {
        dl.facts {
            dt { (words::STATUS) } dd { (status_of(status.as_str(), words::status(status))) @if export.held { " " (status_of("warn", words::HELD)) } }
            @if let Some(code) = code(export) {
                dt { (words::CODE) } dd { code { (code) } @if let Stage::Failed(_) = export.stage { div.hint { (words::findings::failed_todo(code)) } } }
            }
            dt { (words::TENANT) } dd { (tenant_link(&export.request.tenant)) }
            dt { (words::CATEGORIES) } dd { (export.request.categories.join(", ")) }
            dt { (words::REQUESTED) } dd { (time(export.created_at)) }
            @if let Some(end) = ended(export) { dt { (words::TOOK) } dd { (took(export.created_at, end)) } }
            dt { (words::REVISION) } dd { (found.revision) }
            @if let Some(before) = export.request.retry_of {
                dt { (words::RETRY_OF) } dd { a.mono href={ "/operator/exports/" (before) } { (before) } }
            }
            (stage(state, export))
        }
    }
}

fn stage(state: &AppState, export: &Export) -> Markup {
    html! {
        @match &export.stage {
            Stage::Queued { since, not_before, .. } => {
                dt { (words::QUEUED) } dd { (ago(*since)) }
                @if let Some(at) = not_before { dt { (words::NOT_BEFORE) } dd { (time(*at)) } }
            }
            Stage::Running(attempt) => {
                dt { (words::NODE) } dd { (node_name(attempt.claim.node)) }
                dt { (words::INCARNATION) } dd.mono { (attempt.claim.incarnation) }
                dt { (words::SIGN_OF_LIFE) } dd {
                    (ago(attempt.alive_at)) " "
                    span.muted { (words::lease_of(&lasting(std::time::Duration::from_millis(attempt.claim.lease_ms)))) }
                    @if state.clock.now().since(attempt.alive_at) >= state.config.workers.lease.get() { " " (status_of("warn", words::STUCK)) }
                }
                dt { (words::PROGRESS) } dd {
                    (grouped(attempt.progress.rows)) " " (words::ROWS) ", " (bytes(attempt.progress.bytes))
                    @if let Some(category) = &attempt.progress.category { " · " (category) }
                }
            }
            Stage::Completed(file) | Stage::Expired(file) => {
                dt { (words::FILE) } dd { (bytes(file.artifact.bytes)) }
                dt { (words::ROWS_TITLE) } dd { (grouped(file.categories.values().map(|one| one.rows).sum())) }
                @if let Some(end) = file.expires_at { dt { (words::EXPIRES) } dd { (time(end)) } }
                @if export.damaged { dt { (words::DAMAGE) } dd { (status_of("failed", words::DAMAGED)) } }
            }
            Stage::Failed(ending) | Stage::Cancelled(ending) => {
                dt { (words::ENDED) } dd { (time(ending.at)) }
                @for (name, value) in &ending.parameters { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// Every attempt: where it ran, and how it ended.
fn attempts(events: &[HistoryEntry]) -> Markup {
    let started = events.iter().filter_map(|entry| match &entry.event {
        ExportEvent::Started(started) => Some((entry, started)),
        _ => None,
    });
    let started: Vec<_> = started.collect();
    if started.is_empty() {
        return html! { p.muted { (words::NO_ATTEMPTS) } };
    }
    let end_of = |attempt: u32| {
        events.iter().find(|entry| {
            let ended = match &entry.event {
                ExportEvent::AttemptFailed(end) => Some(end.attempt),
                ExportEvent::AttemptLost(end) => Some(end.attempt),
                ExportEvent::HandedBack(end) => Some(end.attempt),
                ExportEvent::Completed(end) => Some(end.attempt),
                ExportEvent::Failed(end) => end.attempt,
                _ => None,
            };
            ended == Some(attempt)
        })
    };
    html! {
        table.stacked {
            thead { tr {
                th.number scope="col" { (words::ATTEMPT) } th scope="col" { (words::NODE) } th scope="col" { (words::LEASE) }
                th scope="col" { (words::TOOK) } th scope="col" { (words::END) }
            } }
            tbody { @for (entry, claim) in started { tr {
                td.number data-label=(words::ATTEMPT) { (claim.attempt) }
                td data-label=(words::NODE) { (node_name(claim.node)) }
                td data-label=(words::LEASE) { (lasting(std::time::Duration::from_millis(claim.lease_ms))) }
                @let end = end_of(claim.attempt);
                td data-label=(words::TOOK) { @if let Some(end) = end { (took(entry.metadata.recorded_at, end.metadata.recorded_at)) } @else { "–" } }
                td data-label=(words::END) { @if let Some(end) = end { code { (end.event.kind()) } } @else { "–" } }
            } } }
        }
    }
}

fn timeline(events: &[HistoryEntry]) -> Markup {
    html! {
        ol.timeline { @for entry in events { li {
            span.rev { (entry.revision) }
            div {
                p.what { code { (entry.event.kind()) } " " (status_of(entry.after.status().as_str(), words::status(entry.after.status()))) }
                p.muted { (precise(entry.metadata.recorded_at)) (details(&entry.event)) }
            }
        } } }
    }
}

/// Ids, codes and counts of an event.
fn details(event: &ExportEvent) -> Markup {
    html! {
        @match event {
            ExportEvent::Started(started) => { " · " (words::ATTEMPT) " " (started.attempt) " · " (node_name(started.node)) },
            ExportEvent::Progressed(step) => { " · " (grouped(step.rows)) " " (words::ROWS) " · " (bytes(step.bytes)) },
            ExportEvent::AttemptFailed(failed) => { " · " (failed.code) " · " (words::NOT_BEFORE) " " (time(failed.retry_at)) },
            ExportEvent::AttemptLost(lost) => { " · " (words::ATTEMPT) " " (lost.attempt) },
            ExportEvent::HandedBack(back) => { " · " (words::ATTEMPT) " " (back.attempt) },
            ExportEvent::Completed(done) => { " · " (bytes(done.artifact.bytes)) },
            ExportEvent::Failed(failed) => { " · " (failed.code) },
            ExportEvent::Cancelled(cancelled) => { " · " (cancelled.code) },
            _ => {},
        }
    }
}
