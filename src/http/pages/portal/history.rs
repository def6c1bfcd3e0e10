//! What was exported: a page of it, with what can be done with each.

use carnet_events::domain::export::{Export, Stage, Status};
use carnet_events::domain::tenant::Tenant;
use carnet_events::ids::{ExportId, Timestamp};
use carnet_projections::exports::{ExportPage, ExportRow};
use maud::{Markup, html};

use super::people::People;
use super::present::{title, titles};
use crate::http::account_exports::{gate, list};
use crate::http::codes::Code;
use crate::http::pages::units::{bytes, grouped, lasting, time};
use crate::http::pages::words::failures::explain;
use crate::http::pages::words::portal as words;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// Exports on a page.
pub(super) const PAGE_SIZE: u32 = 25;

/// Which part of the history is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) status: Option<Status>,
    pub(super) page: u32,
}

impl Default for Part {
    /// The beginning of all.
    fn default() -> Self {
        Self {
            status: None,
            page: 1,
        }
    }
}

impl Part {
    /// Its address.
    pub(super) fn address(self) -> String {
        format!("/settings?section=data-exports{}", self.query())
    }

    /// What stands in the query for it, after other parameters.
    pub(super) fn query(self) -> String {
        let status = self.status.map(|status| format!("&status={status}"));
        let page = (self.page > 1).then(|| format!("&page={}", self.page));
        format!("{}{}", status.unwrap_or_default(), page.unwrap_or_default())
    }
}

/// A part of the history, looked up.
pub(super) struct History {
    part: Part,
    total: u64,
    rows: Vec<Row>,
    now: Timestamp,
}

struct Row {
    id: ExportId,
    export: Export,
    titles: Vec<String>,
    who: String,
    /// Why the file can't be had; `None`: it can.
    blocked: Option<Code>,
    failure: Option<(String, &'static str)>,
}

impl History {
    /// Looks a part of the history up.
    pub(super) async fn look(
        state: &AppState,
        viewer: &Viewer,
        part: Part,
    ) -> Result<Self, Problem> {
        let ExportPage { rows, total } =
            list::read(state, viewer, part.status, part.page, PAGE_SIZE).await?;
        let tenant = state.system.tenant(&viewer.tenant).await?.tenant;
        let (mut people, now) = (People::new(state, viewer), state.clock.now());
        let mut shown = Vec::with_capacity(rows.len());
        for ExportRow { id, export, .. } in rows {
            let request = &export.request;
            shown.push(Row {
                id,
                titles: titles(state, &request.categories),
                who: people.asker(request.origin, &request.principal).await?,
                blocked: blocked(state, viewer, &tenant, &export, now),
                failure: failure(state, &export),
                export,
            });
        }
        Ok(Self {
            part,
            total,
            rows: shown,
            now,
        })
    }

    /// The exports in it, with their statuses.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (ExportId, Status, String)> {
        self.rows.iter().map(|row| {
            let status = row.export.status_at(self.now);
            (row.id, status, row.titles.join(", "))
        })
    }

