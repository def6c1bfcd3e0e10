//! Problem documents (RFC 9457): the one form in which anything but success is answered.

use std::fmt;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::codes::Code;

/// The media type of problem documents.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Details come from parsers and may quote the request; they are cut here.
const MAX_DETAIL_BYTES: usize = 400;

/// Why a request isn't answered as asked. Returned as an error by handlers; `observe` writes the
/// document, since only there the request's id is at hand.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: None,
            members: Map::new(),
            headers: Vec::new(),
        }
    }
}

impl Problem {
    /// A problem whose detail says more than its code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        if detail.len() > MAX_DETAIL_BYTES {
            let cut = (0..=MAX_DETAIL_BYTES)
                .rev()
                .find(|at| detail.is_char_boundary(*at))
                .unwrap_or(0);
            detail.truncate(cut);
            detail.push('…');
        }
        Self {
            detail: Some(detail),
            ..Self::from(code)
        }
    }

    /// A request that can't be read, or asks for what can't be; `detail` says why.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Code::MalformedRequest, detail)
    }

    /// Logs what failed on our side and answers `internal`, which says nothing of it.
    pub fn internal(what: &'static str, error: &dyn fmt::Display) -> Self {
        tracing::error!(error = %error, "{what}");
        Self::from(Code::Internal)
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Says when to try again, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(self, wait: std::time::Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        self.header(header::RETRY_AFTER, &seconds.to_string())
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened, in words for the caller.
    pub(super) fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.code.happened())
    }

    /// Adds its headers to a response that tells it in another form.
    pub(super) fn add_headers(&self, response: &mut HttpResponse) {
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }

    /// The document and its headers, for the request called `request_id`.
    pub(super) fn response(&self, request_id: &str) -> HttpResponse {
        let mut document = Map::new();
        document.insert(
            "type".to_owned(),
            format!("/problems/{}", self.code.as_str()).into(),
        );
        document.insert("title".to_owned(), self.code.title().into());
        document.insert("status".to_owned(), self.code.status().as_u16().into());
        document.insert("detail".to_owned(), self.detail().into());
        document.insert("code".to_owned(), self.code.as_str().into());
        document.insert("request_id".to_owned(), request_id.into());
        document.extend(self.members.clone());
        let mut response = HttpResponse::build(self.code.status());
        response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        let mut response = response.body(Value::Object(document).to_string());
        self.add_headers(&mut response);
        response
    }

    /// A response that `observe` turns into the document.
    pub fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::new(self.code.status());
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Problem {}

impl actix_web::ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.clone().into_response()
    }
}
