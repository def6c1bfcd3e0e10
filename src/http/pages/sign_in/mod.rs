//! Signing in and out.
//!
//! `/sign-in` leads to where people sign in, and they come back to the page they wanted. Every sign-in begins a session under a
//! new id; a session that the browser brought along is ended, never taken up.

mod demo;
mod out;
mod return_to;

use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::session::{EndCause, SignInBy};
use carnet_events::ids::PrincipalId;
use serde::Deserialize;

use super::frame::Desk;
use super::problems::as_pages;
use crate::auth::{Identity, Session};
use crate::http::codes::Code;
use crate::http::cookies;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

/// Routes for visitors who aren't signed in.
pub(super) fn open_routes(app: &mut web::ServiceConfig) {
    app.service(readable!("/sign-in", begin).wrap(from_fn(as_pages)))
        .service(readable!("/signed-out", out::page).wrap(from_fn(as_pages)))
        .configure(demo::routes);
}

/// Routes for people who are signed in.
pub(super) fn routes(pages: &mut web::ServiceConfig) {
    pages.service(web::resource("/sign-out").route(web::post().to(out::post)));
}

/// Where to go when signed in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    return_to: Option<String>,
}

/// Leads to where people sign in here.
async fn begin(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let wanted: Wanted = query(&request)?;
    let wanted = wanted.return_to.as_deref().and_then(return_to::checked);
    match state.sessions.by() {
        Some(SignInBy::Demo) => Ok(see_other(&demo::address(wanted))),
        Some(SignInBy::Oidc) | None => Err(Code::SignInNotSetUp.into()),
    }
}

/// Begins a session for `who` and ends the one that the browser brought along, if any; gives the answer that leads on.
async fn complete(
    request: &HttpRequest,
    state: &AppState,
    by: SignInBy,
    who: Identity,
    refresh: Option<String>,
    wanted: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let principal = principal(state, &who).await?;
    let (session, cookie) = state
        .sessions
        .start(by, who, principal, refresh, now)
        .await?;
    let brought = cookies::get(request.headers(), cookies::SESSION);
    if let Some(old) = brought.and_then(|cookie| state.sessions.open(cookie, now)) {
        end(state, &old, EndCause::Replaced).await?;
    }
    cookies::set(request, cookies::SESSION, &cookie, None);
    let caller = state.sessions.caller(&session);
    let home = Desk::home_of(&caller, &state.config).unwrap_or(Desk::Portal);
    Ok(see_other(wanted.unwrap_or(home.address())))
}

/// Ends a session on every node.
async fn end(state: &AppState, session: &Session, cause: EndCause) -> Result<(), Problem> {
    let principal = principal(state, session.who()).await?;
    let now = state.clock.now();
    Ok(state.sessions.end(session, principal, cause, now).await?)
}

/// What a person is called in events. Who belongs to no tenant is taken for an operator.
async fn principal(state: &AppState, who: &Identity) -> Result<PrincipalId, Problem> {
    Ok(match &who.tenant {
        Some(tenant) => state.system.principal(tenant, &who.subject).await?,
        None => state.system.operator(&who.subject).await?,
    })
}

fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}
