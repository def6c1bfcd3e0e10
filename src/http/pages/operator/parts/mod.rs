//! The parts of the board. Each is rendered by itself, so that a part that changed can be sent alone. No part holds a
//! form, and none says an age: scripts reckon it from the time, so a part only changes when something happened.

mod figures;
mod graphs;
mod house;
mod verdict;

use carnet_events::ids::{ExportId, NodeId, TenantId};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::now::Now;
use crate::http::pages::words::operator as words;

pub(super) use graphs::CHARTS;

/// A part of the board.
pub(super) struct Part {
    /// Its name: of its place in the page, and of the message that carries it.
    pub(super) name: &'static str,
    /// What stands there.
    pub(super) content: Markup,
}

/// All parts.
pub(super) fn parts(now: &Now) -> Vec<Part> {
    let part = |name, content| Part { name, content };
    let mut parts = vec![
        part("verdict", verdict::verdict(now)),
        part("tiles", of_figures(now, figures::tiles)),
        part("running", of_figures(now, figures::running)),
        part("codes", of_figures(now, figures::codes)),
        part("nodes", of_figures(now, house::nodes)),
        part("history", house::history(now)),
        part("storages", house::storages(now)),
        part("switches", house::switches(now)),
    ];
    for chart in graphs::charts(now) {
        parts.push(part(chart.id, chart.drawing()));
        parts.push(part(graphs::table_of(chart.id), chart.table()));
    }
    parts
}

fn of_figures(now: &Now, show: impl Fn(&Now, &super::now::Figures) -> Markup) -> Markup {
    match &now.figures {
        Some(figures) => show(now, figures),
        None => html! { p.empty { (words::FIGURES_GONE) } },
    }
}

/// A link to an export's page; the end of its id tells it from others, for the beginning is a time.
pub(super) fn export_link(id: ExportId) -> Markup {
    let text = id.to_string();
    let short = text.get(text.len().saturating_sub(8)..).unwrap_or(&text);
    html! { a.mono #{ "x-" (text) } href={ "/operator/exports/" (text) } title=(text) { "…" (short) } }
}

/// A link to a tenant's page.
pub(super) fn tenant_link(tenant: &TenantId) -> Markup {
    html! { a href=(tenant_address(tenant)) { (tenant) } }
}

/// Where a tenant's page is.
pub(super) fn tenant_address(tenant: &TenantId) -> String {
    let id = utf8_percent_encode(tenant.as_str(), NON_ALPHANUMERIC);
    format!("/operator/tenants/{id}")
}

/// A node by the beginning of its id.
pub(super) fn node_name(node: NodeId) -> Markup {
    let text = node.to_string();
    html! { span.mono title=(text) { (text.get(..8).unwrap_or(&text)) } }
}

/// A state: a colour, a shape and a word.
pub(super) fn state(class: &str, word: &str) -> Markup {
    html! { span.{ "status " (class) } { (word) } }
}
