//! `/operator`: the board. Whether anything is wrong and what to do about it first, then how the service stands.

mod act;
mod board;
mod charts;
mod export;
mod exports;
mod live;
mod notice;
mod now;
mod parts;
mod storages;
mod tenant;
mod verdict;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::frame::{Desk, Frame};
use super::words::operator as words;
use crate::auth::Caller;
use crate::http::operator::access::Operator;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::turn_away;

pub(super) fn routes(pages: &mut web::ServiceConfig) {
    pages
        .service(readable!("/operator", board::get))
        .service(readable!("/operator/live", live::get))
        .service(readable!("/operator/find", exports::find))
        .service(readable!("/operator/exports", exports::get))
        .service(readable!("/operator/exports/{id}", export::get))
        .service(readable!("/operator/tenants/{id}", tenant::get))
        .service(readable!("/operator/act/{name}", act::ask).route(web::post().to(act::carry_out)))
        .service(
            web::resource("/operator/storages/verify").route(web::post().to(storages::verify)),
        );
}

/// Lets operators in; for everybody else there is nothing here, and that they tried stands in their tenant's records.
async fn admit(
    state: &AppState,
    caller: &Arc<Caller>,
    request: &HttpRequest,
) -> Result<(), Problem> {
    match Operator::is(caller) {
        true => Ok(()),
        false => Err(turn_away(state, Arc::clone(caller), request, "operator").await),
    }
}

/// A place among the operator's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Board,
    Exports,
    /// One export, tenant or act.
    Other,
}

/// The page called `title` with `content`, and the ways to the other ones.
fn page(
    state: &AppState,
    caller: &Arc<Caller>,
    place: Place,
    title: &str,
    content: &Markup,
) -> HttpResponse {
    page_with(state, caller, (StatusCode::OK, place), title, content)
}

/// The same, answered with a status.
fn page_with(
    state: &AppState,
    caller: &Arc<Caller>,
    (status, place): (StatusCode, Place),
    title: &str,
    content: &Markup,
) -> HttpResponse {
    let current = |one| (place == one).then_some("page");
    let frame = Frame {
        caller,
        config: &state.config,
        desk: Desk::Operator,
        title,
    };
    frame.page_with(status, &html! {
        div.operator {
            div.places {
                nav aria-label=(words::PLACES) {
                    a href="/operator" aria-current=[current(Place::Board)] { (words::BOARD) }
                    a href="/operator/exports" aria-current=[current(Place::Exports)] { (words::EXPORTS) }
                }
                form.find action="/operator/find" method="get" role="search" {
                    label.visually-hidden for="find" { (words::FIND) }
                    input #find type="search" name="id" required maxlength="128" placeholder=(words::FIND);
                    button type="submit" { (words::FIND_BUTTON) }
                }
            }
            (content)
        }
    })
}
