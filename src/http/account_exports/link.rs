//! `POST /api/account-exports/{id}/download-link`, its revocation, and `GET|HEAD /downloads/{link}`.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::codec::{self, Context};
use carnet_events::domain::access::{AccessEvent, LinkIssued, LinkRevoked};
use carnet_events::ids::Timestamp;
use carnet_events::store::{Direction, Expected, ReadFrom};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;
use serde::Serialize;
use uuid::Uuid;

use super::download::{self, Downloader};
use super::gate::{self, Holder};
use super::rfc3339;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::links::{self, Link};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer, cause};

/// The most access records that are looked through for a revocation.
const MAX_RECORDS: usize = 10_000;

/// Records don't stand in the order of their times to the millisecond: an append may have waited, and nodes' clocks
/// differ. Beyond this, an older record means that all before it are older than the link.
const DISORDER: Duration = Duration::from_secs(60);

/// What a revocation names in place of one link: everybody's to the export, or the revoker's own.
const EVERYBODYS: &str = "*";
const OWN: &str = "own";
/// Derives the ids of revocations, so that a repeated one is one.
const NAMESPACE: Uuid = Uuid::from_u128(0x6361_726e_6574_4c69_6e6b_7352_6576_6f31);

/// A link, to be handed to a browser.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LinkView {
    /// Names the link in the audit log.
    id: String,
    /// Where the file is, for whoever has this address.
    url: String,
    /// When the link ends.
    expires_at: String,
}

/// Makes a link. It ends with its time or with the token it was asked for with, whichever comes first.
#[utoipa::path(post, path = "/api/account-exports/{id}/download-link", operation_id = "createDownloadLink", tag = "Account exports", params(("id" = String, Path, description = "The export's id")), responses(
    (status = 201, description = "A link that whoever has it can download with", body = LinkView),
    (status = 403, description = "access_changed"),
    (status = 409, description = "not_ready"),
    (status = 410, description = "expired"),
))]
pub(super) async fn post(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "download_link").await?;
    let tenant = state.system.tenant(&viewer.tenant).await?.tenant;
    let now = state.clock.now();
    if let Err(blocked) = gate::check(
        &state,
        &tenant,
        &found.export,
        &Holder::Caller(&viewer.caller),
        now,
    ) {
        let downloader = Downloader {
            tenant: viewer.tenant,
            principal: viewer.principal,
            cause: viewer.cause,
            link: None,
        };
        return Err(download::refuse(&state, &downloader, found.id, blocked).await);
    }
    let role = state
        .config
        .limits
        .request_roles
        .iter()
        .find(|role| viewer.caller.has_role(role))
        .ok_or(Code::NotFound)?;
    let link = Link {
        id: Uuid::new_v4(),
        export: found.id,
        tenant: viewer.tenant.clone(),
        principal: viewer.principal.clone(),
        role: role.clone(),
        permissions: gate::permissions(&state, &found.export),
        issued_at: now,
        expires_at: now
            .plus(state.config.artifacts.link_ttl.get())
            .min(viewer.caller.expires_at),
    };
    let token = links::seal(&link, &state.keys).ok_or(Code::Internal)?;
    let issued = LinkIssued {
        principal: link.principal.clone(),
        export: link.export,
        link: link.id.to_string(),
        expires_at: link.expires_at,
    };
    viewer
        .record(&state, AccessEvent::LinkIssued(issued))
        .await?;
    let view = LinkView {
        id: link.id.to_string(),
        url: format!("{}/downloads/{token}", state.config.server.public_url()),
        expires_at: rfc3339(link.expires_at),
    };
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(view))
}

