//! `GET /api/operator/exports`: exports across tenants that may need somebody.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::export::Status;
use carnet_projections::exports::{EverywhereQuery, ExportRow, MAX_PAGE_SIZE};
use carnet_projections::worklist::Mark;
use serde::{Deserialize, Serialize};

use super::access::Operator;
use super::views::ExportView;
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

const LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    status: Option<Asked>,
    #[serde(default)]
    stuck: bool,
    limit: Option<u32>,
}

/// What may need somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Asked {
    Queued,
    Running,
    Failed,
}

/// Exports across tenants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct OperatorExports {
    items: Vec<ExportView>,
}

/// Exports across tenants that wait or run, the longest first, or that failed, the newest first; without anything personal.
#[utoipa::path(get, path = "/api/operator/exports", operation_id = "listAllExports", tag = "Operators", params(
    ("status" = Option<String>, Query, description = "queued, running or failed; queued and running if left out"),
    ("stuck" = Option<bool>, Query, description = "true: running ones without a sign of life for longer than a lease"),
    ("limit" = Option<u32>, Query, description = "1 to 1000 of each status, 100 by default"),
), responses(
    (status = 200, description = "The exports", body = OperatorExports),
))]
pub(crate) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    Operator::new(&state, caller.0, &request).await?;
    let filter: Filter = query(&request)?;
    let limit = filter.limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::malformed("`limit` lies between 1 and 1000."));
    }
    if filter.stuck && !matches!(filter.status, None | Some(Asked::Running)) {
        return Err(Problem::malformed("Only running exports can be stuck."));
    }
    let items = find(&state, &filter, limit).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(OperatorExports { items }))
}

async fn find(state: &AppState, filter: &Filter, limit: u32) -> Result<Vec<ExportView>, Problem> {
    let now = state.clock.now();
    let mut items = Vec::new();
    if filter.stuck {
        let silent = state.config.workers.lease.get();
        let operations = state.projections.operations();
        let stuck = operations.stuck(now, silent, limit).await?.exports;
        return Ok(stuck
            .iter()
            .map(|one| ExportView::running(one, now))
            .collect());
    }
    if filter.status == Some(Asked::Failed) {
        let failed = failed(state, limit).await?;
        return Ok(failed
            .iter()
            .filter_map(|one| ExportView::failed(one, now))
            .collect());
    }
    if matches!(filter.status, None | Some(Asked::Running)) {
        let running = state.projections.worklist().running(None, limit).await?;
        items.extend(running.iter().map(|one| ExportView::running(one, now)));
    }
    if matches!(filter.status, None | Some(Asked::Queued)) {
        // Those that may not start yet wait as well.
        let ever = carnet_events::ids::Timestamp::from_millis(i64::MAX);
        let queued = state
            .projections
            .worklist()
            .queued(ever, None, limit)
            .await?;
        items.extend(queued.iter().map(|one| ExportView::queued(one, now)));
    }
    Ok(items)
}

/// The newest failed exports, read page by page.
async fn failed(state: &AppState, limit: u32) -> Result<Vec<ExportRow>, Problem> {
    let (exports, limit) = (state.projections.exports(), limit as usize);
    let mut rows: Vec<ExportRow> = Vec::new();
    loop {
        let asked = EverywhereQuery {
            status: Some(Status::Failed),
            before: rows.last().map(|last| Mark {
                at: last.export.created_at,
                export: last.id,
            }),
            page_size: MAX_PAGE_SIZE,
            ..EverywhereQuery::default()
        };
        let page = exports.everywhere(asked).await?;
        rows.extend(page.rows);
        if !page.more || rows.len() >= limit {
            rows.truncate(limit);
            return Ok(rows);
        }
    }
}
