//! The filters as a form, and the files of what they admit.

use carnet_events::ids::Timestamp;
use carnet_projections::audit_log::TYPES;
use maud::{Markup, html};

use super::super::units::field_value;
use super::super::words::audit as words;
use super::filter::{Filter, address};
use super::people::People;

/// The form; each field says what is wrong with it.
pub(super) fn form(filter: &Filter, people: &People) -> Markup {
    let typed = &filter.typed;
    // Where a pseudonym was typed the name is shown, once known; both lead to the same person.
    let person = filter
        .query
        .principal
        .as_ref()
        .and_then(|principal| people.name(principal))
        .unwrap_or(&typed.principal);
    html! {
        form.audit-filters method="get" action="/audit" role="search" aria-label=(words::FILTERS) {
            (moment(filter, "from", words::FROM, &typed.from, filter.query.from))
            (moment(filter, "to", words::TO, &typed.to, filter.query.to))
            (field(filter, "type", words::TYPE, None, &html! {
                select #f-type name="type" aria-describedby=[described(filter, "type")] aria-invalid=[invalid(filter, "type")] {
                    option value="" { (words::ANY_TYPE) }
                    @if filter.wrong.contains_key("type") {
                        option value=(typed.kind) selected { (typed.kind) }
                    }
                    @for kind in TYPES {
                        option value=(kind) selected[typed.kind == **kind] { (words::kind(kind)) }
                    }
                }
            }))
            (text(filter, "principal", words::PERSON, words::PERSON_HINT, person))
            (text(filter, "export_id", words::EXPORT, words::EXPORT_HINT, &typed.export_id))
            div.actions {
                button.primary type="submit" { (words::APPLY) }
                @if filter.is_narrow() || !filter.wrong.is_empty() {
                    a.button.quiet href="/audit" { (words::CLEAR) }
                }
            }
        }
    }
}

/// Files of exactly what is filtered, by the API.
pub(super) fn files(filter: &Filter) -> Markup {
    let file = |format: &str| {
        let format = [("format", format.to_owned())];
        address("/api/audit-log", &filter.query, format)
    };
    html! {
        div.actions role="group" aria-label=(words::DOWNLOAD) title=(words::DOWNLOAD) {
            a.button href=(file("csv")) download { (words::CSV) }
            a.button href=(file("ndjson")) download { (words::NDJSON) }
        }
    }
}

/// A field with its label, and what is wrong with it.
fn field(
    filter: &Filter,
    name: &'static str,
    label: &str,
    unit: Option<&str>,
    input: &Markup,
) -> Markup {
    html! {
        div.field {
            label for={ "f-" (name) } {
                (label)
                @if let Some(unit) = unit { " " span.hint { (unit) } }
            }
            (input)
            @if let Some(wrong) = filter.wrong.get(name) {
                p.wrong id={ "w-" (name) } { (wrong) }
            }
        }
    }
}

/// A date and time. What can't be read is kept as it was typed, which only a text field can show.
fn moment(
    filter: &Filter,
    name: &'static str,
    label: &str,
    typed: &str,
    at: Option<Timestamp>,
) -> Markup {
    let value = at.map_or_else(|| typed.to_owned(), field_value);
    let kind = if at.is_none() && !typed.is_empty() {
        "text"
    } else {
        "datetime-local"
    };
    let input = html! {
        input id={ "f-" (name) } type=(kind) step="any" name=(name) value=(value)
            aria-describedby=[described(filter, name)] aria-invalid=[invalid(filter, name)];
    };
    field(filter, name, label, Some(words::UTC), &input)
}

fn text(filter: &Filter, name: &'static str, label: &str, hint: &str, value: &str) -> Markup {
    let input = html! {
        input id={ "f-" (name) } type="search" name=(name) value=(value) placeholder=(hint) autocomplete="off" spellcheck="false"
            aria-describedby=[described(filter, name)] aria-invalid=[invalid(filter, name)];
    };
    field(filter, name, label, None, &input)
}

fn described(filter: &Filter, name: &str) -> Option<String> {
    filter.wrong.contains_key(name).then(|| format!("w-{name}"))
}

fn invalid(filter: &Filter, name: &str) -> Option<&'static str> {
    filter.wrong.contains_key(name).then_some("true")
}