/// Ends every link to this export that was made until now: a client admin everybody's, others their own. Written
/// straight to the store, for revocations must never be folded like other access records.
#[utoipa::path(delete, path = "/api/account-exports/{id}/download-link", operation_id = "revokeDownloadLinks", tag = "Account exports", params(("id" = String, Path, description = "The export's id")), responses(
    (status = 204, description = "Links to this export made until now have ended: everybody's for a client admin, else the caller's own"),
))]
pub(super) async fn delete(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "download_link").await?;
    let now = state.clock.now();
    let link = if viewer.only().is_none() {
        EVERYBODYS
    } else {
        OWN
    };
    // To the millisecond, as links are dated: a coarser one would pass for the record of a revocation before the link.
    let name = format!("{}\0{}\0{}", found.id, viewer.principal, now.as_millis());
    let revoked = LinkRevoked {
        principal: viewer.principal.clone(),
        export: found.id,
        link: link.to_owned(),
    };
    let context = Context {
        tenant: Some(viewer.tenant.clone()),
        principal: Some(viewer.principal.clone()),
        causation: None,
        correlation: viewer.cause.correlation,
        trace: viewer.cause.trace.clone(),
    };
    let event = codec::encode(
        Uuid::new_v5(&NAMESPACE, name.as_bytes()),
        now,
        &AccessEvent::LinkRevoked(revoked),
        &context,
    )
    .map_err(|error| Problem::internal("an access record can't be written", &error))?;
    state
        .store
        .append(
            &StreamName::access(&viewer.tenant, now.month()),
            Expected::Any,
            vec![event],
        )
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Downloads through a link: everything that can change is checked again. A link that is no more, or never was, is
/// the one not-found.
#[utoipa::path(get, path = "/downloads/{link}", operation_id = "downloadThroughLink", tag = "Account exports", security(()), params(
    ("link" = String, Path, description = "As in the link's url"),
    ("as" = Option<String>, Query, description = "As for downloadExport"),
), responses(
    (status = 200, description = "As for downloadExport", content_type = "application/json"),
))]
pub(super) async fn get(
    request: HttpRequest,
    token: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let link = links::open(&token, &state.keys, now).ok_or(Code::NotFound)?;
    let admitted = state.config.limits.request_roles.contains(&link.role);
    let found = state
        .system
        .export(link.export)
        .await?
        .filter(|found| found.export.request.tenant == link.tenant);
    let found = found.filter(|_| admitted).ok_or(Code::NotFound)?;
    if is_revoked(&state, &link, now).await? {
        return Err(Code::NotFound.into());
    }
    let downloader = Downloader {
        tenant: link.tenant,
        principal: link.principal,
        cause: cause(&request),
        link: Some(link.id.to_string()),
    };
    download::send(
        &request,
        &state,
        downloader,
        found.id,
        &found.export,
        &Holder::Link(link.permissions),
    )
    .await
}

/// Whether a revocation is meant for a link.
fn ends(revoked: &LinkRevoked, link: &Link) -> bool {
    revoked.export == link.export
        && (revoked.link == EVERYBODYS
            || (revoked.link == OWN && revoked.principal == link.principal))
}

/// Looks for the link's revocation among the tenant's access records since it was issued. Links are short-lived, and
/// floods of records are folded, so that there are few.
async fn is_revoked(state: &AppState, link: &Link, now: Timestamp) -> Result<bool, Problem> {
    let this_month = StreamName::access(&link.tenant, now.month());
    if revoked_in(state, &this_month, link).await? {
        return Ok(true);
    }
    if link.issued_at.month() == now.month() {
        return Ok(false);
    }
    let earlier = StreamName::access(&link.tenant, link.issued_at.month());
    revoked_in(state, &earlier, link).await
}

async fn revoked_in(state: &AppState, stream: &StreamName, link: &Link) -> Result<bool, Problem> {
    let mut newest_first =
        state
            .store
            .read(stream, ReadFrom::End, Direction::Backwards, MAX_RECORDS);
    let mut read = 0;
    while let Some(recorded) = newest_first.next().await.transpose()? {
        read += 1;
        let (metadata, event) = codec::decode::<AccessEvent>(&recorded)
            .map_err(|error| Problem::internal("an access record can't be read", &error))?;
        if metadata.recorded_at.plus(DISORDER) < link.issued_at {
            return Ok(false);
        }
        if metadata.recorded_at >= link.issued_at
            && matches!(&event.what, AccessEvent::LinkRevoked(revoked) if ends(revoked, link))
        {
            return Ok(true);
        }
    }
    // So many records that the revocation may lie beyond them: a link that can't be cleared isn't honoured.
    Ok(read == MAX_RECORDS)
}
