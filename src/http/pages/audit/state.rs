//! The state of an export after one of its events, and what that event changed.

use carnet_actors::{ExportView, HistoryEntry};
use carnet_events::codec::DomainEvent as _;
use carnet_events::ids::{ExportId, PrincipalId, Timestamp};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::super::units::field_value;
use super::super::words::audit as words;
use super::booklet::Asked;
use super::change::{Change, Row, compare};
use super::entry::{fact, optional};
use super::people::People;
use super::{show, walk};
use crate::http::account_exports::history;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// An event and the state on either side of it, as the domain folds it.
pub(super) struct Step {
    event: Option<HistoryEntry>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Step {
    pub(super) async fn read(
        state: &AppState,
        export: ExportId,
        revision: Option<u64>,
    ) -> Result<Self, Problem> {
        let Some(revision) = revision else {
            return Ok(Self {
                event: None,
                before: None,
                after: None,
            });
        };
        let (after, count) = match revision.checked_sub(2) {
            Some(after) => (Some(after), 2),
            None => (None, if revision == 0 { 1 } else { 2 }),
        };
        let mut entries = state.system.history(export, after, count).await?;
        let event = entries.pop();
        Ok(Self {
            before: entries.pop().map(|entry| told(&entry)),
            after: event.as_ref().map(told),
            event,
        })
    }

    /// Who caused the event.
    pub(super) fn principal(&self) -> Option<&PrincipalId> {
        self.event.as_ref()?.metadata.principal.as_ref()
    }

    /// When it was recorded.
    pub(super) fn at(&self) -> Option<Timestamp> {
        Some(self.event.as_ref()?.metadata.recorded_at)
    }

    /// Which step this is, in words: for the slider, and to be read out.
    pub(super) fn says(&self, last: u64) -> String {
        match &self.event {
            Some(event) => words::step(event.revision, last, &words::kind(event.event.kind())),
            None => words::NOT_YET.to_owned(),
        }
    }
}

/// The state as JSON, but for what is nobody's to see here: where the file is stored, and scopes, which may name persons.
fn told(entry: &HistoryEntry) -> Value {
    let mut state = serde_json::to_value(entry.after.as_ref()).unwrap_or_default();
    withhold(&mut state);
    state
}

fn withhold(state: &mut Value) {
    let hide = |value: Option<&mut Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            *value = words::WITHHELD.into();
        }
    };
    hide(state.pointer_mut("/request/scope"));
    for stage in ["completed", "expired"] {
        hide(state.pointer_mut(&format!("/stage/{stage}/artifact/key")));
    }
}

/// The state, what changed, and the event.
pub(super) fn panel(found: &ExportView, asked: &Asked, step: &Step, people: &People) -> Markup {
    let says = step.says(asked.last);
    let revision = asked.revision.map(|revision| revision.to_string());
    html! {
        section #state aria-label=(words::STATE) data-revision=[revision] data-says=(says) data-at=[step.at().map(field_value)] {
            div.heading {
                h2 { (says) }
                (walk::steps(found, asked))
            }
            @match (&step.event, &step.after) {
                (Some(event), Some(after)) => {
                    (rows(&compare(step.before.as_ref(), after)))
                    details {
                        summary { (words::AS_JSON) }
                        pre #json tabindex="0" { (serde_json::to_string_pretty(after).unwrap_or_default()) }
                    }
                    (of_event(event, people))
                }
                _ => p.notice { (words::BEFORE_IT_WAS) " " (show::time(found.export.created_at)) "." },
            }
        }
    }
}

fn rows(rows: &[Row]) -> Markup {
    let count = |change: Change| rows.iter().filter(|row| row.change == change).count();
    let told = words::changes(
        count(Change::Changed),
        count(Change::Added),
        count(Change::Removed),
    );
    html! {
        p.muted { (told) }
        table.state {
            caption.visually-hidden { (words::STATE) }
            thead { tr { th scope="col" { (words::FIELD) } th scope="col" { (words::VALUE) } th scope="col" { (words::CHANGE) } } }
            tbody {
                @for row in rows {
                    tr.(row.change.class()) {
                        th scope="row" { code { (path(&row.path)) } }
                        td {
                            (value(&row.path, &row.value))
                            @if let Some(was) = &row.was { span.was { (words::WAS) " " (value(&row.path, was)) } }
                        }
                        td { (row.change.word()) }
                    }
                }
            }
        }
    }
}

/// A field's place, to be broken after a dot.
fn path(path: &str) -> Markup {
    html! {
        @for (at, part) in path.split('.').enumerate() {
            @if at > 0 { "." wbr; }
            (part)
        }
    }
}

/// A value as it is; moments are told as such, and digests by their beginning: the JSON below has all of them.
fn value(path: &str, value: &Value) -> Markup {
    let name = path.rsplit('.').next().unwrap_or(path);
    let is_moment = name.ends_with("_at") || ["at", "since", "not_before", "until"].contains(&name);
    match value {
        Value::Number(number) if is_moment => match number.as_i64() {
            Some(millis) => show::exact_time(Timestamp::from_millis(millis)),
            None => html! { (number) },
        },
        Value::Null => html! { span.muted { (words::NONE) } },
        Value::String(text) => match show::short_digest(text) {
            Some(short) => html! { code title=(text) { (short) } },
            None => html! { (text) },
        },
        other => html! { (other) },
    }
}

/// What the event itself says, and what it goes back to.
fn of_event(event: &HistoryEntry, people: &People) -> Markup {
    let metadata = &event.metadata;
    let details = history::details(&event.event);
    html! {
        details open {
            summary { (words::THE_EVENT) }
            dl.facts {
                (fact(words::RECORDED_AT, &show::exact_time(metadata.recorded_at)))
                (fact(words::WHO, &people.show(metadata.principal.as_ref())))
                (fact(words::EVENT_ID, &html! { code { (event.id) } }))
                (fact(words::SCHEMA, &html! { (metadata.schema) }))
                (fact(words::CAUSATION, &optional(metadata.causation)))
                (fact(words::CORRELATION, &optional(metadata.correlation)))
                (fact(words::TRACE, &optional(metadata.trace.as_deref())))
            }
            @if details != json!({}) {
                p.label { (words::SAFE_DETAILS) }
                pre tabindex="0" { (serde_json::to_string_pretty(&details).unwrap_or_default()) }
            }
        }
    }
}
