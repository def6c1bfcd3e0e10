//! `GET|HEAD /api/account-exports/{id}/download`, and what it shares with links: choosing a representation, recording,
//! sending.
//!
//! Two representations of one file:
//! - by default the JSON document, with the stored coding as its `Content-Encoding` when the client accepts that, else
//!   decoded on the way; no ranges;
//! - with `?as=stored` the stored file itself, with ranges.
//!
//! Each has its own `ETag` and `Repr-Digest` (RFC 9530).

mod documents;
mod recording;
mod representation;

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::Cause;
use carnet_events::domain::export::{Export, Published};
use carnet_events::ids::{ExportId, PrincipalId, TenantId};
use futures::StreamExt as _;
use serde::Deserialize;

use super::gate::{Blocked, Gate, Holder};
use super::presigned;
use crate::export::artifact::read::{
    ArtifactReader, ByteStream, Damage, Published as Stored, ReadError,
};
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::conditional::{Wanted, none_match_fails, wanted};
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};
use recording::record_end;
use representation::Form;

pub(in crate::http) use documents::Documents;
pub(super) use recording::{record_start, refuse};
pub(super) use representation::Representation;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(rename = "as")]
    form: Option<Form>,
}

/// Whoever downloads, through a token or a link.
pub(super) struct Downloader {
    pub(super) tenant: TenantId,
    pub(super) principal: PrincipalId,
    pub(super) cause: Cause,
    /// The link's id, if through one.
    pub(super) link: Option<String>,
}

/// Sends the file of a completed export, checked block by block.
#[utoipa::path(get, path = "/api/account-exports/{id}/download", operation_id = "downloadExport", tag = "Account exports", params(("id" = String, Path, description = "The export's id"),
    ("as" = Option<String>, Query, description = "`stored` for the stored file, with ranges; the JSON document otherwise"),
    ("Accept-Encoding" = Option<String>, Header, description = "The stored coding is sent as it is where accepted, else the document is decoded"),
    ("Range" = Option<String>, Header, description = "One range, with `as=stored`"),
    ("If-Range" = Option<String>, Header, description = "The ETag the range belongs to"),
), responses(
    (status = 200, description = "The file, with ETag and Repr-Digest", content_type = "application/json"),
    (status = 206, description = "The range"),
    (status = 304, description = "Unchanged"),
    (status = 307, description = "Where downloads are presigned: a short-lived address of the file in its bucket"),
    (status = 403, description = "access_changed"),
    (status = 409, description = "not_ready"),
    (status = 410, description = "expired"),
    (status = 416, description = "range_not_satisfiable"),
    (status = 503, description = "artifact_damaged or storage_unavailable"),
))]
pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "download").await?;
    let downloader = Downloader {
        tenant: viewer.tenant.clone(),
        principal: viewer.principal.clone(),
        cause: viewer.cause.clone(),
        link: None,
    };
    send(
        &request,
        &state,
        downloader,
        found.id,
        &found.export,
        &Holder::Caller(&viewer.caller),
    )
    .await
}

