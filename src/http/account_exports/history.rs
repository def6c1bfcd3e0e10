//! `GET /api/account-exports/{id}/history`: what happened to an export, and who had what of it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::HistoryEntry;
use carnet_events::codec::DomainEvent as _;
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::{Export, ExportEvent};
use carnet_events::ids::{ExportId, TenantId, Timestamp};
use carnet_projections::ProjectionName;
use carnet_projections::audit_log::{AuditCursor, AuditEntry, AuditOrder, AuditQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rfc3339;
use crate::http::audit_log::record_read;
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

const PAGE_SIZE: usize = 200;
const MAX_PAGE_SIZE: usize = 1_000;
/// Entries of the audit log read at once.
const ENTRIES: u32 = 500;
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<String>,
    page_size: Option<usize>,
}

/// Where a page begins: after an event, and after an access record where the page before could not hold all of them.
/// As text `revision`, `revision~record` or `~record`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    revision: Option<u64>,
    record: Option<AuditCursor>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(revision) = self.revision {
            write!(f, "{revision}")?;
        }
        self.record.map_or(Ok(()), |record| write!(f, "~{record}"))
    }
}

impl FromStr for Place {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let bad = || Problem::malformed("`after` is not a `next` of this history.");
        let (revision, record) = match text.split_once('~') {
            None => (text, None),
            Some((revision, record)) => (revision, Some(record.parse().map_err(|_| bad())?)),
        };
        let revision = match revision {
            "" if record.is_some() => None,
            digits => Some(digits.parse().map_err(|_| bad())?),
        };
        Ok(Self { revision, record })
    }
}

/// A page of an export's history.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct HistoryPage {
    pub(in crate::http) items: Vec<HistoryItem>,
    /// `after` of the next page; none: this was the last.
    pub(in crate::http) next: Option<String>,
}

/// Something that happened to or with an export.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct HistoryItem {
    /// When.
    pub(in crate::http) at: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub(in crate::http) kind: String,
    /// Its place in the export's stream; none for access records.
    pub(in crate::http) revision: Option<u64>,
    /// Pseudonym of whoever did it; none: the service.
    pub(in crate::http) principal: Option<String>,
    /// Why, as a code.
    pub(in crate::http) code: Option<String>,
    /// What was true after it; none for access records, which change nothing.
    pub(in crate::http) state: Option<StateView>,
    /// What else is known of it.
    pub(in crate::http) details: Value,
    /// An access record's place in the audit log.
    #[serde(skip)]
    pub(in crate::http) entry: Option<AuditCursor>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct StateView {
    pub(in crate::http) status: &'static str,
    attempt: u32,
    held: bool,
}

/// A page of an export's history, oldest first; access records stand among the events by time.
#[utoipa::path(get, path = "/api/account-exports/{id}/history", operation_id = "getHistory", tag = "Account exports", params(("id" = String, Path, description = "The export's id"),
    ("after" = Option<String>, Query, description = "The `next` of the page before, or a revision; the page begins after it"),
    ("page_size" = Option<u32>, Query, description = "How many events, and how many access records, a page holds at most: 1 to 1000, 200 by default"),
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
        return Err(Problem::malformed(format!(
            "`page_size` lies between 1 and {MAX_PAGE_SIZE}."
        )));
    }
    let after = asked.after.as_deref();
    let reading = Reading {
        format: "json",
        after,
        size,
    };
    let page = read(&state, &viewer, found.id, reading).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(page))
}

/// Which page of a history is read.
pub(in crate::http) struct Reading<'a> {
    /// What it is shown as.
    pub(in crate::http) format: &'a str,
    /// The `next` of the page before.
    pub(in crate::http) after: Option<&'a str>,
    /// Events on it.
    pub(in crate::http) size: usize,
}

