//! `/operator/exports`: exports of all tenants, newest first, by filters that stand in the address.

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::export::{Export, Stage, Status};
use carnet_events::ids::{ExportId, TenantId, Timestamp};
use carnet_projections::ProjectionName;
use carnet_projections::exports::{EverywherePage, EverywhereQuery, ExportRow};
use carnet_projections::worklist::Mark;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use uuid::Uuid;

use super::board::PATIENCE;
use super::parts::{export_link, state as status_of, tenant_link};
use super::{Place, admit, page};
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::pages::see_other;
use crate::http::pages::units::{ago, lasting, time};
use crate::http::pages::words::operator as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

const PAGE_SIZE: u32 = 50;
/// Stuck exports are as few as there are workers.
const MAX_STUCK: u32 = 200;

/// The filters, as the address has them. What a form leaves empty isn't asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    status: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    stuck: String,
    /// Where the page begins: after the export asked for at this time, with this id.
    before: Option<String>,
}

impl Asked {
    fn is_stuck(&self) -> bool {
        self.stuck == "true"
    }

    fn query(&self) -> Result<EverywhereQuery, Problem> {
        let bad = |what: &str| Problem::malformed(what);
        let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let status = filled(&self.status).map(|text| text.parse::<Status>());
        let tenant = filled(&self.tenant).map(TenantId::new);
        let before = self.before.as_deref().map(mark);
        Ok(EverywhereQuery {
            status: status.transpose().map_err(|_| bad(words::BAD_STATUS))?,
            tenant: tenant.transpose().map_err(|_| bad(words::BAD_TENANT))?,
            code: filled(&self.code),
            before: before
                .map(|mark| mark.ok_or_else(|| bad(words::BAD_BEFORE)))
                .transpose()?,
            page_size: PAGE_SIZE,
        })
    }

    /// The address of the page that begins after `last`; without it, of the first.
    fn page_after(&self, last: Option<&ExportRow>) -> String {
        let before = last.map(|row| format!("{}~{}", row.export.created_at.as_millis(), row.id));
        let pairs = [
            ("before", before.as_deref().unwrap_or("")),
            ("status", self.status.trim()),
            ("tenant", self.tenant.trim()),
            ("code", self.code.trim()),
        ];
        let asked = pairs.iter().filter(|(_, value)| !value.is_empty());
        let asked: Vec<_> = asked
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        format!("/operator/exports?{}", asked.join("&"))
    }
}

fn mark(text: &str) -> Option<Mark> {
    let (at, export) = text.split_once('~')?;
    Some(Mark {
        at: Timestamp::from_millis(at.parse().ok()?),
        export: export.parse().ok()?,
    })
}

pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    let asked: Asked = query(&request)?;
    // What was just done shows; a list that is behind is shown all the same.
    let _ = state.wait_for(ProjectionName::Exports, PATIENCE).await;
    let found = match asked.is_stuck() {
        true => stuck(&state).await?,
        false => {
            state
                .projections
                .exports()
                .everywhere(asked.query()?)
                .await?
        }
    };
    let content = list(&asked, &found, state.clock.now());
    Ok(page(
        &state,
        &caller.0,
        Place::Exports,
        words::EXPORTS,
        &content,
    ))
}

/// Running exports without a sign of life for a lease, the ones silent longest.
async fn stuck(state: &AppState) -> Result<EverywherePage, Problem> {
    let (now, lease) = (state.clock.now(), state.config.workers.lease.get());
    let operations = state.projections.operations();
    let silent = operations.stuck(now, lease, MAX_STUCK).await?;
    let mut rows = Vec::new();
    for one in silent.exports {
        rows.extend(state.projections.exports().get(one.mark.export).await?);
    }
    Ok(EverywherePage { rows, more: false })
}

