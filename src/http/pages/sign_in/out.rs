//! Signing out: the session ends on every node, and whatever still holds its cookie is a stranger.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::session::EndCause;
use maud::html;

use super::{end, see_other};
use crate::http::authenticate::SignedIn;
use crate::http::cookies;
use crate::http::pages::form::Form;
use crate::http::pages::frame::bare;
use crate::http::pages::visitor::SIGN_IN;
use crate::http::pages::words::sign_in as words;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// `POST /sign-out`
pub(super) async fn post(
    request: HttpRequest,
    caller: SignedIn,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    Form::read(&request, payload, &caller.0).await?;
    let cookie = cookies::get(request.headers(), cookies::SESSION);
    let session = cookie.and_then(|cookie| state.sessions.open(cookie, state.clock.now()));
    if let Some(session) = session
        && caller.0.session == Some(session.key())
    {
        end(&state, &session, EndCause::SignedOut).await?;
        cookies::clear(&request, cookies::SESSION);
    }
    Ok(see_other("/signed-out"))
}

/// `GET /signed-out`
pub(super) async fn page() -> HttpResponse {
    bare(
        StatusCode::OK,
        words::SIGNED_OUT,
        &html! {
            h1 { (words::SIGNED_OUT) }
            p { (words::SIGNED_OUT_HERE) }
            p { a.button.primary href=(SIGN_IN) { (words::SIGN_IN_AGAIN) } }
        },
    )
}
