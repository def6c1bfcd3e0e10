//! Signing in through the identity provider: the way there, and the way back.

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::session::SignInBy;

use super::{complete, return_to, see_other};
use crate::auth::{Callback, OidcError, PATIENCE, Pending, Provider, Way};
use crate::http::codes::Code;
use crate::http::cookies;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

/// The cookie of a sign-in under way: it binds the way back to the browser that began it.
const PENDING: &str = "__Host-carnet-sign-in";

/// Leads to the provider.
pub(super) async fn begin(
    request: &HttpRequest,
    state: &AppState,
    provider: &Provider,
    wanted: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let (address, pending) = provider.begin(wanted, now).await.map_err(problem)?;
    let cookie = pending.seal(&state.keys).ok_or(Code::Internal)?;
    cookies::set(request, PENDING, &cookie, Some(PATIENCE.as_secs()));
    Ok(see_other(&address))
}

/// `GET /sign-in/callback`: where the provider sends the browser back to. Whatever comes of it, the sign-in is used up.
pub(super) async fn callback(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let Way::Oidc(provider) = state.sessions.way() else {
        return Err(Code::SignInNotSetUp.into());
    };
    let now = state.clock.now();
    let pending = cookies::get(request.headers(), PENDING)
        .and_then(|cookie| Pending::open(cookie, &state.keys, now));
    cookies::clear(&request, PENDING);
    let pending = pending.ok_or(Code::SignInFailed)?;
    let callback: Callback = query(&request)?;
    let completed = provider.complete(&pending, callback, now).await;
    let vouched = completed.map_err(problem)?;
    let wanted = pending.return_to.as_deref().and_then(return_to::checked);
    let (who, refresh) = (vouched.who, vouched.refresh);
    complete(&request, &state, SignInBy::Oidc, who, refresh, wanted).await
}

fn problem(error: OidcError) -> Problem {
    match &error {
        OidcError::Unavailable(_) => crate::auth::SessionError::from(error).into(),
        OidcError::Refused(_) => {
            tracing::info!(error = %error, "somebody wasn't signed in");
            Code::SignInRefused.into()
        }
        OidcError::Foreign(_) | OidcError::Unbelievable(_) => {
            tracing::warn!(error = %error, "a sign-in failed");
            Code::SignInFailed.into()
        }
    }
}
