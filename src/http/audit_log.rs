//! `GET /api/audit-log`: what happened in the tenant, as pages of JSON, or whole as CSV or NDJSON.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::access::{AccessEvent, AuditRead};
use carnet_events::ids::{ExportId, PrincipalId, Timestamp};
use carnet_projections::ProjectionName;
use carnet_projections::audit_log::{
    AuditCursor, AuditEntry, AuditOrder, AuditQuery, AuditStream, MAX_PAGE_SIZE, TYPES,
};
use futures::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::authenticate::SignedIn;
use super::problem::Problem;
use super::query::query;
use super::state::AppState;
use super::streams::StreamPermit;
use super::viewer::{Right, Viewer};
use crate::export::neutralise;

const PAGE_SIZE: u32 = 100;
const PATIENCE: Duration = Duration::from_secs(2);
const CSV_HEAD: &str = "at,type,principal,export_id,code,details\r\n";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    from: Option<String>,
    to: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    principal: Option<String>,
    export_id: Option<String>,
    cursor: Option<String>,
    page_size: Option<u32>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
    Ndjson,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// One entry of the audit log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct EntryView {
    /// What happened.
    #[serde(rename = "type")]
    kind: String,
    /// When.
    at: String,
    /// Pseudonym of whoever did it; none: the service.
    principal: Option<String>,
    /// The export it is about.
    export_id: Option<String>,
    /// Why, as a code.
    code: Option<String>,
    /// What else is known of it.
    details: Value,
}

/// A page of the audit log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AuditPage)]
pub(crate) struct PageView {
    items: Vec<EntryView>,
    next: Option<String>,
}

/// The tenant's audit log, for auditors and client admins. Reading it is recorded in it.
#[utoipa::path(get, path = "/api/audit-log", operation_id = "getAuditLog", tag = "Audit log", params(
    ("from" = Option<String>, Query, description = "RFC 3339; entries at or after it"),
    ("to" = Option<String>, Query, description = "RFC 3339; entries before it"),
    ("type" = Option<String>, Query, description = "Entries of this type"),
    ("principal" = Option<String>, Query, description = "What this pseudonym did"),
    ("export_id" = Option<String>, Query, description = "What is about this export"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before; JSON only"),
    ("page_size" = Option<u32>, Query, description = "1 to 1000, 100 by default; JSON only"),
    ("format" = Option<String>, Query, description = "json: a page, newest first; csv or ndjson: everything, oldest first"),
), responses(
    (status = 200, description = "Entries", body = PageView),
))]
pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::ReadAudit)
        .await?
        .admit(&state, "audit_log")
        .await?;
    let filter: Filter = query(&request)?;
    let size = filter.page_size.unwrap_or(PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&size) {
        return Err(wrong(
            "page_size",
            &format!("it lies between 1 and {MAX_PAGE_SIZE}"),
        ));
    }
    let cursor: Option<AuditCursor> = parse("cursor", filter.cursor.as_deref())?;
    let asked = asked(&viewer, &filter)?;
    state.wait_for(ProjectionName::AuditLog, PATIENCE).await?;
    let shape = match filter.format {
        Format::Json => None,
        Format::Csv => Some(Shape {
            media_type: "text/csv; charset=utf-8",
            extension: "csv",
            head: CSV_HEAD,
            line: csv,
        }),
        Format::Ndjson => Some(Shape {
            media_type: "application/x-ndjson",
            extension: "ndjson",
            head: "",
            line: ndjson,
        }),
    };
    // Before it is recorded: nobody who is turned away took the log along.
    let stream = match shape {
        Some(shape) => Some((shape, state.stream_permit(&viewer.principal)?)),
        None => None,
    };
    record_read(
        &state,
        &viewer,
        None,
        filter.format.as_str(),
        applied(&asked),
    )
    .await?;
    match stream {
        Some((shape, permit)) => Ok(whole(&state, asked, shape, permit)),
        None => page(&state, asked, cursor, size).await,
    }
}

async fn page(
    state: &AppState,
    asked: AuditQuery,
    cursor: Option<AuditCursor>,
    size: u32,
) -> Result<HttpResponse, Problem> {
    let page = state
        .projections
        .audit_log()
        .page(asked, cursor, size)
        .await?;
    let page = PageView {
        items: page.entries.iter().map(EntryView::of).collect(),
        next: page.next.map(|next| next.to_string()),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(page))
}

/// How the whole log is written.
struct Shape {
    media_type: &'static str,
    extension: &'static str,
    /// What comes before the first entry.
    head: &'static str,
    line: fn(&EntryView) -> String,
}

/// Everything that matches, oldest first, in constant memory.
fn whole(
    state: &web::Data<AppState>,
    asked: AuditQuery,
    shape: Shape,
    permit: StreamPermit,
) -> HttpResponse {
    let Shape {
        media_type,
        extension,
        head,
        line,
    } = shape;
    let asked = AuditQuery {
        order: AuditOrder::OldestFirst,
        ..asked
    };
    let entries = state.projections.audit_log().stream(asked);
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"audit-log.{extension}\""),
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(lines(entries, head, line, permit))
}

