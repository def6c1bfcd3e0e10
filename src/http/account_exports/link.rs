//! `POST /api/account-exports/{id}/download-link`, its revocation, and `GET|HEAD /downloads/{link}`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::ExportView;
use carnet_events::domain::access::{AccessEvent, LinkIssued};
use carnet_events::ids::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::download::{self, Downloader};
use super::gate::{self, Gate, Holder};
use super::rfc3339;
use crate::http::authenticate::SignedIn;
use crate::http::body;
use crate::http::codes::Code;
use crate::http::csrf;
use crate::http::links::{self, Link};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer, cause};

/// A link, to be handed to a browser.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LinkView {
    /// Names the link in the audit log.
    id: String,
    /// Where the file is, for whoever has this address.
    pub(in crate::http) url: String,
    /// When the link ends.
    pub(in crate::http) expires_at: String,
}

/// Makes a link. It ends with its time, with the token it was asked for with or with the export's own download window, whichever comes first.
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
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "download_link").await?;
    csrf::check(&request, &viewer.caller)?;
    body::nothing(&request, payload).await?;
    let view = issue(&state, &viewer, &found).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(view))
}

/// Makes a link to an export that the viewer has found.
///
/// # Errors
/// Why its file can't be had.
pub(in crate::http) async fn issue(
    state: &AppState,
    viewer: &Viewer,
    found: &ExportView,
) -> Result<LinkView, Problem> {
    let tenant = state.system.tenant(&viewer.tenant).await?.tenant;
    let now = state.clock.now();
    let downloader = Downloader {
        tenant: viewer.tenant.clone(),
        principal: viewer.principal.clone(),
        cause: viewer.cause.clone(),
        link: None,
    };
    let holder = Holder::Caller(&viewer.caller);
    let platform = state.system.platform().await?;
    let gate = Gate {
        state,
        tenant: &tenant,
        platform: &platform,
        holder: &holder,
        now,
    };
    let ends = match gate.check(&found.export) {
        Ok(published) if !found.export.damaged => published.expires_at,
        // It may have been restored since.
        Ok(published) => {
            let ends = published.expires_at;
            download::open(state, &downloader, found.id, &found.export, published).await?;
            ends
        }
        Err(blocked) => return Err(download::refuse(state, &downloader, found.id, blocked).await),
    };
    let role = state
        .config
        .limits
        .request_roles
        .iter()
        .find(|role| viewer.caller.has_role(role))
        .ok_or(Code::NotFound)?;
    let revocations = found.export.revocations.of(&viewer.principal);
    let revocations = revocations.ok_or_else(|| {
        let why = "Links to this export were taken back so often that there are none any more. Download it directly.";
        Problem::new(Code::AccessChanged, why)
    })?;
    let link = Link {
        id: Uuid::new_v4(),
        export: found.id,
        tenant: viewer.tenant.clone(),
        principal: viewer.principal.clone(),
        role: role.clone(),
        permissions: gate::permissions(state, &found.export),
        session: viewer.caller.session,
        revocations,
        expires_at: ends.into_iter().chain([viewer.caller.expires_at]).fold(
            now.plus(state.config.artifacts.link_ttl.get()),
            Timestamp::min,
        ),
    };
    let token = links::seal(&link, &state.keys).ok_or(Code::Internal)?;
    let issued = LinkIssued {
        principal: link.principal.clone(),
        export: link.export,
        link: link.id.to_string(),
        expires_at: link.expires_at,
    };
    viewer
        .record(state, AccessEvent::LinkIssued(issued))
        .await?;
    Ok(LinkView {
        id: link.id.to_string(),
        url: format!("{}/downloads/{token}", state.config.server.public_url()),
        expires_at: rfc3339(link.expires_at),
    })
}

/// Ends every link to this export that was made until now: a client admin everybody's, others their own. It stands in the
/// export's own stream, which every use of a link reads, for it decides whether a link works.
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
    csrf::check(&request, &viewer.caller)?;
    revoke(&state, &viewer, &found).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends the links to an export that the viewer has found.
pub(in crate::http) async fn revoke(
    state: &AppState,
    viewer: &Viewer,
    found: &ExportView,
) -> Result<(), Problem> {
    let (of, by) = (viewer.only(), viewer.principal.clone());
    let cause = viewer.cause.clone();
    Ok(state.system.revoke_links(found.id, of, by, cause).await?)
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
    let stands = |found: &ExportView| {
        admitted && found.export.revocations.of(&link.principal) == Some(link.revocations)
    };
    let found = found.filter(stands).ok_or(Code::NotFound)?;
    if let Some(session) = link.session
        && state.sessions.is_over(session).await?
    {
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
