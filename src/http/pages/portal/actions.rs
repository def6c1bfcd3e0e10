//! What the portal's forms do. Each goes through the same function as its route of the API; what comes of it is shown on
//! a page, never as a bare document.

use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest;
use maud::{Markup, html};

use super::new::Filled;
use super::present::titles;
use super::started::Started;
use super::{Shown, details, viewer};
use crate::http::account_exports::{cancel, create, link as links};
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::pages::form::{Form, csrf_field};
use crate::http::pages::frame::{Desk, Frame};
use crate::http::pages::see_other;
use crate::http::pages::words::portal as words;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

const HOME: &str = "/settings?section=data-exports";

/// Somebody came back to the address of the form.
pub(super) async fn home() -> HttpResponse {
    see_other(HOME)
}

/// Somebody came back to the address of a form of one export.
pub(super) async fn back_to_details(id: web::Path<String>) -> HttpResponse {
    // Whatever stands there is part of a path of ours, and looked up on arrival.
    let id = percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC);
    see_other(&format!("/settings/data-exports/{id}").replace("%2D", "-"))
}

/// Starts an export. When that isn't possible the page comes back with the reason, and with all that was filled in.
pub(super) async fn start(
    request: HttpRequest,
    caller: SignedIn,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = viewer(&state, caller, &request).await?;
    let form = Form::read(&request, payload, &viewer.caller).await?;
    let filled = Filled::sent(&form);
    let save = filled.saves();
    let again = match filled.tries_again() {
        Some(id) => Some(viewer.find(&state, id, "portal").await?.id),
        None => None,
    };
    let asked = filled.request(again);
    if asked.categories.is_empty() {
        let problem = Problem::from(Code::MalformedRequest);
        return refused(&state, &viewer, &form, "nothing_chosen", &problem).await;
    }
    let key = form.filled("once").map(|once| key(once, &asked));
    match create::ask(&state, &viewer, asked, key).await {
        Ok(id) => Ok(see_other(&format!(
            "{HOME}&notice=started{}",
            Started { id, save }.query()
        ))),
        Err(problem) => refused(&state, &viewer, &form, problem.code().as_str(), &problem).await,
    }
}

/// The idempotency key of a form: the same form sent twice with the same choices is one request.
fn key(once: &str, asked: &create::NewExport) -> String {
    let content = serde_json::to_vec(asked).unwrap_or_default();
    let mut both = once.as_bytes().to_vec();
    both.extend(content);
    hex::encode(digest::digest(&digest::SHA256, &both).as_ref())
}

async fn refused(
    state: &AppState,
    viewer: &Viewer,
    form: &Form,
    code: &str,
    problem: &Problem,
) -> Result<HttpResponse, Problem> {
    let Some(text) = words::refused(code) else {
        return Err(problem.clone());
    };
    let notice = html! { p.notice.warn role="alert" { (text) } };
    let status = problem.code().status();
    let shown = Shown {
        filled: Filled::sent(form),
        notice: Some(notice),
        ..Shown::default()
    };
    let mut response = super::render(state, viewer, &shown, status).await?;
    problem.add_headers(&mut response);
    Ok(response)
}

/// Asks whether an export is really to be cancelled.
pub(super) async fn ask_cancel(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "portal").await?;
    if found.export.outcome().is_some() {
        return Ok(see_other(&format!("{HOME}&notice=not_cancellable")));
    }
    let what = titles(&state, &found.export.request.categories).join(", ");
    Ok(page(
        &state,
        &viewer,
        words::CANCEL_TITLE,
        &html! {
            h1 { (words::CANCEL_TITLE) }
            p { b { (what) } }
            p { (words::CANCEL_MEANS) }
            form.actions method="post" action={ "/settings/data-exports/" (found.id) "/cancel" } {
                (csrf_field(&viewer.caller))
                button.danger type="submit" { (words::CANCEL_DO) }
                a.button href=(HOME) { (words::CANCEL_DONT) }
            }
        },
    ))
}

/// Cancels an export.
pub(super) async fn cancel(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "portal").await?;
    Form::read(&request, payload, &viewer.caller).await?;
    let notice = match cancel::cancel(&state, &viewer, &found).await {
        Ok(_) => "cancelled",
        Err(problem) if problem.code() == Code::NotCancellable => "not_cancellable",
        Err(problem) => return Err(problem),
    };
    Ok(see_other(&format!("{HOME}&notice={notice}")))
}

/// Makes a link and shows it. It stands on this one page alone, for whoever has it can download.
pub(super) async fn link(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "portal").await?;
    Form::read(&request, payload, &viewer.caller).await?;
    match links::issue(&state, &viewer, &found).await {
        Ok(issued) => details::render(&state, &viewer, &found, Some(&issued), None).await,
        Err(problem) => match words::refused(problem.code().as_str()) {
            Some(text) => details::render(&state, &viewer, &found, None, Some(text)).await,
            None => Err(problem),
        },
    }
}

/// Ends the links to an export.
pub(super) async fn revoke_links(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "portal").await?;
    Form::read(&request, payload, &viewer.caller).await?;
    links::revoke(&state, &viewer, &found).await?;
    Ok(see_other(&format!(
        "/settings/data-exports/{}?notice=links_revoked",
        found.id
    )))
}

/// A page of the portal.
pub(super) fn page(
    state: &AppState,
    viewer: &Viewer,
    title: &str,
    content: &Markup,
) -> HttpResponse {
    let frame = Frame {
        caller: &viewer.caller,
        config: &state.config,
        desk: Desk::Portal,
        title,
    };
    frame.page(content)
}
