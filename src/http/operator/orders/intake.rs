//! `/api/operator/intake`

use actix_web::{HttpRequest, HttpResponse, web};

use super::super::actions::Action;
use super::super::answer::OperatorAct;
use super::{Asked, Why};
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Takes no more requests, on any node; what is accepted goes on.
#[utoipa::path(post, path = "/api/operator/intake/pause", operation_id = "pauseIntake", tag = "Operators", request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn pause(
    request: HttpRequest,
    caller: SignedIn,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let asked = Asked {
        request,
        caller,
        payload,
        state,
    };
    asked.carry_out_plain(|| Ok(Action::PauseIntake)).await
}

/// Takes requests again.
#[utoipa::path(post, path = "/api/operator/intake/resume", operation_id = "resumeIntake", tag = "Operators", request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn resume(
    request: HttpRequest,
    caller: SignedIn,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let asked = Asked {
        request,
        caller,
        payload,
        state,
    };
    asked.carry_out_plain(|| Ok(Action::ResumeIntake)).await
}
