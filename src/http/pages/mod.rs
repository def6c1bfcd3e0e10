//! The pages: the portal, the auditor's desk, the operator's board.
//!
//! Rendered here, whole, so that they work without a script; with scripts, parts of them are fetched anew and swapped in.
//! What a page shows or does goes through the same functions as the API. Every text is in `words`.

mod assets;
mod audit;
mod form;
mod frame;
mod operator;
mod portal;
mod problems;
mod sign_in;
mod units;
mod visitor;
mod words;

use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};

use super::authenticate::SignedIn;
use super::problem::Problem;
use super::state::AppState;
use super::viewer::turn_away;
use frame::Desk;

/// The address of shared files, and everything that no other route has: pages stand behind sign-in, and so do
/// addresses that no page has.
pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(readable!("/assets/{digest}/{name}", assets::get))
        .configure(sign_in::open_routes)
        .service(
            web::scope("")
                .service(readable!("/", home))
                .configure(portal::routes)
                .configure(audit::routes)
                .configure(operator::routes)
                .configure(sign_in::routes)
                .default_service(web::to(super::not_found))
                .wrap(from_fn(visitor::require_sign_in))
                // Outside, so that problems with signing in are pages too.
                .wrap(from_fn(problems::as_pages)),
        );
}

/// Leads people to the desk that is theirs.
async fn home(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    match Desk::home_of(&caller.0, &state.config) {
        Some(desk) => Ok(see_other(desk.address())),
        None => Err(turn_away(&state, caller.0, &request, "home").await),
    }
}

/// Leads elsewhere: after a form, so that going back or reloading doesn't send it again.
fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}
