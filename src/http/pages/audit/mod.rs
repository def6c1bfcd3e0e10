//! `/audit`

use actix_web::{HttpResponse, web};
use maud::html;

use super::frame::{Desk, Frame};
use super::words::audit as words;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::state::AppState;

pub(super) fn routes(pages: &mut web::ServiceConfig) {
    pages.service(readable!("/audit", page));
}

async fn page(caller: SignedIn, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let desk = Desk::Audit;
    if !desk.is_open_to(&caller.0, &state.config) {
        return Err(Code::NotFound.into());
    }
    let frame = Frame {
        caller: &caller.0,
        config: &state.config,
        desk,
        title: words::TITLE,
    };
    Ok(frame.page(&html! { h1 { (words::TITLE) } }))
}
