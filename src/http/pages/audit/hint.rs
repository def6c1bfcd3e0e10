//! "3 new entries": says that there are some without moving what is being read.
//!
//! Counting isn't recorded as a read, so nothing is counted but what is newer than a page that was: the page seals the question
//! that it may ask.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_projections::audit_log::{AuditCursor, AuditOrder, AuditQuery};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::frame::fragment;
use super::super::words::audit as words;
use super::auditor;
use super::filter::{Filter, address};
use super::log::Page;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;
use crate::keys::Purpose;
use crate::sealed::Kind;

/// More are not counted.
const MOST: u32 = 99;

/// Who may ask what.
const SEALED: Kind = Kind {
    purpose: Purpose::Cursors,
    label: "carnet audit hint 1",
    max_bytes: 1_024,
};

#[derive(Deserialize)]
struct Shown {
    /// The newest entry on the page.
    after: Option<String>,
    /// That this may be asked.
    #[serde(default)]
    page: String,
    /// How many new ones the page speaks of already.
    #[serde(default)]
    said: usize,
}

/// Where the hint comes to stand, on the newest page alone: other pages have no place for newer entries.
pub(super) fn place(state: &AppState, viewer: &Viewer, filter: &Filter, page: &Page) -> Markup {
    let newest = page.entries.first().map(|entry| entry.cursor);
    let sealed = SEALED.seal(&question(viewer, filter, newest), &state.keys);
    html! {
        div.fresh {
            @if let Some(sealed) = sealed.filter(|_| page.is_newest()) {
                (hint(filter, newest, &sealed, (0, false)))
            }
        }
    }
}

/// What a page asks on behalf of its reader.
fn question(viewer: &Viewer, filter: &Filter, after: Option<AuditCursor>) -> (String, String) {
    let after = after.map(|after| ("after", after.to_string()));
    let asked = address("/audit/new", &filter.query, after);
    (format!("{} {}", viewer.tenant, viewer.principal), asked)
}

/// How many entries match that are newer than those of the page. The number alone is told, so it isn't recorded as a read;
/// the page that it leads to is.
pub(super) async fn fresh(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = auditor(&state, caller, &request).await?;
    let shown: Shown = query(&request)?;
    let filter = Filter::read(&state, &viewer, &request).await?;
    let after = shown.after.as_deref().and_then(|text| text.parse().ok());
    let sealed = SEALED.open(&shown.page, &state.keys);
    if sealed != Some(question(&viewer, &filter, after)) {
        return Err(Code::MalformedRequest.into());
    }
    let asked = AuditQuery {
        order: AuditOrder::OldestFirst,
        ..filter.query.clone()
    };
    let page = state
        .projections
        .audit_log()
        .page(asked, after, MOST)
        .await?;
    if page.entries.len() == shown.said {
        // Nothing is swapped, so nothing is read out again.
        return Ok(HttpResponse::build(StatusCode::NO_CONTENT)
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish());
    }
    let found = (page.entries.len(), page.next.is_some());
    Ok(fragment(hint(&filter, after, &shown.page, found)))
}

fn hint(
    filter: &Filter,
    after: Option<AuditCursor>,
    sealed: &str,
    (count, is_more): (usize, bool),
) -> Markup {
    let more = after
        .map(|after| ("after", after.to_string()))
        .into_iter()
        .chain([("page", sealed.to_owned())])
        .chain((count > 0).then(|| ("said", count.to_string())));
    html! {
        p #fresh role="status" hx-get=(address("/audit/new", &filter.query, more)) hx-trigger="every 5s" hx-swap="outerHTML" {
            @if count > 0 {
                (words::new_entries(count, is_more)) " "
                // Without a place on the page: an address that differs by that alone isn't loaded anew.
                a href=(filter.with(|_| ())) { (words::SHOW_NEW) }
            }
        }
    }
}
