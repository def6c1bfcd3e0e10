//! `/api/operator/exports`: acts on exports.

use actix_web::{HttpResponse, web};

use super::super::actions::Action;
use super::super::answer::OperatorAct;
use super::{Asked, Why, named};
use crate::http::problem::Problem;

/// Sends an export back to the queue. A running attempt ends, whatever its runner still does; a waiting export starts at
/// once; in place of a failed one another is admitted on the tenant's behalf, and `export_id` names it.
#[utoipa::path(post, path = "/api/operator/exports/{id}/requeue", operation_id = "requeueExport", tag = "Operators", params(("id" = String, Path, description = "The export's id")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
    (status = 403, description = "tenant_closed"),
    (status = 409, description = "not_possible or export_in_progress"),
    (status = 422, description = "unknown_category or unsupported_option"),
    (status = 503, description = "storage_unverified or intake_paused, with Retry-After"),
))]
pub(crate) async fn requeue(asked: Asked, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    asked
        .carry_out_plain(|| Ok(Action::Requeue(named(&id)?)))
        .await
}

/// Fails a queued or running export with the code `operator`.
#[utoipa::path(post, path = "/api/operator/exports/{id}/fail", operation_id = "failExport", tag = "Operators", params(("id" = String, Path, description = "The export's id")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
    (status = 409, description = "not_possible"),
))]
pub(crate) async fn fail(asked: Asked, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    asked
        .carry_out_plain(|| Ok(Action::Fail(named(&id)?)))
        .await
}

/// Puts a legal hold on an export: its file isn't deleted. It expires all the same.
#[utoipa::path(post, path = "/api/operator/exports/{id}/hold", operation_id = "holdExport", tag = "Operators", params(("id" = String, Path, description = "The export's id")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
    (status = 409, description = "not_possible"),
))]
pub(crate) async fn hold(asked: Asked, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    asked
        .carry_out_plain(|| Ok(Action::Hold(named(&id)?)))
        .await
}

/// Ends a legal hold.
#[utoipa::path(post, path = "/api/operator/exports/{id}/release-hold", operation_id = "releaseExport", tag = "Operators", params(("id" = String, Path, description = "The export's id")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
    (status = 409, description = "not_possible"),
))]
pub(crate) async fn release_hold(
    asked: Asked,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    asked
        .carry_out_plain(|| Ok(Action::ReleaseHold(named(&id)?)))
        .await
}
