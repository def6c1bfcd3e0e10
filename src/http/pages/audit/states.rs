//! What stands in place of entries when there are none.

use maud::{Markup, html};

use super::super::words::audit as words;
use super::filter::Filter;
use super::people::People;
use super::show;

/// An empty log, or filters that nothing matches: which they are, and the way out of each.
pub(super) fn nothing(filter: &Filter, people: &People) -> Markup {
    if !filter.is_narrow() {
        return html! {
            div.empty {
                p { strong { (words::EMPTY) } }
                p { (words::EMPTY_HINT) }
            }
        };
    }
    html! {
        div.empty {
            p { strong { (words::NO_MATCH) } }
            ul.applied {
                @for (name, value, without) in applied(filter, people) {
                    li { (name) ": " strong { (value) } " " a href=(without) { (words::REMOVE) span.visually-hidden { " " (name) } } }
                }
            }
            p { a.button href="/audit" { (words::CLEAR) } }
        }
    }
}

/// Each filter: its name, its value, and the address without it.
fn applied(filter: &Filter, people: &People) -> Vec<(&'static str, String, String)> {
    let query = &filter.query;
    let time = |at: carnet_events::ids::Timestamp| format!("{} UTC", show::plain(&at.to_string()));
    let person = query.principal.as_ref().map(|principal| {
        people
            .name(principal)
            .unwrap_or(principal.as_str())
            .to_owned()
    });
    [
        (
            words::FROM,
            query.from.map(time),
            filter.with(|query| query.from = None),
        ),
        (
            words::TO,
            query.to.map(time),
            filter.with(|query| query.to = None),
        ),
        (
            words::TYPE,
            query.kind.as_deref().map(words::kind),
            filter.with(|query| query.kind = None),
        ),
        (
            words::PERSON,
            person,
            filter.with(|query| query.principal = None),
        ),
        (
            words::EXPORT,
            query.export.map(|id| id.to_string()),
            filter.with(|query| query.export = None),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value, without)| Some((name, value?, without)))
    .collect()
}
