//! Entries as rows. Each opens its full record.

use carnet_projections::audit_log::{AuditCursor, AuditEntry};
use maud::{Markup, html};

use super::super::words::audit as words;
use super::filter::Filter;
use super::people::People;
use super::show;

pub(super) fn table(filter: &Filter, entries: &[AuditEntry], people: &People) -> Markup {
    html! {
        table.log.stacked {
            caption.visually-hidden { (words::ENTRIES) }
            thead {
                tr {
                    th.at scope="col" { (words::TIME) }
                    th.kind scope="col" { (words::WHAT) }
                    th.who scope="col" { (words::WHO) }
                    th.export scope="col" { (words::EXPORT) }
                    th.code scope="col" { (words::CODE) }
                    th scope="col" { (words::DETAILS) }
                }
            }
            @for entry in entries {
                tbody { (row(filter, entry, people, false)) }
            }
        }
    }
}

/// One entry. The time is the link to its record; with scripts it opens and closes it in place.
pub(super) fn row(filter: &Filter, entry: &AuditEntry, people: &People, is_open: bool) -> Markup {
    let record = record_address(entry.cursor);
    let swapped = if is_open {
        format!("{record}?row=closed")
    } else {
        record.clone()
    };
    html! {
        tr {
            td data-label=(words::TIME) {
                a.open id={ "t-" (entry.cursor) } href=(record) hx-get=(swapped) hx-target="closest tbody" hx-swap="innerHTML"
                    aria-expanded=(is_open) {
                    (show::time(entry.at))
                    span.visually-hidden { ": " (words::RECORD) }
                }
            }
            td data-label=(words::WHAT) {
                div { span.words { (words::kind(&entry.kind)) } " " code { (entry.kind) } }
            }
            td data-label=(words::WHO) { (who(filter, entry, people)) }
            td data-label=(words::EXPORT) {
                @if let Some(export) = entry.export_id {
                    a.mono href={ "/audit/exports/" (export) } title=(export) { (show::short_id(export)) }
                }
            }
            td data-label=(words::CODE) { @if let Some(code) = &entry.code { code { (code) } } }
            td.details data-label=(words::DETAILS) { div { (show::summary(&entry.details)) } }
        }
    }
}

/// Where an entry's full record is.
pub(super) fn record_address(cursor: AuditCursor) -> String {
    format!("/audit/entries/{cursor}")
}

/// Who it was, leading to what else they did.
fn who(filter: &Filter, entry: &AuditEntry, people: &People) -> Markup {
    let shown = people.show(entry.principal.as_ref());
    match &entry.principal {
        Some(principal) => {
            let theirs = filter.with(|query| query.principal = Some(principal.clone()));
            html! { a.plain href=(theirs) { (shown) } }
        }
        None => shown,
    }
}
