//! `/api/operator/projections`

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::super::actions::Action;
use super::super::answer::OperatorAct;
use super::{Asked, Why, named};
use crate::http::problem::Problem;

/// Fills a projection of the node that answers anew, from the first event on, beside the tables in use: reads go on. One at
/// a time; the overview shows how far it is.
#[utoipa::path(post, path = "/api/operator/projections/{name}/rebuild", operation_id = "rebuildProjection", tag = "Operators", params(("name" = String, Path, description = "exports, audit_log, operations or worklist")), request_body = Why, responses(
    (status = 202, description = "It has begun", body = OperatorAct),
    (status = 409, description = "not_possible"),
))]
pub(crate) async fn rebuild(
    asked: Asked,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let make = |why: Why| Ok((Action::Rebuild(named(&name)?), why.reason));
    asked.carry_out(StatusCode::ACCEPTED, make).await
}
