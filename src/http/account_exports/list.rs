//! `GET /api/account-exports`

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::ExportView;
use carnet_events::domain::export::Status;
use carnet_projections::ProjectionName;
use carnet_projections::exports::{ExportPage, ExportQuery, MAX_PAGE_SIZE};
use serde::{Deserialize, Serialize};

use super::job::Job;
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

/// How long a list waits for its read model to have all that was acknowledged before it was asked for.
const PATIENCE: Duration = Duration::from_secs(2);
const PAGE_SIZE: u32 = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    status: Option<String>,
    page: Option<u32>,
    page_size: Option<u32>,
}

/// A page of exports.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ExportPage)]
pub(crate) struct Page {
    items: Vec<Job>,
    page: u32,
    page_size: u32,
    total: u64,
}

/// The tenant's exports, newest first; callers who aren't client admins see their own.
#[utoipa::path(get, path = "/api/account-exports", operation_id = "listExports", tag = "Account exports", params(
    ("status" = Option<String>, Query, description = "queued, running, completed, failed, cancelled or expired"),
    ("page" = Option<u32>, Query, description = "From 1"),
    ("page_size" = Option<u32>, Query, description = "1 to 200, 50 by default"),
), responses(
    (status = 200, description = "A page, newest first", body = Page),
))]
pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export)
        .await?
        .admit(&state, "exports")
        .await?;
    let filter: Filter = query(&request)?;
    let status = filter
        .status
        .map(|text| text.parse::<Status>())
        .transpose()
        .map_err(|e| Problem::malformed(format!("`status`: {e}.")))?;
    let (page, page_size) = (
        filter.page.unwrap_or(1),
        filter.page_size.unwrap_or(PAGE_SIZE),
    );
    if page == 0 || !(1..=MAX_PAGE_SIZE).contains(&page_size) {
        return Err(Problem::malformed(format!(
            "`page` counts from 1, `page_size` lies between 1 and {MAX_PAGE_SIZE}."
        )));
    }
    let found = read(&state, &viewer, status, page, page_size).await?;
    let tenant = state.system.tenant(&viewer.tenant).await?.tenant;
    let (rows, total) = (found.rows, found.total);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let listed = ExportView {
            id: row.id,
            export: Arc::new(row.export),
            revision: row.revision,
        };
        let job = Job::new(&state, &viewer, &tenant, &listed);
        let waits = match listed.export.status() {
            Status::Queued => state.system.queue_position(row.id).await,
            _ => None,
        };
        items.push(job.waiting(waits, row.queue_position));
    }
    let page = Page {
        items,
        page,
        page_size,
        total,
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(page))
}

/// A page of what the viewer may see, with everything they did before it was asked for.
pub(in crate::http) async fn read(
    state: &AppState,
    viewer: &Viewer,
    status: Option<Status>,
    page: u32,
    page_size: u32,
) -> Result<ExportPage, Problem> {
    state.wait_for(ProjectionName::Exports, PATIENCE).await?;
    let asked = ExportQuery {
        tenant: viewer.tenant.clone(),
        principal: viewer.only(),
        status,
        page,
        page_size,
        now: state.clock.now(),
    };
    Ok(state.projections.exports().list(asked).await?)
}
