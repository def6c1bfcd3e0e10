//! Beginning and ending sessions, with their people's names in events.

use actix_web::HttpRequest;
use carnet_events::domain::session::{EndCause, SignInBy};
use carnet_events::ids::PrincipalId;

use super::problem::Problem;
use super::state::AppState;
use super::viewer::cause;
use crate::auth::{Caller, Identity, Replaced, Session};

/// Begins a session for `who`; gives whom it speaks for, and its cookie.
pub(super) async fn start(
    (request, state): (&HttpRequest, &AppState),
    by: SignInBy,
    who: Identity,
    refresh: Option<String>,
) -> Result<(Caller, String), Problem> {
    let principal = principal(request, state, &who).await?;
    let now = state.clock.now();
    let sessions = &state.sessions;
    let (session, cookie) = sessions.start(by, who, principal, refresh, now).await?;
    Ok((sessions.caller(&session), cookie))
}

/// Ends a session on every node.
pub(super) async fn end(
    (request, state): (&HttpRequest, &AppState),
    session: &Session,
    cause: EndCause,
) -> Result<(), Problem> {
    let principal = principal(request, state, session.who()).await?;
    let now = state.clock.now();
    Ok(state.sessions.end(session, principal, cause, now).await?)
}

/// Ends a session on every node that goes on under another id.
pub(super) async fn replace(
    (request, state): (&HttpRequest, &AppState),
    replaced: &Replaced,
) -> Result<(), Problem> {
    let principal = principal(request, state, replaced.new.who()).await?;
    let now = state.clock.now();
    Ok(state.sessions.replace(replaced, principal, now).await?)
}

/// What a person is called in events. Who belongs to no tenant is taken for an operator.
async fn principal(
    request: &HttpRequest,
    state: &AppState,
    who: &Identity,
) -> Result<PrincipalId, Problem> {
    let (system, cause) = (&state.system, &cause(request));
    Ok(match &who.tenant {
        Some(tenant) => system.principal(tenant, &who.subject, cause).await?,
        None => system.operator(&who.subject, cause).await?,
    })
}
