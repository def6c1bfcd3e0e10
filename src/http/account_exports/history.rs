//! `GET /api/account-exports/{id}/history`: what happened to an export, and who had what of it.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::HistoryEntry;
use carnet_events::codec::DomainEvent as _;
use carnet_events::domain::access::{AccessEvent, AuditRead};
use carnet_events::domain::export::{Export, ExportEvent};
use carnet_events::ids::Timestamp;
use carnet_projections::ProjectionName;
use carnet_projections::audit_log::{AuditEntry, AuditOrder, AuditQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rfc3339;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

const PAGE_SIZE: usize = 200;
const MAX_PAGE_SIZE: usize = 1_000;
/// Access records shown beside one page of events.
const MAX_RECORDS: u32 = 1_000;
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<u64>,
    page_size: Option<usize>,
}

/// A page of an export's history.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct HistoryPage {
    items: Vec<HistoryItem>,
    /// `after` of the next page; none: this was the last.
    next: Option<u64>,
}

/// Something that happened to or with an export.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct HistoryItem {
    /// When.
    at: String,
    /// The event's type.
    #[serde(rename = "type")]
    kind: String,
    /// Its place in the export's stream; none for access records.
    revision: Option<u64>,
    /// Pseudonym of whoever did it; none: the service.
    principal: Option<String>,
    /// Why, as a code.
    code: Option<String>,
    /// What was true after it; none for access records, which change nothing.
    state: Option<StateView>,
    /// What else is known of it.
    details: Value,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct StateView {
    status: &'static str,
    attempt: u32,
    held: bool,
}

/// A page of an export's history, oldest first; access records stand among the events by time.
#[utoipa::path(get, path = "/api/account-exports/{id}/history", operation_id = "getHistory", tag = "Account exports", params(("id" = String, Path, description = "The export's id"),
    ("after" = Option<u64>, Query, description = "A revision; the page begins after it"),
    ("page_size" = Option<u32>, Query, description = "1 to 1000, 200 by default"),
), responses(
    (status = 200, description = "A page, oldest first; `next` is the `after` of the following page", body = HistoryPage),
))]
pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::ReadHistory).await?;
    let found = viewer.find(&state, &id, "history").await?;
    let asked: Page = query(&request)?;
    let size = asked.page_size.unwrap_or(PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&size) {
        return Err(Problem::new(
            Code::MalformedRequest,
            format!("`page_size` lies between 1 and {MAX_PAGE_SIZE}."),
        ));
    }
    let read = AuditRead {
        principal: viewer.principal.clone(),
        export: Some(found.id),
        format: "json".to_owned(),
        filters: BTreeMap::new(),
    };
    viewer.record(&state, AccessEvent::AuditRead(read)).await?;
    let mut entries = state
        .system
        .history(found.id, asked.after, size + 1)
        .await?;
    let until = (entries.len() > size).then(|| entries.pop()).flatten();
    let from = asked
        .after
        .and(entries.first().map(|entry| entry.metadata.recorded_at));
    let window = AuditQuery {
        export: Some(found.id),
        from,
        to: until.as_ref().map(|entry| entry.metadata.recorded_at),
        order: AuditOrder::OldestFirst,
        ..AuditQuery::new(viewer.tenant.clone())
    };
    state.wait_for(ProjectionName::AuditLog, PATIENCE).await?;
    let records = state
        .projections
        .audit_log()
        .page(window, None, MAX_RECORDS)
        .await?
        .entries;
    let next = until.and(entries.last().map(|entry| entry.revision));
    let items = merge(
        entries.iter().map(HistoryItem::of_event),
        records
            .iter()
            .filter(|entry| is_access(entry))
            .map(HistoryItem::of_record),
    );
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(HistoryPage { items, next }))
}

/// The audit log also holds what stands in the stream; only what doesn't is added.
fn is_access(entry: &AuditEntry) -> bool {
    AccessEvent::newest_version(&entry.kind).is_some()
}

