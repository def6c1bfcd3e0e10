//! The form for a new export. Everything is chosen already, so that one click is enough.

use std::collections::BTreeMap;
use std::sync::Arc;

use carnet_actors::ExportView;
use carnet_events::ids::ExportId;
use carnet_projections::exports::LastRows;
use maud::{Markup, html};
use uuid::Uuid;

use super::policy;
use crate::config::Compression;
use crate::export::catalog::Category;
use crate::http::account_exports::catalog::{COMPRESSIONS, FORMATS, format_name};
use crate::http::account_exports::create::NewExport;
use crate::http::pages::form::{Form, csrf_field};
use crate::http::pages::units::grouped;
use crate::http::pages::words::portal as words;
use crate::http::reason;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// The form's id; its button stands at the top of the page.
pub(super) const FORM: &str = "new-export";
/// Where it is posted.
pub(super) const ADDRESS: &str = "/settings/data-exports";

/// What is filled in.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Filled {
    /// Ids of the chosen categories; `None`: all.
    categories: Option<Vec<String>>,
    format: Option<String>,
    compression: Option<String>,
    scope: Option<String>,
    reason: Option<String>,
    /// The browser is to save the file; `None`: as usual.
    save: Option<bool>,
    /// The export that is tried again.
    again: Option<String>,
}

impl Filled {
    /// As the form was sent.
    pub(super) fn sent(form: &Form) -> Self {
        let field = |name: &str| form.filled(name).map(str::to_owned);
        Self {
            categories: Some(form.all("categories").map(str::to_owned).collect()),
            format: field("format"),
            compression: field("compression"),
            scope: field("scope"),
            reason: field("reason"),
            save: Some(form.filled("save").is_some()),
            again: field("again"),
        }
    }

    /// As an earlier export was asked for.
    pub(super) fn again(found: &ExportView) -> Self {
        let request = &found.export.request;
        let compression = match request.layers.first() {
            Some(carnet_events::domain::request::Layer::Gzip) => "gzip",
            Some(carnet_events::domain::request::Layer::Zstd) => "zstd",
            None => "none",
        };
        Self {
            categories: Some(request.categories.clone()),
            compression: Some(compression.to_owned()),
            scope: request.scope.as_ref().map(|scope| scope.id.clone()),
            again: Some(found.id.to_string()),
            ..Self::default()
        }
    }

    /// Whether the browser is to save the file.
    pub(super) fn saves(&self) -> bool {
        self.save == Some(true)
    }

    /// The export that is tried again.
    pub(super) fn tries_again(&self) -> Option<&str> {
        self.again.as_deref()
    }

    /// As the API would be asked.
    pub(super) fn request(self, retry_of: Option<ExportId>) -> NewExport {
        NewExport {
            categories: self.categories.unwrap_or_default(),
            format: self.format,
            compression: self.compression,
            scope: self.scope,
            reason: self.reason,
            retry_of,
        }
    }

    fn has(&self, category: &str) -> bool {
        let chosen = self.categories.as_ref();
        chosen.is_none_or(|chosen| chosen.iter().any(|id| id == category))
    }
}

/// The form.
pub(super) fn render(
    state: &AppState,
    viewer: &Viewer,
    categories: &[&Arc<Category>],
    last: &BTreeMap<String, LastRows>,
    filled: &Filled,
) -> Markup {
    if categories.is_empty() {
        return html! { p.empty { (words::NOTHING_PERMITTED) } };
    }
    html! {
        form.card.new #(FORM) method="post" action=(ADDRESS) {
            h2 { (words::NEW) }
            (csrf_field(&viewer.caller))
            // Sent twice by an impatient click, it is one export.
            input type="hidden" name="once" value=(Uuid::new_v4());
            @if let Some(again) = filled.tries_again() { input type="hidden" name="again" value=(again); }
            fieldset.categories {
                legend { (words::CATEGORIES) }
                @for category in categories { (choice(category, last.get(category.id()), filled.has(category.id()))) }
            }
            div.options {
                (options(words::FORMAT, "format", &FORMATS, words::format_name, format(state, filled)))
                (options(words::COMPRESSION, "compression", &COMPRESSIONS, words::compression_name, compression(state, filled)))
                @if categories.iter().any(|category| category.rules.binds_scope) {
                    div.field {
                        label for="scope" { (words::SCOPE) }
                        input #scope type="text" name="scope" maxlength="128" value=[&filled.scope] aria-describedby="scope-hint" autocomplete="off";
                        span.hint #scope-hint { (words::SCOPE_HINT) }
                    }
                }
                div.field.wide {
                    label for="reason" { (words::REASON) }
                    input #reason type="text" name="reason" maxlength=(reason::MAX_CHARACTERS) value=[&filled.reason] aria-describedby="reason-hint" autocomplete="off";
                    span.hint #reason-hint { (words::REASON_HINT) }
                }
            }
            p.save.scripted {
                input #save type="checkbox" name="save" value="yes" checked[filled.save.unwrap_or(true)];
                label for="save" { (words::SAVE) }
            }
        }
    }
}

fn choice(category: &Category, last: Option<&LastRows>, chosen: bool) -> Markup {
    let id = category.id();
    html! {
        div.choice {
            input type="checkbox" name="categories" value=(id) id={ "category-" (id) } checked[chosen] aria-describedby={ "policy-" (id) };
            label for={ "category-" (id) } {
                (category.title)
                @if let Some(last) = last { span.hint { (words::rows_last_time(&grouped(last.rows))) } }
            }
            p.hint id={ "policy-" (id) } { (policy::in_words(category)) }
        }
    }
}

fn options(
    label: &str,
    name: &str,
    offered: &[&'static str],
    in_words: impl Fn(&str) -> &str,
    chosen: &str,
) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select #(name) name=(name) {
                @for option in offered {
                    option value=(option) selected[*option == chosen] { (in_words(option)) }
                }
            }
        }
    }
}

fn format<'a>(state: &AppState, filled: &'a Filled) -> &'a str {
    let default = format_name(state.config.artifacts.format);
    filled.format.as_deref().unwrap_or(default)
}

fn compression<'a>(state: &AppState, filled: &'a Filled) -> &'a str {
    let default = match state.config.artifacts.compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::None => "none",
    };
    filled.compression.as_deref().unwrap_or(default)
}
