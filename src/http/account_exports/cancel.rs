//! `POST /api/account-exports/{id}/cancel`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::ExportView;

use super::job::Job;
use crate::http::authenticate::SignedIn;
use crate::http::body;
use crate::http::csrf;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

/// Stops a queued or running export. Repeating it is answered alike; the command goes on if the client doesn't wait.
#[utoipa::path(post, path = "/api/account-exports/{id}/cancel", operation_id = "cancelExport", tag = "Account exports", params(("id" = String, Path, description = "The export's id")), responses(
    (status = 200, description = "The cancelled job", body = Job),
    (status = 409, description = "not_cancellable"),
))]
pub(super) async fn post(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "cancel").await?;
    csrf::check(&request, &viewer.caller)?;
    body::nothing(&request, payload).await?;
    let cancelled = cancel(&state, &viewer, &found).await?;
    let job = Job::live(&state, &viewer, &cancelled).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(job))
}

/// Stops an export that the viewer has found.
pub(in crate::http) async fn cancel(
    state: &AppState,
    viewer: &Viewer,
    found: &ExportView,
) -> Result<ExportView, Problem> {
    let (by, cause) = (viewer.principal.clone(), viewer.cause.clone());
    Ok(state.system.cancel(found.id, by, cause).await?)
}