/// A page of the history of an export that the viewer has found. That it is read is recorded first.
pub(in crate::http) async fn read(
    state: &AppState,
    viewer: &Viewer,
    export: ExportId,
    Reading {
        format,
        after,
        size,
    }: Reading<'_>,
) -> Result<HistoryPage, Problem> {
    // What can't be read is said before anything is recorded.
    let _: Option<Place> = after.map(str::parse).transpose()?;
    record_read(state, viewer, Some(export), format, BTreeMap::new()).await?;
    read_page(state, &viewer.tenant, export, after, size).await
}

/// The page itself, for whoever has recorded that it is read.
pub(in crate::http) async fn read_page(
    state: &AppState,
    tenant: &TenantId,
    export: ExportId,
    after: Option<&str>,
    size: usize,
) -> Result<HistoryPage, Problem> {
    let after = after.map(str::parse).transpose()?;
    between(state, tenant, export, after.unwrap_or_default(), size).await
}

/// Up to `size` events, and up to `size` of the access records that lie between them and before the next event.
async fn between(
    state: &AppState,
    tenant: &TenantId,
    export: ExportId,
    after: Place,
    size: usize,
) -> Result<HistoryPage, Problem> {
    let mut events = state
        .system
        .history(export, after.revision, size + 1)
        .await?;
    let until = (events.len() > size).then(|| events.pop()).flatten();
    let window = AuditQuery {
        export: Some(export),
        from: after
            .revision
            .and(events.first().map(|entry| entry.metadata.recorded_at)),
        to: until.as_ref().map(|entry| entry.metadata.recorded_at),
        order: AuditOrder::OldestFirst,
        ..AuditQuery::new(tenant.clone())
    };
    // Nothing new since a last page, which went on to the records' end.
    let mut records = match (events.is_empty(), after.record) {
        (true, None) => Vec::new(),
        (_, record) => read_records(state, window, record, size).await?,
    };
    let mut next = until.is_some().then_some(Place {
        revision: events.last().map(|entry| entry.revision),
        record: None,
    });
    if records.len() > size {
        records.truncate(size);
        // What comes after the records that didn't fit is for the next page, too.
        if let Some(last) = records.last() {
            events.retain(|entry| entry.metadata.recorded_at <= last.at);
            next = Some(Place {
                revision: events.last().map(|entry| entry.revision).or(after.revision),
                record: Some(last.cursor),
            });
        }
    }
    let items = merge(
        events.iter().map(HistoryItem::of_event),
        records.iter().map(HistoryItem::of_record),
    );
    let next = next.map(|place| place.to_string());
    Ok(HistoryPage { items, next })
}

/// The access records of a window, oldest first: one more than `max` if there are more.
async fn read_records(
    state: &AppState,
    window: AuditQuery,
    mut after: Option<AuditCursor>,
    max: usize,
) -> Result<Vec<AuditEntry>, Problem> {
    state.wait_for(ProjectionName::AuditLog, PATIENCE).await?;
    let window = AuditQuery {
        // The cursor says where to go on, be it before the first event of this page.
        from: window.from.filter(|_| after.is_none()),
        ..window
    };
    let mut records = Vec::new();
    loop {
        let log = state.projections.audit_log();
        let page = log.page(window.clone(), after, ENTRIES).await?;
        records.extend(page.entries.into_iter().filter(is_access));
        after = page.next;
        if after.is_none() || records.len() > max {
            records.truncate(max + 1);
            return Ok(records);
        }
    }
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
            entry: None,
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
            entry: Some(entry.cursor),
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
pub(in crate::http) fn details(event: &ExportEvent) -> Value {
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
        ExportEvent::Requeued(requeued) => json!({"attempt": requeued.attempt}),
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
        ExportEvent::ArtifactDamaged(damaged) if damaged.document => {
            json!({"block": damaged.block, "document": true})
        }
        ExportEvent::ArtifactDamaged(damaged) => json!({"block": damaged.block}),
        ExportEvent::LinksRevoked(revoked) => json!({"everybodys": revoked.of.is_none()}),
        ExportEvent::Cancelled(_)
        | ExportEvent::Expired(_)
        | ExportEvent::Held(_)
        | ExportEvent::HoldReleased(_)
        | ExportEvent::ArtifactRestored(_) => json!({}),
    }
}
