//! What happened with an export: the events of its stream, and the access records in their places.

use carnet_events::ids::{ExportId, PrincipalId, Timestamp};
use maud::{Markup, html};

use super::super::words::audit as words;
use super::booklet::Asked;
use super::people::People;
use super::{show, table};
use crate::http::account_exports::history::{self, HistoryItem, HistoryPage};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// Events on a page, and access records among them.
const PAGE: u64 = 50;

/// A page of the timeline.
pub(super) struct Timeline {
    pub(super) page: HistoryPage,
    /// Where it begins: after an event or record; empty at the very beginning.
    pub(super) begin: String,
    export: ExportId,
}

impl Timeline {
    /// The page that begins `after`; without it, one that has the event with `revision`.
    pub(super) async fn read(
        state: &AppState,
        viewer: &Viewer,
        export: ExportId,
        revision: Option<u64>,
        after: Option<&str>,
    ) -> Result<Self, Problem> {
        let read = async |begin: String| {
            let after = Some(begin.as_str()).filter(|begin| !begin.is_empty());
            let size = usize::try_from(PAGE).unwrap_or(usize::MAX);
            let page = history::read_page(state, &viewer.tenant, export, after, size).await?;
            Ok::<_, Problem>(Self {
                page,
                begin,
                export,
            })
        };
        if let Some(after) = after {
            return read(after.to_owned()).await;
        }
        let revision = revision.unwrap_or(0);
        let timeline = read(before(revision - revision % PAGE)).await?;
        if timeline.has(revision) {
            return Ok(timeline);
        }
        // Many access records lie before it.
        read(before(revision)).await
    }

    fn has(&self, revision: u64) -> bool {
        let mut items = self.page.items.iter();
        items.any(|item| item.revision == Some(revision))
    }

    /// The timeline; `is_swapped` when it takes the place of another one.
    pub(super) fn show(&self, asked: &Asked, people: &People, is_swapped: bool) -> Markup {
        let path = format!("/audit/exports/{}", self.export);
        let revision = asked
            .revision
            .map(|revision| format!("revision={revision}&"));
        let revision = revision.unwrap_or_default();
        html! {
            section #timeline aria-label=(words::TIMELINE) hx-swap-oob=[is_swapped.then_some("true")] {
                input #shown type="hidden" name="shown" value=(self.begin);
                @if !self.begin.is_empty() {
                    p { a href={ (path) "?" (revision) "after=" } { (words::FROM_START) } }
                }
                ol.steps {
                    @for item in &self.page.items { (self.item(item, asked, people)) }
                }
                @if let Some(next) = &self.page.next {
                    p { a.button href={ (path) "?" (revision) "after=" (next) } { (words::GO_ON) } }
                }
            }
        }
    }

    fn item(&self, item: &HistoryItem, asked: &Asked, people: &People) -> Markup {
        let who = item
            .principal
            .as_ref()
            .and_then(|text| PrincipalId::new(text).ok());
        let at = item.at.parse::<Timestamp>().ok();
        let what = html! {
            span.words { (words::kind(&item.kind)) } " " code { (item.kind) }
            @if let Some(code) = &item.code { " " code { (code) } }
        };
        html! {
            @if let Some(revision) = item.revision {
                li.event data-step=(revision) aria-current=[(asked.revision == Some(revision)).then_some("step")] {
                    a id={ "s-" (revision) } href={ "/audit/exports/" (self.export) "?revision=" (revision) }
                        hx-get={ "/audit/exports/" (self.export) "?revision=" (revision) } hx-target="#state" hx-swap="outerHTML" hx-include="#shown" {
                        span.revision { (revision) } (what)
                    }
                    (stamp(at, who.as_ref(), people))
                }
            } @else {
                li.access {
                    @match item.entry {
                        Some(entry) => a href=(table::record_address(entry)) { (what) },
                        None => (what),
                    }
                    (stamp(at, who.as_ref(), people))
                }
            }
        }
    }
}

fn stamp(at: Option<Timestamp>, who: Option<&PrincipalId>, people: &People) -> Markup {
    html! {
        span.stamp {
            @if let Some(at) = at { (show::time(at)) }
            " · " (people.show(who))
        }
    }
}

/// The place before an event.
fn before(revision: u64) -> String {
    let after = revision.checked_sub(1);
    after.map_or_else(String::new, |after| after.to_string())
}
