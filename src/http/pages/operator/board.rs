//! The board itself: its parts in their places. Each place takes up what `/operator/live` sends under its name.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::stream::StreamName;
use carnet_projections::ProjectionName;
use maud::{Markup, html};
use serde::Deserialize;

use super::now::{Now, Range};
use super::parts::{self, CHARTS};
use super::{Place, admit, notice, page};
use crate::auth::Caller;
use crate::http::authenticate::SignedIn;
use crate::http::pages::form::csrf_field;
use crate::http::pages::units::ago;
use crate::http::pages::words::operator as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

/// How long a page waits for what was done just before.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What the address says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    pub(super) range: Range,
    /// What an act left in the address.
    event: Option<u64>,
    #[serde(default)]
    unchanged: bool,
}

pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    let asked: Asked = query(&request)?;
    if asked.event.is_some() {
        // Who has just done something sees it; if that takes long, they see it a little later.
        let _ = state.wait_for(ProjectionName::Operations, PATIENCE).await;
    }
    let now = Now::read(&state, asked.range).await;
    let platform = StreamName::platform();
    let notice = notice::of(&state, &platform, None, asked.event, asked.unchanged).await;
    let content = board(&now, &caller.0, notice);
    Ok(page(
        &state,
        &caller.0,
        Place::Board,
        words::TITLE,
        &content,
    ))
}

fn board(now: &Now, caller: &Caller, notice: Option<Markup>) -> Markup {
    let parts = Parts(
        parts::parts(now)
            .into_iter()
            .map(|part| (part.name, part.content))
            .collect(),
    );
    let verify = html! {
        form.verify method="post" action="/operator/storages/verify" {
            (csrf_field(caller))
            button.small type="submit" { (words::VERIFY_NOW) }
        }
    };
    html! {
        @if let Some(notice) = notice { (notice) }
        div hx-ext="sse" sse-connect={ "/operator/live?range=" (now.range.as_str()) } {
            div.title {
                h1 { (words::TITLE) }
                span.muted { (words::LAST_CHANGE) " " span sse-swap="changed" { (ago(now.at)) } }
            }
            div role="status" { (parts.place("verdict")) }
            (parts.place("tiles"))
            (ranges(now.range))
            div.charts {
                @for (chart, table, title) in CHARTS {
                    section.card.chart aria-labelledby={ (chart) "-heading" } {
                        h2 #{ (chart) "-heading" } { (title) }
                        (parts.place(chart))
                        details { summary { (words::AS_TABLE) } (parts.place(table)) }
                    }
                }
            }
            div.pair {
                (section("running", words::RUNNING_NOW, &parts, &html! {}))
                (section("codes", words::BY_CODE, &parts, &html! {}))
            }
            (section("nodes", words::NODES, &parts, &html! {}))
            (section("history", words::HISTORY, &parts, &html! {}))
            div.pair {
                (section("storages", words::STORES, &parts, &verify))
                (section("switches", words::SWITCHES, &parts, &html! {}))
            }
        }
    }
}

fn ranges(shown: Range) -> Markup {
    html! {
        nav.ranges aria-label=(words::RANGE) {
            @for range in Range::ALL {
                a href={ "/operator?range=" (range.as_str()) } aria-current=[(range == shown).then_some("true")] {
                    @match range { Range::Hour => (words::HOUR), Range::Day => (words::DAY) }
                }
            }
        }
    }
}

fn section(name: &'static str, title: &str, parts: &Parts, below: &Markup) -> Markup {
    html! {
        section #(name) aria-labelledby={ (name) "-heading" } {
            h2 #{ (name) "-heading" } { (title) }
            (parts.place(name))
            (below)
        }
    }
}

struct Parts(HashMap<&'static str, Markup>);

impl Parts {
    /// Where a part stands, and is taken up anew.
    fn place(&self, name: &'static str) -> Markup {
        html! { div sse-swap=(name) { @if let Some(part) = self.0.get(name) { (part) } } }
    }
}
