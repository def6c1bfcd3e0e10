//! `GET /api/operator/platform-log`: what happened to the whole service, and who did it why.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::PlatformEntry;
use carnet_events::codec::DomainEvent as _;
use carnet_events::domain::directory::Directory;
use carnet_events::domain::platform::PlatformEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::Operator;
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

const PAGE_SIZE: u32 = 100;
const MAX_PAGE_SIZE: u32 = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    before: Option<u64>,
    page_size: Option<u32>,
}

/// A page of the platform's log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PlatformLog {
    items: Vec<EntryView>,
    /// `before` of the next page; none: this is the last.
    next: Option<u64>,
}

/// An event of the whole service.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PlatformEntry)]
pub(crate) struct EntryView {
    id: String,
    revision: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    at: String,
    /// The operator's pseudonym; none: the service itself.
    principal: Option<String>,
    /// Who that is, as long as the operators' directory knows.
    operator: Option<String>,
    /// Their reason.
    reason: Option<String>,
    details: Value,
}

/// What happened to the whole service, newest first: starts, and what operators did and why.
#[utoipa::path(get, path = "/api/operator/platform-log", operation_id = "getPlatformLog", tag = "Operators", params(
    ("before" = Option<u64>, Query, description = "`next` of the page before"),
    ("page_size" = Option<u32>, Query, description = "1 to 1000, 100 by default"),
), responses(
    (status = 200, description = "A page", body = PlatformLog),
))]
pub(crate) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    Operator::new(&state, caller.0, &request).await?;
    let filter: Filter = query(&request)?;
    let size = filter.page_size.unwrap_or(PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&size) {
        let detail = "`page_size` lies between 1 and 1000.";
        return Err(Problem::malformed(detail));
    }
    let entries = state
        .system
        .platform_log(filter.before, size as usize)
        .await?;
    let next = entries
        .last()
        .map(|last| last.revision)
        .filter(|last| *last > 0);
    let operators = state.system.operators().await?;
    let items = entries.iter().map(|entry| view(&operators, entry));
    let items = items.collect();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(PlatformLog { items, next }))
}

fn view(operators: &Directory, entry: &PlatformEntry) -> EntryView {
    let by = entry.metadata.principal.as_ref();
    let reason = by.and_then(|_| operators.acts.get(&entry.id));
    EntryView {
        id: entry.id.to_string(),
        revision: entry.revision,
        kind: entry.event.kind(),
        at: entry.metadata.recorded_at.to_string(),
        principal: by.map(ToString::to_string),
        operator: by.and_then(|by| operators.persons.get(by)).cloned(),
        reason: reason.cloned(),
        details: details(&entry.event),
    }
}

/// What else is told of an event, field by field.
fn details(event: &PlatformEvent) -> Value {
    match event {
        PlatformEvent::LogCreated(created) => json!({"log": created.log}),
        PlatformEvent::ConfigurationApplied(applied) => json!({
            "node": applied.node, "version": applied.version, "configuration": applied.digest,
        }),
        PlatformEvent::KeysApplied(applied) => {
            json!({"node": applied.node, "keys": applied.keys})
        }
        PlatformEvent::StoragesUsed(used) => {
            json!({"node": used.node, "storages": used.storages})
        }
        PlatformEvent::IntakePaused(_) | PlatformEvent::IntakeResumed(_) => json!({}),
        PlatformEvent::DrainStarted(drain) | PlatformEvent::DrainEnded(drain) => {
            json!({"node": drain.node})
        }
        PlatformEvent::RebuildRequested(rebuild) => {
            json!({"node": rebuild.node, "projection": rebuild.projection})
        }
        PlatformEvent::CopyAbandoned(abandoned) => json!({"place": abandoned.place}),
    }
}
