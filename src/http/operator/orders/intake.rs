//! `/api/operator/intake`

use actix_web::HttpResponse;

use super::super::actions::Action;
use super::super::answer::OperatorAct;
use super::{Asked, Why};
use crate::http::problem::Problem;

/// Takes no more requests, on any node; what is accepted goes on.
#[utoipa::path(post, path = "/api/operator/intake/pause", operation_id = "pauseIntake", tag = "Operators", request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn pause(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.carry_out_plain(|| Ok(Action::PauseIntake)).await
}

/// Takes requests again.
#[utoipa::path(post, path = "/api/operator/intake/resume", operation_id = "resumeIntake", tag = "Operators", request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn resume(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.carry_out_plain(|| Ok(Action::ResumeIntake)).await
}
