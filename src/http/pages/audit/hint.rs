//! "3 new entries": says that there are some without moving what is being read.

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
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

/// More are not counted.
const MOST: u32 = 99;

#[derive(Deserialize)]
struct Shown {
    /// The newest entry on the page.
    after: Option<String>,
    /// How many new ones the page speaks of already.
    #[serde(default)]
    said: usize,
}

/// Where the hint comes to stand, on the newest page alone: other pages have no place for newer entries.
pub(super) fn place(filter: &Filter, page: &Page) -> Markup {
    let newest = page.entries.first().map(|entry| entry.cursor);
    html! {
        div.fresh {
            @if page.is_newest() { (hint(filter, newest, 0, false)) }
        }
    }
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
    Ok(fragment(hint(
        &filter,
        after,
        page.entries.len(),
        page.next.is_some(),
    )))
}

fn hint(filter: &Filter, after: Option<AuditCursor>, count: usize, is_more: bool) -> Markup {
    let more = after
        .map(|after| ("after", after.to_string()))
        .into_iter()
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
