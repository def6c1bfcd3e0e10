//! An export's booklet: what happened to it, stamp by stamp.

use std::collections::BTreeMap;

use carnet_events::ids::{ExportId, PrincipalId, Timestamp};
use maud::{Markup, html};
use serde_json::Value;

use super::people::People;
use super::present::title;
use crate::http::account_exports::history::{self, HistoryItem, Reading};
use crate::http::pages::units::{bytes, grouped, precise};
use crate::http::pages::words::failures::explain;
use crate::http::pages::words::portal as portal_words;
use crate::http::pages::words::stamps as words;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// Events, and records of access, that a page shows at most.
const MOST: usize = 200;

/// A line of the booklet.
struct Stamp {
    at: Option<Timestamp>,
    kind: String,
    who: String,
    what: &'static str,
    more: String,
}

/// The booklet of one export.
pub(super) struct Booklet {
    stamps: Vec<Stamp>,
    /// There is more than is shown.
    goes_on: bool,
}

impl Booklet {
    /// Reads it; that it was read is recorded.
    pub(super) async fn read(
        state: &AppState,
        viewer: &Viewer,
        export: ExportId,
    ) -> Result<Self, Problem> {
        let reading = Reading {
            format: "html",
            after: None,
            size: MOST,
        };
        let page = history::read(state, viewer, export, reading).await?;
        let mut people = People::new(state, viewer);
        let mut stamps = Vec::new();
        for item in &page.items {
            let Some(what) = words::stamp(&item.kind) else {
                continue;
            };
            let who = match item.principal.as_deref().map(PrincipalId::new) {
                Some(Ok(principal)) => people.name(&principal).await?,
                _ => portal_words::SERVICE.to_owned(),
            };
            stamps.push(Stamp {
                at: item.at.parse().ok(),
                kind: item.kind.clone(),
                who,
                what,
                more: more(state, item),
            });
        }
        Ok(Self {
            stamps,
            goes_on: page.next.is_some(),
        })
    }

    /// All of it, oldest first.
    pub(super) fn render(&self) -> Markup {
        html! {
            (table(&self.stamps.iter().collect::<Vec<_>>()))
            @if self.goes_on { p.muted { (portal_words::MORE_HISTORY) } }
        }
    }

    /// Who had the file, or was kept from it.
    pub(super) fn who_had(&self) -> Markup {
        let about: Vec<&Stamp> = self
            .stamps
            .iter()
            .filter(|stamp| words::is_about_access(&stamp.kind))
            .collect();
        html! {
            @if about.is_empty() { p.muted { (portal_words::HAD_NOBODY) } }
            @else { (table(&about)) }
        }
    }
}

fn table(stamps: &[&Stamp]) -> Markup {
    let [when, who, what] = portal_words::BOOKLET_COLUMNS;
    html! {
        table.stacked.stamps {
            thead { tr { th scope="col" { (when) } th scope="col" { (who) } th scope="col" { (what) } } }
            tbody {
                @for stamp in stamps {
                    tr {
                        td data-label=(when) { @if let Some(at) = stamp.at { (precise(at)) } }
                        td data-label=(who) { (stamp.who) }
                        td data-label=(what) {
                            div { (stamp.what) @if !stamp.more.is_empty() { span.muted { " · " (stamp.more) } } }
                        }
                    }
                }
            }
        }
    }
}

/// What else a stamp tells.
fn more(state: &AppState, item: &HistoryItem) -> String {
    let number = |name: &str| item.details.get(name).and_then(Value::as_u64);
    let mut said = Vec::new();
    if matches!(
        item.kind.as_str(),
        "started" | "attempt_failed" | "attempt_lost"
    ) && let Some(attempt) = number("attempt").filter(|attempt| *attempt > 1)
    {
        said.push(words::attempt(attempt));
    }
    if matches!(item.kind.as_str(), "failed" | "attempt_failed")
        && let Some(code) = &item.code
    {
        let explained = explain(code, &parameters(&item.details), |id| title(state, id));
        said.push(explained.happened);
    }
    if item.kind == "download_blocked" {
        let code = item.code.as_deref().unwrap_or_default();
        said.push(words::because(code).to_owned());
    }
    if let Some(size) = number("bytes") {
        said.push(bytes(size));
    }
    if let Some(rows) = item.details.get("rows").and_then(Value::as_object) {
        let rows = rows.values().filter_map(Value::as_u64).sum();
        said.push(portal_words::rows(&grouped(rows)));
    }
    said.extend(of_download(item));
    if let (Some(of), Some(count)) = (
        item.details.get("of").and_then(Value::as_str),
        number("count"),
    ) {
        let of = words::stamp(of).unwrap_or_default();
        said.push(format!("{of} {}", words::times(&grouped(count))));
    }
    said.join(" · ")
}

fn of_download(item: &HistoryItem) -> Vec<String> {
    let truth = |name: &str| item.details.get(name).and_then(Value::as_bool);
    let mut said = Vec::new();
    if item.kind == "downloaded" {
        let details = &item.details;
        let representation = details.get("representation").and_then(Value::as_str);
        let (presigned, form) = representation.map_or((false, ""), |name| {
            let form = name.strip_prefix("presigned_");
            (form.is_some(), form.unwrap_or(name))
        });
        if form == "stored" {
            said.push(words::STORED.to_owned());
        }
        if presigned {
            said.push(words::PRESIGNED.to_owned());
        }
        if details.get("link").is_some_and(Value::is_string) {
            said.push(words::THROUGH_LINK.to_owned());
        }
        if truth("partial") == Some(true) {
            said.push(words::PARTIAL.to_owned());
        }
    }
    match truth("complete") {
        Some(true) => said.push(words::COMPLETE.to_owned()),
        Some(false) => said.push(words::INCOMPLETE.to_owned()),
        None => {}
    }
    said
}

fn parameters(details: &Value) -> BTreeMap<String, String> {
    let parameters = details.get("parameters").and_then(Value::as_object);
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    parameters.into_iter().flatten().filter_map(text).collect()
}
