//! `/audit`: the tenant's events, filtered, counted, and paged.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_projections::ProjectionName;
use carnet_projections::audit_log::{AuditCursor, AuditEntry, AuditOrder, AuditQuery};
use maud::{Markup, html};

use super::super::words::audit as words;
use super::filter::{Filter, Place};
use super::people::People;
use super::{FORMAT, auditor, chart, facets, form, framed, hint, states, table};
use crate::http::audit_log::{applied, record_read};
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::pages::see_other;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

const PAGE_SIZE: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn page(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = auditor(&state, caller, &request).await?;
    let filter = Filter::read(&state, &viewer, &request).await?;
    if !filter.wrong.is_empty() {
        return refused(&state, &viewer, &filter).await;
    }
    if filter.is_long_winded {
        return Ok(see_other(&filter.address()));
    }
    record_read(&state, &viewer, None, FORMAT, applied(&filter.query)).await?;
    let is_behind = is_behind(&state).await?;
    let log = state.projections.audit_log();
    let (page, figures, density) = futures::try_join!(
        Page::read(&state, &filter),
        async { Ok(log.facets(filter.query.clone()).await?) },
        async { Ok(log.density(filter.query.clone(), chart::BARS).await?) },
    )?;
    let principals = page
        .entries
        .iter()
        .filter_map(|entry| entry.principal.as_ref());
    let principals = principals
        .chain(&filter.query.principal)
        .chain(facets::shown(&figures));
    let people = People::find(&state, &viewer.tenant, principals).await?;
    let content = html! {
        (heading(&filter, true))
        (form::form(&filter, &people))
        (chart::chart(&filter, &density))
        (facets::facets(&filter, &figures, &people))
        @if is_behind { p.notice.warn { (words::BEHIND) } }
        section #entries aria-label=(words::ENTRIES) {
            (hint::place(&state, &viewer, &filter, &page))
            @if page.entries.is_empty() {
                (states::nothing(&filter, &people))
            } @else {
                (table::table(&filter, &page.entries, &people))
            }
            (page.ways(&filter))
        }
    };
    Ok(framed(&state, &viewer, words::TITLE, &content))
}

/// The page with what is wrong beside each field, and no entries.
async fn refused(
    state: &AppState,
    viewer: &Viewer,
    filter: &Filter,
) -> Result<HttpResponse, Problem> {
    let people = People::find(state, &viewer.tenant, filter.query.principal.iter()).await?;
    let content = html! {
        (heading(filter, false))
        (form::form(filter, &people))
        div.notice.bad role="alert" {
            @if let Some(wrong) = filter.wrong.get("cursor") { p { (wrong) } }
            p { (words::CORRECT_FIRST) }
        }
    };
    let mut response = framed(state, viewer, words::TITLE, &content);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    Ok(response)
}

fn heading(filter: &Filter, has_files: bool) -> Markup {
    html! {
        div.heading {
            div {
                h1 { (words::TITLE) }
                p.muted { (words::INTRODUCTION) }
            }
            @if has_files { (form::files(filter)) }
        }
    }
}

/// Whether the log still lacks something that has happened. Then what is there is shown, and that it isn't all.
async fn is_behind(state: &AppState) -> Result<bool, Problem> {
    match state.wait_for(ProjectionName::AuditLog, PATIENCE).await {
        Ok(()) => Ok(false),
        Err(problem) if problem.code() == Code::CatchingUp => Ok(true),
        Err(problem) => Err(problem),
    }
}

/// Entries newest first, and where the pages beside them begin.
pub(super) struct Page {
    pub(super) entries: Vec<AuditEntry>,
    newer: Option<AuditCursor>,
    older: Option<AuditCursor>,
}

impl Page {
    async fn read(state: &AppState, filter: &Filter) -> Result<Self, Problem> {
        let log = state.projections.audit_log();
        if let Place::Newer(cursor) = filter.place {
            let query = AuditQuery {
                order: AuditOrder::OldestFirst,
                ..filter.query.clone()
            };
            let page = log.page(query, Some(cursor), PAGE_SIZE).await?;
            if page.next.is_some() {
                let mut entries = page.entries;
                entries.reverse();
                return Ok(Self {
                    newer: entries.first().map(|entry| entry.cursor),
                    older: entries.last().map(|entry| entry.cursor),
                    entries,
                });
            }
            // Fewer than a page are newer: the newest page has them all.
        }
        let after = match filter.place {
            Place::Older(cursor) => Some(cursor),
            Place::Newest | Place::Newer(_) => None,
        };
        let page = log.page(filter.query.clone(), after, PAGE_SIZE).await?;
        let newer = match (after, page.entries.first()) {
            (None, _) => None,
            (Some(_), Some(first)) => Some(first.cursor),
            (Some(after), None) => Some(after),
        };
        Ok(Self {
            entries: page.entries,
            newer,
            older: page.next,
        })
    }

    /// Whether nothing newer is left out.
    pub(super) fn is_newest(&self) -> bool {
        self.newer.is_none()
    }

    fn ways(&self, filter: &Filter) -> Markup {
        if self.newer.is_none() && self.older.is_none() {
            return html! {};
        }
        let way = |place: Option<Place>, name: &str, rel: Option<&str>| {
            html! {
                @if let Some(place) = place {
                    a.button rel=[rel] href={ (filter.at(place)) "#entries" } { (name) }
                }
            }
        };
        html! {
            nav.pages aria-label=(words::PAGES) {
                (way(self.newer.map(|_| Place::Newest), words::NEWEST, None))
                (way(self.newer.map(Place::Newer), words::NEWER, Some("prev")))
                (way(self.older.map(Place::Older), words::OLDER, Some("next")))
            }
        }
    }
}
