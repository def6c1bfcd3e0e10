//! `GET /api/operator/tenants/{tenant}`: how a tenant stands.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::tenant::{Lifecycle, LimitKind, Tenant};
use carnet_events::ids::{TenantId, Timestamp};
use serde::Serialize;

use super::access::Operator;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// How a tenant stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct OperatorTenant {
    id: String,
    /// Closed by an operator.
    closed: bool,
    /// `active`, `cancelled`, `purging` or `purged`.
    lifecycle: &'static str,
    /// End of the grace window after a cancellation.
    grace_until: Option<String>,
    /// Exports that hold a slot.
    active_exports: Vec<String>,
    /// Modules that were switched; all others are as configured.
    modules: BTreeMap<String, bool>,
    /// Exemptions with something left.
    exemptions: Vec<Left>,
    /// When the newest export was admitted.
    last_admitted_at: Option<String>,
}

/// What is left of an exemption.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorExemptionLeft)]
pub(crate) struct Left {
    id: String,
    /// `user` or `tenant`.
    #[schema(value_type = String)]
    limit: LimitKind,
    left: u32,
    until: String,
    /// The pseudonym of the one person it is for.
    person: Option<String>,
}

/// How a tenant stands.
#[utoipa::path(get, path = "/api/operator/tenants/{tenant}", operation_id = "getTenant", tag = "Operators", params(
    ("tenant" = String, Path, description = "The tenant's id"),
), responses(
    (status = 200, description = "How it stands", body = OperatorTenant),
))]
pub(crate) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    tenant: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    Operator::new(&state, caller.0, &request).await?;
    let id = TenantId::new(tenant.as_str()).map_err(|_| Code::NotFound)?;
    super::actions::must_know(&state, &id).await?;
    let view = state.system.tenant(&id).await?;
    let shown = OperatorTenant::of(&id, &view.tenant, state.clock.now());
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(shown))
}

impl OperatorTenant {
    fn of(id: &TenantId, tenant: &Tenant, now: Timestamp) -> Self {
        let (lifecycle, grace_until) = match tenant.lifecycle {
            Lifecycle::Active => ("active", None),
            Lifecycle::Cancelled { grace_until } => ("cancelled", Some(grace_until.to_string())),
            Lifecycle::Purging => ("purging", None),
            Lifecycle::Purged => ("purged", None),
        };
        let open = tenant.exemptions.iter().filter(|one| now < one.until);
        Self {
            id: id.to_string(),
            closed: tenant.closed,
            lifecycle,
            grace_until,
            active_exports: tenant.active.keys().map(ToString::to_string).collect(),
            modules: tenant.modules.clone(),
            exemptions: open
                .map(|one| Left {
                    id: one.id.clone(),
                    limit: one.limit,
                    left: one.left,
                    until: one.until.to_string(),
                    person: one.person.as_ref().map(ToString::to_string),
                })
                .collect(),
            last_admitted_at: tenant
                .last_admitted
                .as_ref()
                .map(|last| last.at.to_string()),
        }
    }
}
