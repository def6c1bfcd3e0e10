//! The outermost layer: names every request, bounds how many there are, survives panics, writes problem documents,
//! adds the security headers, and logs and counts what was answered.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{self, BodySize, BodyStream, BoxBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, ResponseError as _, web};
use futures::FutureExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use super::codes::Code;
use super::context::RequestContext;
use super::cookies;
use super::problem::Problem;
use super::state::AppState;

/// Where the request's id is answered.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How soon an overloaded service is worth trying again.
const RETRY_OVERLOADED: Duration = Duration::from_secs(1);

/// What stands for an address no route has; the address itself may hold anything and isn't logged.
const UNMATCHED: &str = "unmatched";

pub(super) async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let context = RequestContext::new(request.headers());
    request.extensions_mut().insert(context);
    let method = request.method().clone();
    // Known before it is routed, and all that is left of a request whose handler panicked.
    let route = request
        .match_pattern()
        .unwrap_or_else(|| UNMATCHED.to_owned());
    let span = tracing::info_span!("request", request_id = %context.request_id, trace_id = %context.trace_id);
    let mut answer = answer(request, next, context)
        .instrument(span.clone())
        .await;
    let status = match &mut answer {
        Ok(response) => {
            finish_headers(response.headers_mut(), context);
            let request = response.request().clone();
            cookies::write(&request, response.headers_mut());
            response.status()
        }
        Err(lost) => lost.problem.status_code(),
    };
    let took = started.elapsed();
    record(&span, method.as_str(), &route, status.as_u16(), took);
    answer.map_err(Error::from)
}

async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    context: RequestContext,
) -> Result<ServiceResponse<BoxBody>, Lost> {
    let id = context.request_id.to_string();
    let is_head = request.method() == Method::HEAD;
    let permit = permit(&request);
    if permit.is_none() && !is_probe(request.path()) {
        let problem = Problem::from(Code::Overloaded).retry_after(RETRY_OVERLOADED);
        let response = request.into_response(problem.response(&id));
        return Ok(without_body(response, is_head));
    }
    // The one place that must not lose a connection to a defect elsewhere.
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(Ok(response)) => Ok(without_body(write_problem(response, &id), is_head)),
        Ok(Err(error)) => {
            let known = error.as_error::<Problem>().cloned();
            let status = error.as_response_error().status_code();
            let problem = known.unwrap_or_else(|| of_status(status).into());
            Err(Lost {
                context,
                problem,
                is_head,
            })
        }
        Err(panic) => {
            let message = panic
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned());
            tracing::error!(
                panic = message.unwrap_or_default(),
                "a request handler panicked"
            );
            let problem = Code::Internal.into();
            Err(Lost {
                context,
                problem,
                is_head,
            })
        }
    }
}

/// A request's share of [`max_requests`](crate::config::Server::max_requests), held until its response begins; what
/// lasts longer has bounds of its own.
fn permit(request: &ServiceRequest) -> Option<OwnedSemaphorePermit> {
    let state = request.app_data::<web::Data<AppState>>()?;
    Arc::clone(&state.requests).try_acquire_owned().ok()
}

/// Probes and metrics are answered under load too: that is when they matter.
fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

fn write_problem(
    response: ServiceResponse<impl MessageBody + 'static>,
    id: &str,
) -> ServiceResponse<BoxBody> {
    let problem = response.response().extensions().get::<Problem>().cloned();
    let problem = problem.or_else(|| foreign_problem(&response));
    match problem {
        Some(problem) => {
            let document = problem.response(id);
            response.into_response(document)
        }
        None => response.map_into_boxed_body(),
    }
}

/// Takes the body off an answer that must have none (RFC 9110, sections 9.3.2 and 6.4.1): whoever reads the connection takes it
/// for the beginning of the next answer. The framework leaves out the body of `HEAD` by the newest request that it has read from
/// the connection, which may be one behind this, and doesn't look at what a handler gives a 304. The other way round nothing can be done
/// here: a `GET` loses its body to a `HEAD` that was sent before it was answered. No proxy and no browser does so.
fn without_body(response: ServiceResponse<BoxBody>, is_head: bool) -> ServiceResponse<BoxBody> {
    response.map_body(|head, body| bare(head, body, is_head))
}

fn bare(head: &mut ResponseHead, body: BoxBody, is_head: bool) -> BoxBody {
    let bare = matches!(
        head.status,
        StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT
    );
    if !is_head && !bare {
        return body;
    }
    match body.size() {
        BodySize::Sized(length) if !bare => {
            // The length of what GET would be answered, without a byte of it.
            head.no_chunking(true);
            head.headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            let nothing = futures::stream::empty::<Result<web::Bytes, Error>>();
            BoxBody::new(BodyStream::new(nothing))
        }
        BodySize::Sized(_) | BodySize::Stream | BodySize::None => BoxBody::new(body::None::new()),
    }
}

/// What the framework answered by itself, in our form.
fn foreign_problem<B>(response: &ServiceResponse<B>) -> Option<Problem> {
    let status = response.status();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = response
            .headers()
            .get(header::ALLOW)
            .and_then(|value| value.to_str().ok());
        return Some(
            Problem::from(Code::MethodNotAllowed)
                .header(header::ALLOW, allowed.unwrap_or_default()),
        );
    }
    if !(status.is_client_error() || status.is_server_error())
        || response.response().error().is_none()
    {
        return None;
    }
    Some(of_status(status).into())
}

fn of_status(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::MalformedRequest,
        401 => Code::Unauthenticated,
        404 => Code::NotFound,
        408 => Code::RequestTimeout,
        413 => Code::BodyTooLarge,
        415 => Code::UnsupportedMediaType,
        _ => Code::Internal,
    }
}

fn finish_headers(headers: &mut HeaderMap, context: RequestContext) {
    if let Ok(id) = HeaderValue::from_str(&context.request_id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// The access log and the request metrics: the route's template, never the address or query, which can hold secrets.
fn record(span: &tracing::Span, method: &str, route: &str, status: u16, took: Duration) {
    let duration_ms = took.as_secs_f64() * 1000.0;
    span.in_scope(|| tracing::info!(method, route, status, duration_ms, "answered"));
    let labels = [
        ("method", known_method(method)),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::counter!("carnet_http_requests_total", &labels).increment(1);
    metrics::histogram!("carnet_http_request_seconds", "route" => route.to_owned())
        .record(took.as_secs_f64());
}

/// Methods are free text; a metric's labels must not be.
fn known_method(method: &str) -> String {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method.to_owned(),
        _ => "other".to_owned(),
    }
}

/// The answer to a request that is gone, with its handler's panic or the framework's error: so it can't be a
/// `ServiceResponse`, and is made a response by the server.
#[derive(Debug)]
struct Lost {
    context: RequestContext,
    problem: Problem,
    is_head: bool,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a request was not answered by its handler")
    }
}

impl actix_web::ResponseError for Lost {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> actix_web::HttpResponse<BoxBody> {
        let id = self.context.request_id.to_string();
        let mut response = self.problem.response(&id);
        finish_headers(response.headers_mut(), self.context);
        response.map_body(|head, body| bare(head, body, self.is_head))
    }
}