/// The entries as lines, a batch to a piece. The permit goes with the stream.
fn lines(
    entries: AuditStream,
    head: &'static str,
    line: fn(&EntryView) -> String,
    permit: StreamPermit,
) -> impl Stream<Item = Result<web::Bytes, std::io::Error>> {
    let batches =
        futures::stream::unfold((entries, permit), move |(mut entries, permit)| async move {
            let batch = entries.next().await?.map(|batch| {
                let text: String = batch
                    .iter()
                    .map(|entry| line(&EntryView::of(entry)))
                    .collect();
                web::Bytes::from(text)
            });
            // On an error the body ends without its last chunk, so the client sees that it isn't whole.
            let piece = batch.map_err(|error| {
                tracing::error!(error = %error, "reading the audit log was broken off");
                std::io::Error::other("the audit log can't be read on")
            });
            Some((piece, (entries, permit)))
        });
    futures::stream::iter((!head.is_empty()).then(|| Ok(web::Bytes::from_static(head.as_bytes()))))
        .chain(batches)
}

fn asked(viewer: &Viewer, filter: &Filter) -> Result<AuditQuery, Problem> {
    if let Some(kind) = filter.kind.as_deref() {
        known_type(kind).map_err(|why| wrong("type", &why))?;
    }
    Ok(AuditQuery {
        from: parse::<Timestamp>("from", filter.from.as_deref())?,
        to: parse::<Timestamp>("to", filter.to.as_deref())?,
        kind: filter.kind.clone(),
        principal: parse::<PrincipalId>("principal", filter.principal.as_deref())?,
        export: parse::<ExportId>("export_id", filter.export_id.as_deref())?,
        ..AuditQuery::new(viewer.tenant.clone())
    })
}

/// Says which types there are when this is none.
pub(super) fn known_type(kind: &str) -> Result<(), String> {
    if TYPES.contains(&kind) {
        return Ok(());
    }
    let kind: String = kind.chars().take(64).collect();
    let types = TYPES.join(", ");
    Err(format!("there is no type {kind:?}; there are {types}"))
}

/// Writes down who reads the log, or one export's history, before any of it is shown.
pub(super) async fn record_read(
    state: &AppState,
    viewer: &Viewer,
    export: Option<ExportId>,
    format: &str,
    filters: BTreeMap<String, String>,
) -> Result<(), Problem> {
    let read = AuditRead {
        principal: viewer.principal.clone(),
        export,
        format: format.to_owned(),
        filters,
    };
    viewer.record(state, AccessEvent::AuditRead(read)).await
}

/// The filters as the audit log keeps them: checked values only, no free text. A principal that isn't one of our
/// pseudonyms may be a name or an address, and isn't kept.
pub(super) fn applied(asked: &AuditQuery) -> BTreeMap<String, String> {
    let principal = asked.principal.as_ref().map(PrincipalId::as_str);
    [
        ("from", asked.from.map(|from| from.to_string())),
        ("to", asked.to.map(|to| to.to_string())),
        ("type", asked.kind.clone()),
        (
            "principal",
            principal
                .filter(|principal| is_pseudonym(principal))
                .map(str::to_owned),
        ),
        ("export_id", asked.export.map(|export| export.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// Whether this has the form of the pseudonyms that this service gives.
pub(super) fn is_pseudonym(text: &str) -> bool {
    let hex = text.strip_prefix("p-").or(text.strip_prefix("op-"));
    hex.is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: Option<&str>,
) -> Result<Option<T>, Problem> {
    text.map(|text| {
        text.parse()
            .map_err(|error: T::Err| wrong(name, &error.to_string()))
    })
    .transpose()
}

fn wrong(name: &str, why: &str) -> Problem {
    Problem::malformed(format!("The parameter `{name}`: {why}."))
}

impl EntryView {
    fn of(entry: &AuditEntry) -> Self {
        Self {
            kind: entry.kind.clone(),
            at: entry.at.to_string(),
            principal: entry.principal.as_ref().map(ToString::to_string),
            export_id: entry.export_id.as_ref().map(ToString::to_string),
            code: entry.code.clone(),
            details: entry.details.clone(),
        }
    }
}

fn ndjson(entry: &EntryView) -> String {
    serde_json::to_string(entry)
        .map(|line| line + "\n")
        .unwrap_or_default()
}

fn csv(entry: &EntryView) -> String {
    let details = entry.details.to_string();
    let cells = [
        &entry.at,
        &entry.kind,
        entry.principal.as_deref().unwrap_or_default(),
        entry.export_id.as_deref().unwrap_or_default(),
        entry.code.as_deref().unwrap_or_default(),
        &details,
    ];
    let mut line = cells.map(cell).join(",");
    line.push_str("\r\n");
    line
}

/// A cell in the form of RFC 4180, never the beginning of a formula.
fn cell(text: &str) -> String {
    let guard = if neutralise::needed(text) { "'" } else { "" };
    if text.contains(['"', ',', '\r', '\n']) || !guard.is_empty() {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_quoted_and_start_no_formula() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell(""), "");
    }
}
