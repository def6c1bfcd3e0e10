//! The auditor's desk: what happened in the tenant, entry by entry, and one export's booklet step by step.
//!
//! For auditors and client admins of the tenant. Whatever is shown is recorded first. Nothing here leads to an artifact.

mod booklet;
mod change;
mod chart;
mod entry;
mod facets;
mod filter;
mod form;
mod hint;
mod log;
mod people;
mod show;
mod state;
mod states;
mod table;
mod timeline;
mod walk;

use actix_web::{HttpRequest, HttpResponse, web};
use maud::Markup;

use super::frame::{Desk, Frame};
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

pub(super) fn routes(pages: &mut web::ServiceConfig) {
    pages
        .service(readable!("/audit", log::page))
        .service(readable!("/audit/new", hint::fresh))
        .service(readable!("/audit/entries/{cursor}", entry::page))
        .service(readable!("/audit/exports/{id}", booklet::page));
}

/// How reading a page stands in the log, where the API has its formats.
const FORMAT: &str = "html";

/// The caller, if this desk is open to them.
async fn auditor(
    state: &AppState,
    caller: SignedIn,
    request: &HttpRequest,
) -> Result<Viewer, Problem> {
    Viewer::new(state, caller.0, request, Right::ReadAudit)
        .await?
        .admit(state, "audit_log")
        .await
}

fn framed(state: &AppState, viewer: &Viewer, title: &str, content: &Markup) -> HttpResponse {
    let frame = Frame {
        caller: &viewer.caller,
        config: &state.config,
        desk: Desk::Audit,
        title,
    };
    frame.page(content)
}

/// Whether htmx asks for a part of a page.
fn is_partial(request: &HttpRequest) -> bool {
    request.headers().contains_key("hx-request")
}
