//! No request under `/api`, and none for a page, reaches a route without a verified token or a good session.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, web};
use carnet_events::domain::session::EndCause;
use futures::future::{Ready, ready};

use super::codes::Code;
use super::conditional::single;
use super::cookies;
use super::problem::Problem;
use super::sessions;
use super::state::AppState;
use crate::auth::{AuthError, Caller, Resumption};

/// How soon tokens may be verifiable again when the issuer's keys can't be had.
const RETRY_KEYS: Duration = Duration::from_secs(30);

/// What an open page asks again and again by itself.
const ASKED_BY_ITSELF: &str = "/audit/new";

/// The verified caller, as an argument of handlers. Answers 401 where nobody was verified, so a route outside the
/// authenticated scope fails closed.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Arc<Caller>);

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(caller.ok_or_else(|| refusal("")))
    }
}

pub(super) async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match caller(&request).await {
        Ok(caller) => {
            request.extensions_mut().insert(SignedIn(caller));
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) => Ok(request.into_response(problem.into_response())),
    }
}

/// The caller of a request: from its `Authorization` header alone if it has one, else from its session's cookie.
pub(super) async fn caller(request: &ServiceRequest) -> Result<Arc<Caller>, Problem> {
    let Some(state) = request.app_data::<web::Data<AppState>>().cloned() else {
        return Err(Problem::from(Code::Internal));
    };
    if !request.headers().contains_key(header::AUTHORIZATION) {
        return resume(request.request(), &state).await;
    }
    let token = bearer(request.headers())
        .ok_or_else(|| refusal(""))?
        .to_owned();
    state
        .verifier
        .verify(&token, state.clock.now())
        .await
        .map_err(|error| {
            tracing::info!(reason = %error, "a token was refused");
            match error {
                AuthError::NoKeys => Problem::from(Code::SignInUnavailable).retry_after(RETRY_KEYS),
                _ => refusal(r#", error="invalid_token""#),
            }
        })
}

/// The caller of a request's session; renews its cookie when it is time.
async fn resume(request: &HttpRequest, state: &AppState) -> Result<Arc<Caller>, Problem> {
    let cookie = cookies::get(request.headers(), cookies::SESSION).ok_or_else(|| refusal(""))?;
    // An event stream comes back by itself for as long as its page is open, whether or not anybody looks at it.
    let accept = single(request.headers(), &header::ACCEPT);
    let is_stream = accept == Some("text/event-stream");
    let as_use = !is_stream && request.path() != ASKED_BY_ITSELF;
    let (sessions, cookie) = (Arc::clone(&state.sessions), cookie.to_owned());
    let now = state.clock.now();
    // Brought to its end even if the browser doesn't wait: a refresh token may be good for one use, and what the provider
    // gives for it must not be lost.
    let resumed =
        actix_web::rt::spawn(async move { sessions.resume(&cookie, as_use, now).await }).await;
    let resumed =
        resumed.map_err(|error| Problem::internal("a session can't be resumed", &error))?;
    let resumed = match resumed? {
        Resumption::Good(resumed) => resumed,
        Resumption::None => return Err(refusal("")),
        Resumption::Refused(session) => {
            sessions::end((request, state), &session, EndCause::ProviderRefused).await?;
            return Err(refusal(""));
        }
    };
    if let Some(replaced) = &resumed.replaced {
        sessions::replace((request, state), replaced).await?;
    }
    if let Some(cookie) = resumed.cookie {
        cookies::set(request, cookies::SESSION, &cookie, None);
    }
    Ok(resumed.caller)
}

/// RFC 6750: the challenge says that a token is needed and, if one was sent, that it isn't valid; not why.
fn refusal(error: &str) -> Problem {
    Problem::from(Code::Unauthenticated).header(
        header::WWW_AUTHENTICATE,
        &format!(r#"Bearer realm="carnet"{error}"#),
    )
}

/// The one bearer token; two `Authorization` headers are two opinions and count as none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION);
    let value = all.next()?.to_str().ok()?;
    if all.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' '))
        .then_some(token)
}
