//! Who runs the service.

use std::sync::Arc;

use actix_web::HttpRequest;
use carnet_actors::{Cause, Order};
use carnet_events::ids::PrincipalId;

use crate::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::{OPERATOR, cause, turn_away};

/// An operator: someone with the role, who belongs to no tenant.
#[derive(Debug, Clone)]
pub(in crate::http) struct Operator {
    /// Their pseudonym, the same whichever tenant they act on.
    pub(in crate::http) by: PrincipalId,
    pub(in crate::http) cause: Cause,
}

impl Operator {
    /// The caller as an operator.
    ///
    /// # Errors
    /// The one not-found for everybody else, recorded in their tenant if they have one.
    pub(in crate::http) async fn new(
        state: &AppState,
        caller: Arc<Caller>,
        request: &HttpRequest,
    ) -> Result<Self, Problem> {
        if !Self::is(&caller) {
            return Err(turn_away(state, caller, request, "operator").await);
        }
        let cause = cause(request);
        let by = state.system.operator(&caller.subject, &cause).await?;
        Ok(Self { by, cause })
    }

    /// Whether a caller is one.
    pub(in crate::http) fn is(caller: &Caller) -> bool {
        caller.tenant.is_none() && caller.has_role(OPERATOR)
    }

    /// What they ask for, with its reason.
    pub(super) fn order(&self, reason: &str) -> Order {
        Order {
            by: self.by.clone(),
            reason: reason.to_owned(),
            cause: self.cause.clone(),
        }
    }
}