/// Checks, records, sends. The caller has seen to it that the export is there for the downloader.
pub(super) async fn send(
    request: &HttpRequest,
    state: &web::Data<AppState>,
    downloader: Downloader,
    id: ExportId,
    export: &Export,
    holder: &Holder<'_>,
) -> Result<HttpResponse, Problem> {
    let tenant = state.system.tenant(&downloader.tenant).await?.tenant;
    let platform = state.system.platform().await?;
    let gate = Gate {
        state,
        tenant: &tenant,
        platform: &platform,
        holder,
        now: state.clock.now(),
    };
    let published = match gate.check(export) {
        Ok(published) => published,
        Err(blocked) => return Err(refuse(state, &downloader, id, blocked).await),
    };
    let parameters: Parameters = query(request)?;
    let mut reader = open(state, &downloader, id, export, published).await?;
    let form = Representation::choose(request, parameters.form, reader.published());
    let there = (&reader, published);
    if let Some(way) = presigned::redirect(request, state, &downloader, id, there, &form).await? {
        return Ok(way);
    }
    if none_match_fails(request.headers(), &form.etag) {
        let mut response = HttpResponse::NotModified();
        form.headers(&mut response, id);
        return Ok(response.finish());
    }
    // A range is defined for GET alone (RFC 9110, section 14.2).
    let wanted = if form.form == Form::Stored && request.method() == Method::GET {
        wanted(request.headers(), &form.etag, form.bytes)
    } else {
        Wanted::All
    };
    let (range, status) = match wanted {
        Wanted::All => (0..form.bytes, StatusCode::OK),
        Wanted::Part(range) => (range, StatusCode::PARTIAL_CONTENT),
        Wanted::Unsatisfiable => {
            let length = format!("bytes */{}", form.bytes);
            return Err(
                Problem::from(Code::RangeNotSatisfiable).header(header::CONTENT_RANGE, &length)
            );
        }
    };
    let mut response = HttpResponse::build(status);
    form.headers(&mut response, id);
    if status == StatusCode::PARTIAL_CONTENT {
        let part = format!(
            "bytes {}-{}/{}",
            range.start,
            range.end.saturating_sub(1),
            form.bytes
        );
        response.insert_header((header::CONTENT_RANGE, part));
    }
    let length = range.end - range.start;
    if request.method() == Method::HEAD {
        return Ok(response.body(SizedStream::new(
            length,
            futures::stream::empty::<Result<web::Bytes, ReadError>>(),
        )));
    }
    let permit = state.stream_permit(&downloader.principal)?;
    let first = if form.is_as_stored() { range.start } else { 0 };
    if let Err(error) = reader.begin(first).await {
        return Err(unreadable(state, &downloader, id, error).await);
    }
    // A range that is the whole file is a download of its own.
    let partial = length < form.bytes;
    record_start(state, &downloader, id, form.name(), partial).await?;
    let on_end = record_end(state.clone(), downloader, id, length);
    let bytes: ByteStream = if form.is_as_stored() {
        reader.stored(range, on_end)
    } else {
        reader.json(on_end)
    };
    // The permit goes with the stream: it is free again when the download ends, however it ends.
    let held = bytes.map(move |piece| {
        let _held = &permit;
        piece
    });
    Ok(response.body(SizedStream::new(length, held)))
}

/// Opens the file, wherever it is. Of one that was found damaged what was damaged is looked at too, so that it isn't begun to be sent in vain. One
/// that was restored is served again, and what was found is recorded, so that lists offer it, too.
pub(super) async fn open(
    state: &AppState,
    downloader: &Downloader,
    id: ExportId,
    export: &Export,
    published: &Published,
) -> Result<ArtifactReader, Problem> {
    let artifact = &published.artifact;
    let key = artifact
        .key
        .parse()
        .map_err(|error| Problem::internal("an artifact's key can't be read", &error))?;
    let stored = Stored {
        key,
        stored_bytes: artifact.bytes,
        stored_sha256: artifact.sha256,
        blocks_root: artifact.blocks_root,
        json_bytes: artifact.json_bytes,
        json_sha256: artifact.json_sha256,
    };
    let places = state.storages.places_of(&downloader.tenant);
    let opened = async {
        let reader = ArtifactReader::open(&places, stored).await?;
        if let Some(block) = export.damaged_block {
            reader.check(block).await?;
        }
        if export.damaged_document {
            state.documents.check(id, &reader).await?;
        }
        Ok(reader)
    };
    match opened.await {
        Ok(reader) => {
            if export.damaged {
                tracing::info!(export_id = %id, "a damaged artifact was restored");
                let cause = downloader.cause.clone();
                // A whole file is served whether that can be recorded now or not.
                if let Err(error) = state.system.record_restoration(id, cause).await {
                    tracing::warn!(export_id = %id, %error, "the restoration couldn't be recorded");
                }
            }
            Ok(reader)
        }
        Err(error) => Err(unreadable(state, downloader, id, error).await),
    }
}

/// The answer when a file can't be read. Damage is recorded, once.
async fn unreadable(
    state: &AppState,
    downloader: &Downloader,
    id: ExportId,
    error: ReadError,
) -> Problem {
    let damage = match error {
        ReadError::Damaged(damage) => damage,
        ReadError::Storage(error) => {
            tracing::error!(export_id = %id, error = %error, "the artifact storage can't be read");
            return Problem::from(Code::StorageUnavailable).retry_after(Duration::from_secs(5));
        }
    };
    tracing::error!(export_id = %id, damage = %damage, "an artifact is damaged");
    let cause = downloader.cause.clone();
    let document = damage == Damage::Document;
    let recorded = state
        .system
        .record_damage(id, damage.block(), document, cause);
    if let Err(error) = recorded.await {
        return error.into();
    }
    let blocked = Blocked {
        code: Code::ArtifactDamaged,
        categories: Vec::new(),
    };
    refuse(state, downloader, id, blocked).await
}
