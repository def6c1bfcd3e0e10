//! Trying the storages when an operator wants to know, not only every minute.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};

use super::admit;
use crate::http::authenticate::SignedIn;
use crate::http::pages::form::Form;
use crate::http::pages::see_other;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The page comes back after this, whether or not all have answered; those that haven't show their last result.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn verify(
    request: HttpRequest,
    caller: SignedIn,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    Form::read(&request, payload, &caller.0).await?;
    let trying = state.storages.verify(state.clock.now());
    if tokio::time::timeout(PATIENCE, trying).await.is_err() {
        tracing::warn!("the storages took too long to be tried");
    }
    Ok(see_other("/operator#storages"))
}
