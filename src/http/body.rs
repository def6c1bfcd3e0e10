//! Reading a body, JSON or a form: bounded in size and time, strict in form, and only when a handler asks, so that access is
//! decided before a byte of it is looked at.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;

use super::codes::Code;
use super::problem::Problem;

/// The largest body of any route.
pub(super) const MAX_BODY_BYTES: usize = 16 * 1024;
/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The body as `T`.
///
/// # Errors
/// A problem that names what is wrong: media type, size, time, syntax, type or unknown field.
pub(super) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<T, Problem> {
    check_media_type(request, "application/json")?;
    let bytes = read(request, payload).await?;
    parse(&bytes)
}

/// Lets a request pass that says nothing in its body: one without any, or an empty object.
///
/// # Errors
/// As [`json`].
pub(super) async fn nothing(request: &HttpRequest, payload: web::Payload) -> Result<(), Problem> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    let bytes = read(request, payload).await?;
    if bytes.is_empty() {
        return Ok(());
    }
    check_media_type(request, "application/json")?;
    parse(&bytes).map(|Nothing {}| ())
}

/// Every body of ours is an object whose fields are plain values.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let malformed = |why: String| Problem::malformed(format!("The body: {why}"));
    // A list would be read, too: its members as the fields in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(malformed("it is a list, expected an object".to_owned()));
    }
    serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))
}

/// The fields of a form as a browser posts it, in its order; a name may come several times.
///
/// # Errors
/// A problem that names what is wrong: media type, size, time or encoding.
pub(super) async fn form(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Vec<(String, String)>, Problem> {
    check_media_type(request, "application/x-www-form-urlencoded")?;
    let bytes = read(request, payload).await?;
    let text =
        std::str::from_utf8(&bytes).map_err(|_| Problem::malformed("The form is not UTF-8."))?;
    web::Query::from_query(text)
        .map(web::Query::into_inner)
        .map_err(|error| Problem::malformed(format!("The form: {error}.")))
}

fn check_media_type(request: &HttpRequest, expected: &str) -> Result<(), Problem> {
    let value = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(expected) {
        Ok(())
    } else {
        Err(Code::UnsupportedMediaType.into())
    }
}

async fn read(request: &HttpRequest, mut payload: web::Payload) -> Result<web::BytesMut, Problem> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Code::BodyTooLarge.into());
    }
    let mut body = web::BytesMut::new();
    let all = async {
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::malformed("The body ended early."))?;
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(Code::BodyTooLarge.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    match tokio::time::timeout(TIMEOUT, all).await {
        Ok(outcome) => outcome.map(|()| body),
        Err(_) => Err(Code::RequestTimeout.into()),
    }
}
