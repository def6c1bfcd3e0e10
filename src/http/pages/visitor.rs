//! Who is looking at a page: a signed-in person, or a visitor who is shown the way to sign in.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::authenticate::{SignedIn, caller};
use crate::http::codes::Code;
use crate::http::pages::see_other;

/// Where signing in begins.
pub(in crate::http) const SIGN_IN: &str = "/sign-in";

/// Lets signed-in people through and leads others to sign in, whatever the address: whether a page exists is nothing
/// for strangers to know.
pub(super) async fn require_sign_in(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match caller(&request).await {
        Ok(caller) => {
            request.extensions_mut().insert(SignedIn(caller));
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) if problem.code() == Code::Unauthenticated && is_navigation(&request) => {
            let way = way_to_sign_in(&request);
            Ok(request.into_response(way))
        }
        Err(problem) => Ok(request.into_response(problem.into_response())),
    }
}

/// Whether a browser goes somewhere, so that leading it elsewhere helps. A script's request is told 401 instead.
fn is_navigation(request: &ServiceRequest) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let accepts = request.headers().get(header::ACCEPT);
    let accepts_pages = accepts
        .and_then(|accept| accept.to_str().ok())
        .is_none_or(|accept| accept.contains("text/html") || accept.contains("*/*"));
    reads && accepts_pages && !request.headers().contains_key("hx-request")
}

fn way_to_sign_in(request: &ServiceRequest) -> HttpResponse {
    let here = request
        .uri()
        .path_and_query()
        .map_or("/", |address| address.as_str());
    let location = format!(
        "{SIGN_IN}?return_to={}",
        utf8_percent_encode(here, NON_ALPHANUMERIC)
    );
    see_other(&location)
}
