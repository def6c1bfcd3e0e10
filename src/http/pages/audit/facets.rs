//! What the entries come to, by type and by person: each figure narrows the log to what it counts.

use carnet_projections::audit_log::AuditFacets;
use maud::{Markup, html};

use super::super::units::grouped;
use super::super::words::audit as words;
use super::filter::Filter;
use super::people::People;
use super::show;

/// Persons that are shown at once; others are found by name.
const PERSONS: usize = 8;

/// The principals that are shown.
pub(super) fn shown(
    facets: &AuditFacets,
) -> impl Iterator<Item = &carnet_events::ids::PrincipalId> {
    let persons = facets.persons.iter().take(PERSONS);
    persons.map(|person| &person.principal)
}

pub(super) fn facets(filter: &Filter, facets: &AuditFacets, people: &People) -> Markup {
    if facets.types.is_empty() && facets.persons.is_empty() {
        return html! {};
    }
    html! {
        @if let Some(since) = facets.counted_since {
            p.notice.warn { (words::COUNTED_SINCE) " " (show::time(since)) "." }
        }
        div.facets {
            (types(filter, facets))
            (persons(filter, facets, people))
        }
    }
}

fn types(filter: &Filter, facets: &AuditFacets) -> Markup {
    let asked = filter.query.kind.as_deref();
    let mut types: Vec<_> = facets.types.iter().collect();
    types.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    html! {
        nav aria-label=(words::BY_TYPE) {
            p.label { (words::BY_TYPE) }
            ul {
                @if asked.is_some() {
                    li { a href=(filter.with(|query| query.kind = None)) { (words::ALL) } }
                }
                @for (kind, count) in types {
                    li {
                        a href=(filter.with(|query| query.kind = Some(kind.clone()))) title=(kind)
                            aria-current=[(asked == Some(kind)).then_some("true")] {
                            (words::kind(kind)) " " (figure(facets, *count))
                        }
                    }
                }
            }
        }
    }
}

fn persons(filter: &Filter, facets: &AuditFacets, people: &People) -> Markup {
    let asked = filter.query.principal.as_ref();
    let more = facets
        .persons_total
        .saturating_sub(facets.persons.len().min(PERSONS) as u64);
    html! {
        nav aria-label=(words::BY_PERSON) {
            p.label { (words::BY_PERSON) }
            ul {
                @if asked.is_some() {
                    li { a href=(filter.with(|query| query.principal = None)) { (words::ALL) } }
                }
                @for person in facets.persons.iter().take(PERSONS) {
                    li {
                        a href=(filter.with(|query| query.principal = Some(person.principal.clone())))
                            aria-current=[(asked == Some(&person.principal)).then_some("true")] {
                            (people.show(Some(&person.principal))) " " (figure(facets, person.count))
                        }
                    }
                }
                @if more > 0 { li.muted { (words::more_persons(&grouped(more))) } }
            }
        }
    }
}

fn figure(facets: &AuditFacets, count: u64) -> Markup {
    html! { span.count { @if facets.counted_since.is_some() { "≥ " } (grouped(count)) } }
}