fn list(asked: &Asked, found: &EverywherePage, now: Timestamp) -> Markup {
    html! {
        h1 { (words::EXPORTS) }
        (filters(asked))
        @if found.rows.is_empty() {
            p.empty { (words::NO_EXPORTS) }
        } @else {
            table.stacked {
                thead { tr {
                    th scope="col" { (words::EXPORT) } th scope="col" { (words::TENANT) } th scope="col" { (words::STATUS) }
                    th scope="col" { (words::CODE) } th scope="col" { (words::REQUESTED) } th scope="col" { (words::TOOK) }
                    th.number scope="col" { (words::ATTEMPT) } th scope="col" { (words::SIGN_OF_LIFE) }
                } }
                tbody { @for row in &found.rows { (line(row, now)) } }
            }
            nav.pages aria-label=(words::PAGES) {
                @if asked.before.is_some() { a.button href=(asked.page_after(None)) { (words::NEWEST) } }
                @if let Some(last) = found.rows.last().filter(|_| found.more) { a.button href=(asked.page_after(Some(last))) rel="next" { (words::OLDER) } }
            }
        }
    }
}

fn filters(asked: &Asked) -> Markup {
    html! {
        form.narrow-by action="/operator/exports" method="get" {
            div.field {
                label for="status" { (words::STATUS) }
                select #status name="status" {
                    option value="" { (words::ANY) }
                    @for one in Status::ALL { option value=(one) selected[asked.status == one.as_str()] { (words::status(one)) } }
                }
            }
            div.field {
                label for="tenant" { (words::TENANT) }
                input #tenant type="text" name="tenant" maxlength="128" value=(asked.tenant);
            }
            div.field {
                label for="code" { (words::FAILED_WITH) }
                input #code type="text" name="code" maxlength="64" value=(asked.code);
            }
            label.check { input type="checkbox" name="stuck" value="true" checked[asked.is_stuck()]; " " (words::STUCK_ONLY) }
            button type="submit" { (words::SHOW) }
        }
    }
}

fn line(row: &ExportRow, now: Timestamp) -> Markup {
    let export = &row.export;
    let status = export.status_at(now);
    html! {
        tr {
            td data-label=(words::EXPORT) { (export_link(row.id)) }
            td data-label=(words::TENANT) { (tenant_link(&export.request.tenant)) }
            td data-label=(words::STATUS) { (status_of(status.as_str(), words::status(status))) }
            td.mono data-label=(words::CODE) { (code(export).unwrap_or("–")) }
            td data-label=(words::REQUESTED) { (time(export.created_at)) }
            td data-label=(words::TOOK) { @if let Some(end) = ended(export) { (took(export.created_at, end)) } @else { "–" } }
            td.number data-label=(words::ATTEMPT) { (export.attempt) }
            td data-label=(words::SIGN_OF_LIFE) {
                @match &export.stage { Stage::Running(attempt) => (ago(attempt.alive_at)), _ => "–" }
            }
        }
    }
}

/// From the request to the end, to the millisecond where that says something.
pub(super) fn took(from: Timestamp, to: Timestamp) -> String {
    let length = to.since(from);
    match length.as_secs() {
        0..10 => super::charts::millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
        _ => lasting(length),
    }
}

pub(super) fn ended(export: &Export) -> Option<Timestamp> {
    match &export.stage {
        Stage::Queued { .. } | Stage::Running(_) => None,
        Stage::Completed(published) | Stage::Expired(published) => Some(published.at),
        Stage::Failed(ending) | Stage::Cancelled(ending) => Some(ending.at),
    }
}

/// Why it failed, was cancelled, or is tried again.
pub(super) fn code(export: &Export) -> Option<&str> {
    match &export.stage {
        Stage::Queued { last_failure, .. } => last_failure.as_deref(),
        Stage::Failed(ending) | Stage::Cancelled(ending) => Some(&ending.code),
        Stage::Running(_) | Stage::Completed(_) | Stage::Expired(_) => None,
    }
}

/// What `/operator/find` is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    id: String,
}

/// Leads to the export or tenant of an id; what is no export's id is taken for a tenant's.
pub(super) async fn find(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    let wanted: Wanted = query(&request)?;
    let id = wanted.id.trim();
    let place = match (Uuid::parse_str(id), TenantId::new(id)) {
        (Ok(export), _) => format!("/operator/exports/{}", ExportId::from_uuid(export)),
        (_, Ok(tenant)) => super::parts::tenant_address(&tenant),
        (Err(_), Err(_)) => return Err(Code::NotFound.into()),
    };
    Ok(see_other(&place))
}