fn merge(
    events: impl Iterator<Item = (Timestamp, HistoryItem)>,
    records: impl Iterator<Item = (Timestamp, HistoryItem)>,
) -> Vec<HistoryItem> {
    let mut all: Vec<(Timestamp, HistoryItem)> = events.chain(records).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, item)| item).collect()
}

impl HistoryItem {
    pub(super) fn of_event(entry: &HistoryEntry) -> (Timestamp, Self) {
        let at = entry.metadata.recorded_at;
        let item = Self {
            at: rfc3339(at),
            kind: entry.event.kind().to_owned(),
            revision: Some(entry.revision),
            principal: entry.metadata.principal.as_ref().map(ToString::to_string),
            code: code(&entry.event).map(str::to_owned),
            state: Some(StateView::of(&entry.after)),
            details: details(&entry.event),
        };
        (at, item)
    }

    fn of_record(entry: &AuditEntry) -> (Timestamp, Self) {
        let item = Self {
            at: rfc3339(entry.at),
            kind: entry.kind.clone(),
            revision: None,
            principal: entry.principal.as_ref().map(ToString::to_string),
            code: entry.code.clone(),
            state: None,
            details: entry.details.clone(),
        };
        (entry.at, item)
    }
}

impl StateView {
    fn of(export: &Export) -> Self {
        Self {
            status: export.status().as_str(),
            attempt: export.attempt,
            held: export.held,
        }
    }
}

fn code(event: &ExportEvent) -> Option<&str> {
    match event {
        ExportEvent::AttemptFailed(failed) => Some(&failed.code),
        ExportEvent::Failed(failed) => Some(&failed.code),
        ExportEvent::Cancelled(cancelled) => Some(&cancelled.code),
        _ => None,
    }
}

/// What of an event is told: ids, codes, counts and digests, named one by one. Object keys and scopes are not among them.
fn details(event: &ExportEvent) -> Value {
    match event {
        ExportEvent::Requested(request) => json!({
            "categories": request.categories, "format": request.format, "layers": request.layers, "policy_digests": request.policy_digests,
        }),
        ExportEvent::Started(started) => {
            json!({"attempt": started.attempt, "policy_digests": started.policy_digests})
        }
        ExportEvent::Progressed(progressed) => json!({
            "attempt": progressed.attempt, "phase": progressed.phase, "category": progressed.category, "rows": progressed.rows, "bytes": progressed.bytes,
        }),
        ExportEvent::AttemptFailed(failed) => {
            json!({"attempt": failed.attempt, "parameters": failed.parameters, "retry_at": rfc3339(failed.retry_at)})
        }
        ExportEvent::AttemptLost(lost) => {
            json!({"attempt": lost.attempt, "retry_at": lost.retry_at.map(rfc3339)})
        }
        ExportEvent::HandedBack(back) => json!({"attempt": back.attempt}),
        ExportEvent::Completed(completed) => {
            let rows: BTreeMap<&str, u64> = completed
                .categories
                .iter()
                .map(|(id, result)| (id.as_str(), result.rows))
                .collect();
            let file = &completed.artifact;
            json!({
                "attempt": completed.attempt, "bytes": file.bytes, "sha256": file.sha256, "json_bytes": file.json_bytes,
                "json_sha256": file.json_sha256, "checksum": file.checksum, "rows": rows, "expires_at": completed.expires_at.map(rfc3339),
            })
        }
        ExportEvent::Failed(failed) => {
            json!({"attempt": failed.attempt, "parameters": failed.parameters})
        }
        ExportEvent::DeletionStarted(started) => json!({"cause": started.cause}),
        ExportEvent::ArtifactDeleted(deleted) => {
            json!({"cause": deleted.cause, "bytes": deleted.bytes, "sha256": deleted.sha256})
        }
        ExportEvent::ArtifactDamaged(damaged) => json!({"block": damaged.block}),
        ExportEvent::Cancelled(_)
        | ExportEvent::Expired(_)
        | ExportEvent::Held(_)
        | ExportEvent::HoldReleased(_) => json!({}),
    }
}
