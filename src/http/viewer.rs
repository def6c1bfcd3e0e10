//! Who may see what of a tenant's exports, and the one answer for whatever isn't there for the caller.
//!
//! Whoever is signed in but not admitted, asks for another tenant's export, for one that doesn't exist, or with an id
//! that is none, gets the same not-found, after the same work: the export is looked up in every case, and the attempt
//! is recorded in the caller's own tenant.

use std::sync::Arc;

use actix_web::HttpRequest;
use carnet_actors::{Cause, ExportView};
use carnet_events::domain::access::{AccessDenied, AccessEvent};
use carnet_events::domain::export::Export;
use carnet_events::ids::{ExportId, PrincipalId, TenantId};
use uuid::Uuid;

use super::codes::Code;
use super::context::RequestContext;
use super::problem::Problem;
use super::state::AppState;
use crate::auth::Caller;

/// The role that sees all of its tenant's exports; other admitted roles see their own.
const CLIENT_ADMIN: &str = "client_admin";
/// The role that sees histories and the audit log, never artifacts.
const AUDITOR: &str = "auditor";
/// The role that runs the service, for those who belong to no tenant.
pub(super) const OPERATOR: &str = "operator";

/// What a caller wants to do, as far as roles are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// Use the account-exports routes.
    Export,
    /// Read an export's history.
    ReadHistory,
    /// Read the tenant's audit log.
    ReadAudit,
}

/// A caller within their tenant.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub(super) caller: Arc<Caller>,
    pub(super) tenant: TenantId,
    pub(super) principal: PrincipalId,
    pub(super) cause: Cause,
    /// Sees what others of the tenant asked for, too.
    sees_all: bool,
    /// Has the right that was asked about.
    admitted: bool,
}

/// What the events of a request go back to.
pub(super) fn cause(request: &HttpRequest) -> Cause {
    let context = RequestContext::of(request);
    Cause {
        correlation: Some(context.request_id),
        trace: Some(context.trace_id.to_string()),
    }
}

/// The answer to somebody for whom a whole part of the service isn't there, recorded where they are at home.
pub(super) async fn turn_away(
    state: &AppState,
    caller: Arc<Caller>,
    request: &HttpRequest,
    route: &'static str,
) -> Problem {
    match Viewer::new(state, caller, request, Right::Export).await {
        Ok(viewer) => viewer.not_found(state, route).await,
        Err(problem) => problem,
    }
}

impl Viewer {
    /// The caller as a member of their tenant. Those without one have nothing here, and nowhere to record it.
    pub(super) async fn new(
        state: &AppState,
        caller: Arc<Caller>,
        request: &HttpRequest,
        right: Right,
    ) -> Result<Self, Problem> {
        let tenant = caller.tenant.clone().ok_or(Code::NotFound)?;
        let cause = cause(request);
        let system = &state.system;
        let principal = system.principal(&tenant, &caller.subject, &cause).await?;
        let exports = caller.has_any_role(&state.config.limits.request_roles);
        let (admin, auditor) = (caller.has_role(CLIENT_ADMIN), caller.has_role(AUDITOR));
        let admitted = match right {
            Right::Export => exports,
            Right::ReadHistory => exports || auditor,
            Right::ReadAudit => admin || auditor,
        };
        let sees_all = admin || (auditor && right != Right::Export);
        Ok(Self {
            caller,
            tenant,
            principal,
            cause,
            sees_all,
            admitted,
        })
    }

    /// Goes on only with someone admitted.
    pub(super) async fn admit(
        self,
        state: &AppState,
        route: &'static str,
    ) -> Result<Self, Problem> {
        if self.admitted {
            Ok(self)
        } else {
            Err(self.not_found(state, route).await)
        }
    }

    /// The export whose id stands in the address, if it is there for this caller.
    pub(super) async fn find(
        &self,
        state: &AppState,
        id: &str,
        route: &'static str,
    ) -> Result<ExportView, Problem> {
        // An id that is none is looked up all the same, as one that no export has.
        let id = id.parse().unwrap_or(ExportId::from_uuid(Uuid::nil()));
        match state.system.export(id).await? {
            Some(found) if self.admitted && self.may_see(&found.export) => Ok(found),
            _ => Err(self.not_found(state, route).await),
        }
    }

    /// Whether an export of this tenant is this caller's to see.
    pub(super) fn may_see(&self, export: &Export) -> bool {
        export.request.tenant == self.tenant && self.is_theirs(&export.request.principal)
    }

    /// Whether what `principal` asked for is this caller's to see.
    pub(super) fn is_theirs(&self, principal: &PrincipalId) -> bool {
        self.sees_all || *principal == self.principal
    }

    /// Whose exports a list is limited to.
    pub(super) fn only(&self) -> Option<PrincipalId> {
        if self.sees_all {
            None
        } else {
            Some(self.principal.clone())
        }
    }

    /// The one answer for what isn't there for this caller, recorded.
    pub(super) async fn not_found(&self, state: &AppState, route: &'static str) -> Problem {
        let denied = AccessDenied {
            principal: self.principal.clone(),
            route: route.to_owned(),
        };
        match self.record(state, AccessEvent::AccessDenied(denied)).await {
            Ok(()) => Code::NotFound.into(),
            Err(problem) => problem,
        }
    }

    /// Writes an access record before anything is answered.
    pub(super) async fn record(&self, state: &AppState, event: AccessEvent) -> Result<(), Problem> {
        Ok(state
            .system
            .record_access(&self.tenant, event, &self.cause)
            .await?)
    }
}
