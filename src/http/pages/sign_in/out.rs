//! Signing out: the session ends on every node, and whatever still holds its cookie is a stranger.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::session::EndCause;
use maud::html;

use super::see_other;
use crate::auth::{Provider, SIGNED_OUT, Way};
use crate::http::authenticate::SignedIn;
use crate::http::pages::form::Form;
use crate::http::pages::frame::bare;
use crate::http::pages::visitor::SIGN_IN;
use crate::http::pages::words::sign_in as words;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::{cookies, sessions};

/// Makes the browser go on by itself.
const REFRESH: HeaderName = HeaderName::from_static("refresh");

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
        sessions::end((&request, &state), &session, EndCause::SignedOut).await?;
        cookies::clear(&request, cookies::SESSION);
    }
    match state.sessions.way() {
        Way::Oidc(provider) => Ok(on_to_provider(provider)),
        Way::Demo | Way::Closed => Ok(see_other(SIGNED_OUT)),
    }
}

/// Goes on to sign out at the provider as well, if it can be told. Not as a redirect: the policy that keeps forms from being
/// sent elsewhere holds for where they are redirected to, too.
fn on_to_provider(provider: &Provider) -> HttpResponse {
    let Some(address) = provider.sign_out_address() else {
        return see_other(SIGNED_OUT);
    };
    let mut page = bare(
        StatusCode::OK,
        words::SIGNED_OUT,
        &html! {
            h1 { (words::SIGNED_OUT) }
            p { (words::SIGNED_OUT_HERE) }
            p { a.button.primary href=(address) { (words::SIGN_OUT_THERE) } }
        },
    );
    if let Ok(refresh) = HeaderValue::from_str(&format!("0; url={address}")) {
        page.headers_mut().insert(REFRESH, refresh);
    }
    page
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
