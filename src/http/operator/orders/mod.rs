//! The routes that act. Each needs a reason; each is answered with the event that records it, or with none when it was so
//! already.

pub(super) mod exports;
pub(super) mod intake;
pub(super) mod nodes;
pub(super) mod projections;
pub(super) mod tenants;

use std::str::FromStr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures::future::{Ready, ready};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::access::Operator;
use super::actions::{Action, act};
use super::answer::answer;
use crate::auth::Caller;
use crate::http::authenticate::SignedIn;
use crate::http::body;
use crate::http::codes::Code;
use crate::http::csrf;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Why something is done.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// 1 to 1000 characters in the operator's own words; kept in a directory, never in an event.
    reason: String,
}

/// A request to act: what every one of them has, its body not looked at yet.
pub(crate) struct Asked {
    request: HttpRequest,
    caller: Arc<Caller>,
    payload: web::Payload,
    state: web::Data<AppState>,
}

impl FromRequest for Asked {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut asked = || {
            let state = request.app_data::<web::Data<AppState>>();
            let body = web::Payload::from_request(request, payload).into_inner();
            Ok(Self {
                request: request.clone(),
                caller: SignedIn::from_request(request, payload).into_inner()?.0,
                payload: body.map_err(|error| Problem::internal("there is no body", &error))?,
                state: state.cloned().ok_or(Code::Internal)?,
            })
        };
        ready(asked())
    }
}

impl Asked {
    /// Does what `make` reads out of the body; access is decided before a byte of it is looked at.
    async fn carry_out<B: DeserializeOwned>(
        self,
        status: StatusCode,
        make: impl FnOnce(B) -> Result<(Action, String), Problem>,
    ) -> Result<HttpResponse, Problem> {
        let caller = Arc::clone(&self.caller);
        let operator = Operator::new(&self.state, caller, &self.request).await?;
        csrf::check(&self.request, &self.caller)?;
        let body = body::json(&self.request, self.payload).await?;
        let (action, reason) = make(body)?;
        let name = action.name();
        let done = act(&self.state, &operator, action, &reason).await?;
        Ok(answer(status, &operator, name, done))
    }

    /// The same for acts that need nothing but a reason.
    async fn carry_out_plain(
        self,
        make: impl FnOnce() -> Result<Action, Problem>,
    ) -> Result<HttpResponse, Problem> {
        self.carry_out(StatusCode::OK, |why: Why| Ok((make()?, why.reason)))
            .await
    }
}

/// What stands in the address; what can't stand for anything is of nothing that is there.
fn named<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Code::NotFound.into())
}