    /// When the next of its files can no longer be had.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        let ends = self.rows.iter().filter_map(|row| {
            let end = row.export.published()?.expires_at;
            end.filter(|end| *end > self.now)
        });
        ends.min()
    }

    /// The list. Exports in `above` are shown above it already.
    pub(super) fn render(&self, above: &[ExportId]) -> Markup {
        let left_out = |row: &&Row| self.part.status.is_none() && above.contains(&row.id);
        let rows: Vec<&Row> = self.rows.iter().filter(|row| !left_out(row)).collect();
        html! {
            @if rows.is_empty() {
                (self.empty())
            } @else {
                table.stacked.history {
                    thead { tr {
                        @for column in words::COLUMNS { th scope="col" { (column) } }
                        th scope="col" { span.visually-hidden { (words::ACTIONS) } }
                    } }
                    tbody { @for row in rows { (self.row(row)) } }
                }
            }
            (self.pages())
        }
    }

    fn empty(&self) -> Markup {
        let text = match (self.part.status, self.total) {
            (None, 0) => words::EMPTY,
            (Some(_), 0) => words::EMPTY_FILTER,
            (None, _) if self.part.page == 1 => words::EMPTY_REST,
            _ => words::EMPTY_PAGE,
        };
        html! {
            div.empty {
                p { (text) }
                @if self.part.status.is_some() || self.part.page > 1 {
                    p { a href="/settings?section=data-exports#history" { (words::SHOW_ALL) } }
                }
            }
        }
    }

    fn row(&self, row: &Row) -> Markup {
        let (export, id) = (&row.export, row.id);
        let status = export.status_at(self.now);
        let [c_status, c_when, c_what, c_size, c_until] = words::COLUMNS;
        html! {
            tr id={ "export-" (id) } {
                td data-label=(c_status) { span.status.(status.as_str()) { (words::status(status)) } }
                td data-label=(c_when) { div { (time(export.created_at)) div.muted { (words::by(&row.who)) } } }
                @if let Some((happened, to_do)) = &row.failure {
                    td data-label=(c_what) colspan="3" {
                        div { (row.titles.join(", ")) p.why { (happened) " " (to_do) } }
                    }
                } @else {
                    td data-label=(c_what) { (row.titles.join(", ")) }
                    td data-label=(c_size) { (size(export)) }
                    td data-label=(c_until) { (self.available(row, status)) }
                }
                td.row-actions { (actions(row, status)) }
            }
        }
    }

    fn available(&self, row: &Row, status: Status) -> Markup {
        let end = row
            .export
            .published()
            .and_then(|published| published.expires_at);
        html! {
            @match (status, row.blocked, end) {
                (Status::Completed, Some(Code::ArtifactDamaged), _) => span { (words::DAMAGED) },
                (Status::Completed, Some(Code::TenantClosed), _) => span { (words::CLOSED) },
                (Status::Completed, Some(_), _) => span { (words::CHANGED) },
                (Status::Completed, None, Some(end)) => div {
                    (time(end))
                    div.muted { (words::left_of_window(&lasting(end.since(self.now)))) }
                },
                (Status::Completed, None, None) => (words::NO_END),
                (Status::Expired, _, Some(end)) => span.muted { (words::ENDED) (time(end)) },
                _ => span.muted { "–" },
            }
        }
    }

    fn pages(&self) -> Markup {
        let pages = self.total.div_ceil(u64::from(PAGE_SIZE)).max(1);
        let page = self.part.page;
        let to = |page| Part { page, ..self.part }.address();
        html! {
            nav.pages aria-label=(words::PAGES) {
                @if page > 1 { a.button.quiet rel="prev" href={ (to(page - 1)) "#history" } { "← " (words::NEWER) } }
                @if pages > 1 { span.muted { (words::page_of(&grouped(page.into()), &grouped(pages))) } }
                @if u64::from(page) < pages { a.button.quiet rel="next" href={ (to(page + 1)) "#history" } { (words::OLDER) " →" } }
                @if self.total > 1 { span.muted { (words::total(&grouped(self.total))) } }
            }
        }
    }
}

/// The links that choose which statuses are shown.
pub(super) fn filter(part: Part) -> Markup {
    let link = |status: Option<Status>, text: &str| {
        let address = Part { status, page: 1 }.address();
        html! {
            a href={ (address) "#history" } aria-current=[(part.status == status).then_some("true")] { (text) }
        }
    };
    html! {
        nav.filter aria-label=(words::SHOW) {
            (link(None, words::ALL))
            @for status in Status::ALL { (link(Some(status), words::status(status))) }
        }
    }
}

fn size(export: &Export) -> Markup {
    html! {
        @if let Some(published) = export.published() {
            @let rows = published.categories.values().map(|category| category.rows).sum();
            div {
                (bytes(published.artifact.bytes))
                div.muted { (words::rows(&grouped(rows))) }
            }
        } @else { span.muted { "–" } }
    }
}

fn actions(row: &Row, status: Status) -> Markup {
    let id = row.id;
    let own = format!("/settings/data-exports/{id}");
    html! {
        div.actions {
            @if row.blocked.is_none() {
                a.button #{ "download-" (id) } href={ "/api/account-exports/" (id) "/download" } download { (words::DOWNLOAD) }
                a.button.quiet #{ "link-" (id) } href={ (own) "#link" } { (words::LINK) }
            }
            @if matches!(status, Status::Failed | Status::Cancelled | Status::Expired) {
                a.button.quiet #{ "again-" (id) } href={ "/settings?section=data-exports&again=" (id) "#new-export" } { (words::AGAIN) }
            }
            a.button.quiet #{ "details-of-" (id) } href=(own) { (words::DETAILS) }
        }
    }
}

/// Why a file can't be had now; `None`: it can. A download's answer is the same for a closed tenant and changed
/// rights; its people are told which, for only one of them calls for a new export.
pub(super) fn blocked(
    state: &AppState,
    viewer: &Viewer,
    tenant: &Tenant,
    export: &Export,
    now: Timestamp,
) -> Option<Code> {
    let holder = gate::Holder::Caller(&viewer.caller);
    let blocked = gate::offer(state, tenant, export, &holder, now).err()?;
    match tenant.serves_at(now) {
        true => Some(blocked.code),
        false => Some(Code::TenantClosed),
    }
}

/// Why it failed, and what to do.
pub(super) fn failure(state: &AppState, export: &Export) -> Option<(String, &'static str)> {
    match &export.stage {
        Stage::Failed(ending) => {
            let explained = explain(&ending.code, &ending.parameters, |id| title(state, id));
            Some((explained.happened, explained.to_do))
        }
        _ => None,
    }
}
