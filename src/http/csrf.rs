//! Forged requests: what another site makes a signed-in person's browser send is refused.
//!
//! A browser adds a cookie to whatever is sent here, whoever made it. So whatever changes something must, when it is signed
//! in by cookie, come from a page of ours **and** carry the token of its session. Bearer tokens are added by nobody but the
//! program that holds them, and need neither.
//!
//! Every handler of an unsafe method asks once it knows that its caller may know of the thing at all, and before it looks
//! at the body or any limit: [`check`] where a program or script sends JSON; pages read
//! their forms with `Form::read`, which asks [`check_origin`] and [`check_form`].

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, web};

use super::codes::Code;
use super::conditional::single;
use super::problem::Problem;
use super::state::AppState;
use crate::auth::Caller;

/// Where scripts put the session's token.
pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
/// Where a browser says what kind of page sent a request (Fetch Metadata).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets a request pass that a page of `caller`'s session sent with the token in a header, or that came with a bearer token.
pub(super) fn check(request: &HttpRequest, caller: &Caller) -> Result<(), Problem> {
    check_origin(request, caller)?;
    check_form(request, caller, None)
}

/// The first half: the browser says that a page of ours sent the request.
pub(super) fn check_origin(request: &HttpRequest, caller: &Caller) -> Result<(), Problem> {
    if caller.session.is_none() || is_same_origin(request, state(request)?) {
        Ok(())
    } else {
        Err(refused())
    }
}

/// The second half: the token, from the header or the field of a form.
pub(super) fn check_form(
    request: &HttpRequest,
    caller: &Caller,
    field: Option<&str>,
) -> Result<(), Problem> {
    let Some(session) = caller.session else {
        return Ok(());
    };
    let token = single(request.headers(), &TOKEN).or(field);
    let sessions = &state(request)?.sessions;
    if token.is_some_and(|token| sessions.is_form_token(session, token)) {
        Ok(())
    } else {
        Err(refused())
    }
}

/// Lets a form pass that a browser sent from a page of ours, or that no browser sent: for those who aren't signed in yet,
/// so that no other site can sign them in as somebody else.
pub(super) fn check_stranger(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let from_browser = headers.contains_key(SITE) || headers.contains_key(header::ORIGIN);
    if !from_browser || is_same_origin(request, state(request)?) {
        Ok(())
    } else {
        Err(refused())
    }
}

fn refused() -> Problem {
    Code::CrossSite.into()
}

fn state(request: &HttpRequest) -> Result<&AppState, Problem> {
    let state = request.app_data::<web::Data<AppState>>();
    Ok(state.ok_or(Code::Internal)?)
}

/// What the browser says of the page that sent the request: whatever it says must be right. Older ones name its origin alone;
/// newer ones withhold it (`null`) from forms of pages that send no referrer, as ours do, and say what kind of page it is.
fn is_same_origin(request: &HttpRequest, state: &AppState) -> bool {
    let headers = request.headers();
    let site = headers
        .contains_key(SITE)
        .then(|| single(headers, &SITE) == Some("same-origin"));
    let origin = headers.contains_key(header::ORIGIN).then(|| {
        let origin = single(headers, &header::ORIGIN);
        (origin, is_own(origin, own_origin(request, state)))
    });
    match (site, origin) {
        (Some(site), None | Some((Some("null"), _))) => site,
        (None, Some((_, own))) => own,
        (Some(site), Some((_, own))) => site && own,
        (None, None) => false,
    }
}

fn is_own(origin: Option<&str>, own: Option<String>) -> bool {
    let (Some(origin), Some(own)) = (origin, own) else {
        return false;
    };
    plain(origin).eq_ignore_ascii_case(plain(&own))
}

/// An origin as browsers write it: without the port that its scheme has anyway.
fn plain(origin: &str) -> &str {
    let port = match origin.split_once(':') {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => ":443",
        _ => ":80",
    };
    origin.strip_suffix(port).unwrap_or(origin)
}

/// Scheme, host and port of this service: as configured, or else as the browser called it. A page of another site can't make
/// that its own: the browser wouldn't have the cookie for such a host.
fn own_origin(request: &HttpRequest, state: &AppState) -> Option<String> {
    if let Some(url) = &state.config.server.public_url {
        let url = url.parse::<actix_web::http::Uri>().ok()?;
        return Some(format!("{}://{}", url.scheme_str()?, url.authority()?));
    }
    let authority = request.uri().authority().map(|a| a.as_str());
    let host = authority.or(single(request.headers(), &header::HOST))?;
    Some(format!("http://{host}"))
}
