//! `/settings?section=data-exports`: the portal, where people start, follow and fetch exports.
//!
//! | file | what of the page |
//! |---|---|
//! | `present`, `now`, `active` | what changes by itself: limits, button, exports under way |
//! | `new`, `policy` | the form, with what each category leaves out |
//! | `history` | what was exported |
//! | `details`, `stamps` | one export: its booklet, manifest, file, and who had it |
//! | `actions` | what forms do |
//! | `live` | the stream that keeps the page up to date |

mod actions;
mod active;
mod details;
mod history;
mod live;
mod new;
mod now;
mod people;
mod policy;
mod present;
mod stamps;
mod started;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::export::Status;
use maud::{Markup, html};
use serde::Deserialize;

use self::history::{History, Part};
use self::new::Filled;
use self::present::Present;
use self::started::Started;
use super::frame::{Desk, Frame};
use super::words::portal as words;
use crate::http::account_exports::catalog;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

/// The section of the settings that this is.
const SECTION: &str = "data-exports";

pub(super) fn routes(pages: &mut web::ServiceConfig) {
    pages
        .service(readable!("/settings", page))
        .service(
            readable!("/settings/data-exports", actions::home)
                .route(web::post().to(actions::start)),
        )
        .service(web::resource("/settings/data-exports/live").route(web::get().to(live::get)))
        .service(readable!("/settings/data-exports/{id}", details::page))
        .service(
            readable!("/settings/data-exports/{id}/cancel", actions::ask_cancel)
                .route(web::post().to(actions::cancel)),
        )
        .service(
            readable!("/settings/data-exports/{id}/link", actions::back_to_details)
                .route(web::post().to(actions::link)),
        )
        .service(
            readable!(
                "/settings/data-exports/{id}/revoke-links",
                actions::back_to_details
            )
            .route(web::post().to(actions::revoke_links)),
        );
}

/// What stands in the address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    section: Option<String>,
    status: Option<String>,
    page: Option<u32>,
    /// What was just done.
    notice: Option<String>,
    /// An export to try again.
    again: Option<String>,
    /// The export that this was done to, and whether the browser is to save its file.
    export: Option<String>,
    save: Option<String>,
}

/// What the page is to show beside how things stand.
#[derive(Default)]
struct Shown {
    part: Part,
    filled: Filled,
    notice: Option<Markup>,
    started: Option<Started>,
}

/// The export that an address says was just started.
fn started(id: Option<&str>, save: Option<&str>) -> Option<Started> {
    let id = id?.parse().ok()?;
    let save = save.is_some();
    Some(Started { id, save })
}

/// The part of the history that an address asks for.
fn part(status: Option<&str>, page: Option<u32>) -> Result<Part, Problem> {
    let status = status.filter(|status| !status.is_empty());
    let status = status
        .map(str::parse::<Status>)
        .transpose()
        .map_err(|error| Problem::malformed(format!("`status`: {error}.")))?;
    match page.unwrap_or(1) {
        0 => Err(Problem::malformed("`page` counts from 1.")),
        page => Ok(Part { status, page }),
    }
}

/// Somebody who may use the portal.
async fn viewer(
    state: &AppState,
    caller: SignedIn,
    request: &HttpRequest,
) -> Result<Viewer, Problem> {
    let viewer = Viewer::new(state, caller.0, request, Right::Export).await?;
    viewer.admit(state, "portal").await
}

async fn page(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = viewer(&state, caller, &request).await?;
    let asked: Asked = query(&request)?;
    if asked
        .section
        .as_deref()
        .is_some_and(|section| section != SECTION)
    {
        return Err(viewer.not_found(&state, "portal").await);
    }
    let part = part(asked.status.as_deref(), asked.page)?;
    let filled = match &asked.again {
        Some(id) => Filled::again(&viewer.find(&state, id, "portal").await?),
        None => Filled::default(),
    };
    let notice = asked.notice.as_deref().and_then(words::done);
    let shown = Shown {
        part,
        filled,
        notice: notice.map(|text| html! { p.notice.good { (text) } }),
        started: started(asked.export.as_deref(), asked.save.as_deref()),
    };
    render(&state, &viewer, &shown, StatusCode::OK).await
}

/// The whole page.
async fn render(
    state: &AppState,
    viewer: &Viewer,
    shown: &Shown,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let Shown { part, filled, .. } = shown;
    let notice = match (&shown.notice, shown.started) {
        (None, Some(started)) => started.look(state, viewer).await?,
        (notice, _) => notice.clone().unwrap_or_default(),
    };
    let present = Present::look(state, viewer).await?;
    let history = match History::look(state, viewer, *part).await {
        Ok(history) => {
            let above: Vec<_> = present.shown().map(|shown| shown.id).collect();
            history.render(&above)
        }
        // The rest of the page is worth having meanwhile; the stream brings the history later.
        Err(problem) if problem.code() == Code::CatchingUp => {
            html! { p.empty { (words::CATCHING_UP) } }
        }
        Err(problem) => return Err(problem),
    };
    let tenant = &present.standing.view.tenant;
    let categories: Vec<_> = catalog::open_to(state, viewer, tenant).collect();
    let exports = state.projections.exports();
    let last = exports.last_rows(viewer.tenant.clone()).await?;
    let follow = shown.started.map(Started::query).unwrap_or_default();
    let live = format!(
        "{}/live?section={SECTION}{}{follow}",
        new::ADDRESS,
        part.query()
    );
    let content = html! {
        div hx-ext="sse" sse-connect=(live) {
            div #notice role="status" sse-swap="notice" { (notice) }
            p #said.visually-hidden role="status" sse-swap="said" {}
            div.portal-head {
                div { h1 { (words::TITLE) } p.muted { (words::PURPOSE) } }
            }
            div #now.now sse-swap="now" { (now::render(&present)) }
            section #active sse-swap="active" { (active::render(&present)) }
            (new::render(state, viewer, &categories, &last, filled))
            section aria-labelledby="history" {
                div.section-head {
                    h2 #history { (words::HISTORY) }
                    (history::filter(*part))
                }
                div #exports sse-swap="history" { (history) }
            }
        }
    };
    let frame = Frame {
        caller: &viewer.caller,
        config: &state.config,
        desk: Desk::Portal,
        title: words::TITLE,
    };
    Ok(frame.page_with(status, &content))
}
