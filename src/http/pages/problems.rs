//! Problems as pages: the same codes and words as in the API's problem documents, for people.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use maud::html;

use super::frame::{bare, sign_out};
use super::words::problems as words;
use crate::auth::Caller;
use crate::http::authenticate::SignedIn;
use crate::http::context::RequestContext;
use crate::http::problem::Problem;

/// Writes problems as pages for browsers; programs get the API's documents.
pub(super) async fn as_pages(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let wants_pages = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let response = next.call(request).await?;
    let problem = response.response().extensions().get::<Problem>().cloned();
    match problem {
        Some(problem) if wants_pages => {
            let context = RequestContext::of(response.request());
            let signed_in = response.request().extensions().get::<SignedIn>().cloned();
            let caller = signed_in.as_ref().map(|signed_in| &*signed_in.0);
            let page = page(&problem, context, caller);
            Ok(response.into_response(page))
        }
        _ => Ok(response.map_into_boxed_body()),
    }
}

fn page(
    problem: &Problem,
    context: RequestContext,
    caller: Option<&Caller>,
) -> actix_web::HttpResponse {
    let code = problem.code();
    let mut response = bare(
        code.status(),
        code.title(),
        &html! {
            h1 { (code.title()) }
            p { (problem.detail()) }
            p { (code.remedy()) }
            p.muted { (words::REQUEST) " " code { (context.request_id) } " · " code { (code.as_str()) } }
            div.actions {
                a.button href="/" { (words::HOME) }
                // Whoever is here as the wrong person finds no desk at the start either.
                @if let Some(caller) = caller { (sign_out(caller)) }
            }
        },
    );
    problem.add_headers(&mut response);
    response
}
