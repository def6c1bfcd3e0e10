//! `/audit/exports/{id}`: one export's booklet, its timeline beside the state at any of its revisions.

use std::collections::BTreeMap;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::ExportView;
use carnet_events::ids::PrincipalId;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::frame::fragment;
use super::super::units::moment;
use super::super::words::audit as words;
use super::people::People;
use super::state::{Step, panel};
use super::timeline::Timeline;
use super::{FORMAT, framed, is_partial, show, walk};
use crate::http::audit_log::record_read;
use crate::http::authenticate::SignedIn;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    /// The state after this event.
    pub(super) revision: String,
    /// The state at this moment.
    pub(super) at: String,
    /// Where the timeline's page begins; without it, so that the event asked for is on it.
    after: Option<String>,
    /// Which page of the timeline the asker has already.
    shown: Option<String>,
}

/// The revision that is asked for, and what of the asking could not be understood.
pub(super) struct Asked {
    pub(super) typed: Typed,
    pub(super) wrong: BTreeMap<&'static str, String>,
    /// `None`: a moment before the export existed.
    pub(super) revision: Option<u64>,
    pub(super) last: u64,
}

pub(super) async fn page(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::ReadAudit).await?;
    let found = viewer.find(&state, &id, "audit_export").await?;
    let asked = Asked::read(&state, &found, query(&request)?).await?;
    record_read(&state, &viewer, Some(found.id), FORMAT, asked.applied()).await?;
    let step = Step::read(&state, found.id, asked.revision).await?;
    let after = asked.typed.after.as_deref();
    let timeline = Timeline::read(&state, &viewer, found.id, asked.revision, after).await?;
    let persons = persons(&found, &step, &timeline);
    let people = People::find(&state, &viewer.tenant, persons.iter()).await?;
    if is_partial(&request) {
        let is_new = asked.typed.shown.as_deref() != Some(timeline.begin.as_str());
        return Ok(with_address(
            fragment(html! {
                (panel(&found, &asked, &step, &people))
                @if is_new { (timeline.show(&asked, &people, true)) }
            }),
            &asked.address(&found),
        ));
    }
    let content = html! {
        (heading(&state, &found, &people))
        (walk::controls(&found, &asked, &step))
        div.booklet {
            // Beside each other where there is room; else the state stands right below what walks through it.
            (panel(&found, &asked, &step, &people))
            (timeline.show(&asked, &people, false))
        }
    };
    let mut response = framed(&state, &viewer, words::BOOKLET, &content);
    if !asked.wrong.is_empty() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

fn heading(state: &AppState, found: &ExportView, people: &People) -> Markup {
    let export = &found.export;
    let status = export.status_at(state.clock.now()).as_str();
    html! {
        p { a href="/audit" { (words::BACK) } }
        h1 { (words::BOOKLET) " " span.mono { (found.id) } }
        p.lead {
            span.status.(status) { (words::status(status)) }
            span { (words::ASKED_BY) " " (people.show(Some(&export.request.principal))) ", " (show::time(export.created_at)) }
            span { (words::CATEGORIES) " " (export.request.categories.join(", ")) }
            a href={ "/audit?export_id=" (found.id) } { (words::ITS_ENTRIES) }
        }
    }
}

/// Everybody who is named on the page.
fn persons(found: &ExportView, step: &Step, timeline: &Timeline) -> Vec<PrincipalId> {
    let on_timeline = timeline.page.items.iter();
    let mut persons: Vec<PrincipalId> = on_timeline
        .filter_map(|item| PrincipalId::new(item.principal.as_ref()?).ok())
        .collect();
    persons.push(found.export.request.principal.clone());
    persons.extend(step.principal().cloned());
    persons.sort();
    persons.dedup();
    persons
}

/// The address that shows what a script has swapped in.
fn with_address(mut response: HttpResponse, address: &str) -> HttpResponse {
    if let Ok(address) = header::HeaderValue::from_str(address) {
        let name = header::HeaderName::from_static("hx-replace-url");
        response.headers_mut().insert(name, address);
    }
    response
}

impl Asked {
    async fn read(state: &AppState, found: &ExportView, typed: Typed) -> Result<Self, Problem> {
        let last = found.revision;
        let mut asked = Self {
            wrong: BTreeMap::new(),
            revision: Some(last),
            last,
            typed,
        };
        let (revision, at) = (asked.typed.revision.trim(), asked.typed.at.trim());
        if !at.is_empty() {
            match moment(at) {
                Some(at) => asked.revision = state.system.revision_at(found.id, at).await?,
                None => {
                    asked.wrong.insert("at", words::NO_TIME.to_owned());
                }
            }
        } else if !revision.is_empty() {
            match revision.parse::<u64>() {
                Ok(revision) if revision <= last => asked.revision = Some(revision),
                Ok(_) | Err(_) => {
                    asked.wrong.insert("revision", words::no_revision(last));
                }
            }
        }
        Ok(asked)
    }

    /// What was looked at, as the log keeps it.
    fn applied(&self) -> BTreeMap<String, String> {
        let revision = self.revision.map(|revision| revision.to_string());
        let revision = revision.map(|revision| ("revision".to_owned(), revision));
        revision.into_iter().collect()
    }

    fn address(&self, found: &ExportView) -> String {
        match self.revision {
            Some(revision) => step_address(found, revision),
            None => format!("/audit/exports/{}", found.id),
        }
    }
}

/// The booklet opened at a revision.
pub(super) fn step_address(found: &ExportView, revision: u64) -> String {
    format!("/audit/exports/{}?revision={revision}", found.id)
}
