//! Signing in and out.
//!
//! `/sign-in` leads to where people sign in, and they come back to the page they wanted. Every sign-in begins a session under a
//! new id; a session that the browser brought along is ended, never taken up.

mod demo;
mod oidc;
mod out;
mod return_to;

use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::session::{EndCause, SignInBy};
use serde::Deserialize;

use super::frame::Desk;
use super::problems::as_pages;
use super::see_other;
use crate::auth::{CALLBACK, Identity, SIGNED_OUT, Way};
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::{cookies, sessions};

/// Routes for visitors who aren't signed in.
pub(super) fn open_routes(app: &mut web::ServiceConfig) {
    app.service(readable!("/sign-in", begin).wrap(from_fn(as_pages)))
        .service(
            web::resource(CALLBACK)
                .route(web::get().to(oidc::callback))
                .wrap(from_fn(as_pages)),
        )
        .service(web::resource(SIGNED_OUT).route(web::get().to(out::page)))
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
    match state.sessions.way() {
        Way::Demo => Ok(see_other(&demo::address(wanted))),
        Way::Oidc(provider) => oidc::begin(&request, &state, provider, wanted).await,
        Way::Closed => Err(Code::SignInNotSetUp.into()),
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
    let (caller, cookie) = sessions::start((request, state), by, who, refresh).await?;
    let brought = cookies::get(request.headers(), cookies::SESSION);
    let now = state.clock.now();
    if let Some(old) = brought.and_then(|cookie| state.sessions.open(cookie, now)) {
        sessions::end((request, state), &old, EndCause::Replaced).await?;
    }
    cookies::set(request, cookies::SESSION, &cookie, None);
    let home = Desk::home_of(&caller, &state.config).unwrap_or(Desk::Portal);
    Ok(see_other(wanted.unwrap_or(home.address())))
}
