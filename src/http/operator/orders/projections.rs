//! `/api/operator/projections`

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::actions::Action;
use super::super::answer::OperatorAct;
use super::{Asked, Why, named};
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Fills a projection of the node that answers anew, from the first event on, beside the tables in use: reads go on. One at
/// a time; the overview shows how far it is.
#[utoipa::path(post, path = "/api/operator/projections/{name}/rebuild", operation_id = "rebuildProjection", tag = "Operators", params(("name" = String, Path, description = "exports, audit_log, operations or worklist")), request_body = Why, responses(
    (status = 202, description = "It has begun", body = OperatorAct),
    (status = 409, description = "not_possible"),
))]
pub(crate) async fn rebuild(
    request: HttpRequest,
    caller: SignedIn,
    name: web::Path<String>,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let asked = Asked {
        request,
        caller,
        payload,
        state,
    };
    let make = |why: Why| Ok((Action::Rebuild(named(&name)?), why.reason));
    asked.carry_out(StatusCode::ACCEPTED, make).await
}
