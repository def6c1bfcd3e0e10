//! `/audit/entries/{cursor}`: one entry with all that is known of it.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::envelope::{Metadata, Position, Recorded};
use carnet_events::ids::TenantId;
use carnet_projections::audit_log::{AuditCursor, AuditEntry, AuditQuery};
use maud::{Markup, html};

use super::super::frame::fragment;
use super::super::words::audit as words;
use super::filter::{Filter, address};
use super::people::People;
use super::{FORMAT, auditor, framed, is_partial, show, table};
use crate::http::audit_log::record_read;
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// An entry, and the event it was made from if the store has it at hand.
struct Found {
    entry: AuditEntry,
    event: Option<(Recorded, Metadata)>,
}

pub(super) async fn page(
    request: HttpRequest,
    caller: SignedIn,
    cursor: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = auditor(&state, caller, &request).await?;
    let log = state.projections.audit_log();
    let entry = match cursor.parse::<AuditCursor>() {
        Ok(cursor) => log.entry(viewer.tenant.clone(), cursor).await?,
        Err(_) => None,
    };
    let Some(entry) = entry else {
        return Err(viewer.not_found(&state, "audit_entry").await);
    };
    record_read(&state, &viewer, None, FORMAT, applied(&entry)).await?;
    let people = People::find(&state, &viewer.tenant, entry.principal.iter()).await?;
    if is_partial(&request) {
        let is_open = request.query_string() != "row=closed";
        let filter = Filter::of_current_page(&state, &viewer, &request).await?;
        let row = table::row(&filter, &entry, &people, is_open);
        if !is_open {
            return Ok(fragment(row));
        }
        let found = Found::of(&state, entry).await?;
        return Ok(fragment(html! {
            (row)
            tr.record { td colspan="6" { (record(&viewer.tenant, &found, &people)) } }
        }));
    }
    let found = Found::of(&state, entry).await?;
    let title = words::kind(&found.entry.kind);
    Ok(framed(
        &state,
        &viewer,
        &title,
        &html! {
            p { a href="/audit" { (words::BACK) } }
            h1 { (title) " " code.muted { (found.entry.kind) } }
            (record(&viewer.tenant, &found, &people))
        },
    ))
}

/// Which entry was looked at, as the log keeps it.
fn applied(entry: &AuditEntry) -> BTreeMap<String, String> {
    BTreeMap::from([("entry".to_owned(), entry.cursor.to_string())])
}

impl Found {
    async fn of(state: &AppState, entry: AuditEntry) -> Result<Self, Problem> {
        let event = event_of(state, &entry).await?;
        Ok(Self { entry, event })
    }
}

/// The event that stands where the entry says it was written.
async fn event_of(
    state: &AppState,
    entry: &AuditEntry,
) -> Result<Option<(Recorded, Metadata)>, Problem> {
    let written_at = entry.cursor.written_at();
    let Some(recorded) = state.store.at(Position::single(written_at)).await? else {
        return Ok(None);
    };
    let metadata = Metadata::from_bytes(&recorded.metadata).ok();
    Ok(metadata
        .filter(|metadata| metadata.recorded_at == entry.at)
        .map(|metadata| (recorded, metadata)))
}

/// Everything that is known of an entry.
fn record(tenant: &TenantId, found: &Found, people: &People) -> Markup {
    let Found { entry, event } = found;
    let json = serde_json::to_string_pretty(&entry.details).unwrap_or_default();
    html! {
        div.full {
            @if event.is_none() { p.notice.warn { (words::UNREADABLE) } }
            dl.facts {
                (fact(words::RECORDED_AT, &show::exact_time(entry.at)))
                (fact(words::TYPE, &html! { (words::kind(&entry.kind)) " " code { (entry.kind) } }))
                (fact(words::WHO, &who(entry, people)))
                @if let Some(export) = entry.export_id {
                    (fact(words::EXPORT, &html! { a.mono href={ "/audit/exports/" (export) } { (export) } }))
                }
                @if let Some(code) = &entry.code {
                    (fact(words::CODE, &html! { code { (code) } }))
                }
                @if let Some((recorded, metadata)) = event {
                    (fact(words::EVENT_ID, &mono(&recorded.id)))
                    (fact(words::STREAM, &html! { code { (recorded.stream) } " · " (words::REVISION) " " (recorded.revision) " · " (words::SCHEMA) " " (metadata.schema) }))
                    (fact(words::CAUSATION, &optional(metadata.causation)))
                    (fact(words::CORRELATION, &optional(metadata.correlation)))
                    (fact(words::TRACE, &optional(metadata.trace.as_deref())))
                }
            }
            div {
                p.label { (words::SAFE_DETAILS) }
                pre tabindex="0" { (json) }
                (same(tenant, entry))
            }
        }
    }
}

/// Ways to the entries that are like this one.
fn same(tenant: &TenantId, entry: &AuditEntry) -> Markup {
    let all = || AuditQuery::new(tenant.clone());
    let kind = AuditQuery {
        kind: Some(entry.kind.clone()),
        ..all()
    };
    let person = AuditQuery {
        principal: entry.principal.clone(),
        ..all()
    };
    let export = AuditQuery {
        export: entry.export_id,
        ..all()
    };
    html! {
        p.same {
            (words::SAME) " "
            a href=(address("/audit", &kind, None)) { (words::TYPE) }
            @if entry.principal.is_some() { " · " a href=(address("/audit", &person, None)) { (words::PERSON) } }
            @if entry.export_id.is_some() { " · " a href=(address("/audit", &export, None)) { (words::EXPORT) } }
        }
    }
}

fn who(entry: &AuditEntry, people: &People) -> Markup {
    html! {
        @match &entry.principal {
            None => span.muted { (words::SERVICE) },
            Some(principal) => {
                @if let Some(name) = people.name(principal) { (name) " · " }
                code { (principal) }
            }
        }
    }
}

pub(super) fn fact(name: &str, value: &Markup) -> Markup {
    html! { dt { (name) } dd { (value) } }
}

fn mono(value: &dyn std::fmt::Display) -> Markup {
    html! { code { (value) } }
}

pub(super) fn optional(value: Option<impl std::fmt::Display>) -> Markup {
    html! {
        @match value {
            Some(value) => code { (value) },
            None => span.muted { (words::NONE) },
        }
    }
}
