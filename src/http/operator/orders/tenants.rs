//! `/api/operator/tenants`: acts on tenants.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use carnet_events::domain::tenant::LimitKind;
use carnet_events::ids::{PrincipalId, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::super::actions::{Action, Exempted, Exemption, GRACE_DAYS, grace_of};
use super::super::answer::OperatorAct;
use super::{Asked, Why, named};
use crate::http::problem::Problem;

/// What is let through beyond a limit.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewExemption {
    /// `user` or `tenant`: which limit.
    #[schema(value_type = String)]
    limit: LimitKind,
    /// Requests that it lets through, 1 to 1000.
    count: u32,
    /// Until when (RFC 3339), at most 366 days ahead.
    until: String,
    /// For the limit `user`: whom it is for, by the user's name in their tokens.
    user: Option<String>,
    /// The same by the pseudonym in the audit log. With neither, it is for whoever of the tenant needs it first.
    principal: Option<String>,
    /// Tells a repetition from another exemption; made up if left out.
    #[schema(value_type = Option<String>)]
    id: Option<Uuid>,
    /// Why, as everywhere.
    reason: String,
}

/// How a subscription ends.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancellation {
    /// Days in which exports go on and the tenant can come back; 30 if left out.
    grace_days: Option<u16>,
    /// Why, as everywhere.
    reason: String,
}

/// What becomes of a module.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Switch {
    /// Whether it is on.
    on: bool,
    /// Why, as everywhere.
    reason: String,
}

/// Lets more requests of a tenant through than a limit: those of one person, or of whoever needs it first.
#[utoipa::path(post, path = "/api/operator/tenants/{tenant}/exemptions", operation_id = "grantExemption", tag = "Operators", params(("tenant" = String, Path, description = "The tenant's id")), request_body = NewExemption, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
    (status = 409, description = "not_possible"),
))]
pub(crate) async fn exempt(
    asked: Asked,
    tenant: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let make = |new: NewExemption| {
        let until: Timestamp = new.until.parse().map_err(|_| {
            Problem::malformed("`until` must be a time as in 2026-01-31T12:00:00Z.")
        })?;
        let exemption = Exemption {
            id: new.id.map(|id| id.to_string()),
            limit: new.limit,
            count: new.count,
            until,
            person: person(new.user, new.principal)?,
        };
        Ok((Action::Exempt(named(&tenant)?, exemption), new.reason))
    };
    asked.carry_out(StatusCode::OK, make).await
}

fn person(user: Option<String>, principal: Option<String>) -> Result<Option<Exempted>, Problem> {
    match (user, principal) {
        (None, None) => Ok(None),
        (Some(user), None) => Ok(Some(Exempted::User(user))),
        (None, Some(principal)) => {
            let principal = PrincipalId::new(principal);
            let principal =
                principal.map_err(|_| Problem::malformed("`principal` must be a pseudonym."))?;
            Ok(Some(Exempted::Principal(principal)))
        }
        (Some(_), Some(_)) => Err(Problem::malformed("Name `user` or `principal`, not both.")),
    }
}

/// Stops a tenant's exports and downloads.
#[utoipa::path(post, path = "/api/operator/tenants/{tenant}/close", operation_id = "closeTenant", tag = "Operators", params(("tenant" = String, Path, description = "The tenant's id")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn close(
    asked: Asked,
    tenant: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    asked
        .carry_out_plain(|| Ok(Action::Close(named(&tenant)?)))
        .await
}

/// Allows a tenant's exports and downloads again.
#[utoipa::path(post, path = "/api/operator/tenants/{tenant}/reopen", operation_id = "reopenTenant", tag = "Operators", params(("tenant" = String, Path, description = "The tenant's id")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn reopen(
    asked: Asked,
    tenant: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    asked
        .carry_out_plain(|| Ok(Action::Reopen(named(&tenant)?)))
        .await
}

/// Ends a tenant's subscription: exports and downloads go on for the grace window, after which the tenant is purged.
#[utoipa::path(post, path = "/api/operator/tenants/{tenant}/cancel", operation_id = "cancelTenant", tag = "Operators", params(("tenant" = String, Path, description = "The tenant's id")), request_body = Cancellation, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
    (status = 409, description = "not_possible"),
))]
pub(crate) async fn cancel(
    asked: Asked,
    tenant: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let make = |ending: Cancellation| {
        let grace = grace_of(ending.grace_days.unwrap_or(GRACE_DAYS));
        Ok((Action::CancelTenant(named(&tenant)?, grace), ending.reason))
    };
    asked.carry_out(StatusCode::OK, make).await
}

/// Takes a cancellation back within its grace window.
#[utoipa::path(post, path = "/api/operator/tenants/{tenant}/reactivate", operation_id = "reactivateTenant", tag = "Operators", params(("tenant" = String, Path, description = "The tenant's id")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
    (status = 409, description = "not_possible"),
))]
pub(crate) async fn reactivate(
    asked: Asked,
    tenant: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    asked
        .carry_out_plain(|| Ok(Action::Reactivate(named(&tenant)?)))
        .await
}

/// Switches a module of a tenant on or off, whatever the configuration says.
#[utoipa::path(post, path = "/api/operator/tenants/{tenant}/modules/{module}", operation_id = "switchModule", tag = "Operators", params(("tenant" = String, Path, description = "The tenant's id"), ("module" = String, Path, description = "A module of the catalog")), request_body = Switch, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn switch_module(
    asked: Asked,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (tenant, module) = path.into_inner();
    let make = |switch: Switch| {
        let action = Action::SwitchModule(named(&tenant)?, module, switch.on);
        Ok((action, switch.reason))
    };
    asked.carry_out(StatusCode::OK, make).await
}
