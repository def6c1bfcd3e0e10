//! Requests to issuers and identity providers: bounded in time and size, and no redirect is followed. What moved is configured anew; following would
//! let the old place choose the keys.

use std::error::Error;
use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

/// Key sets and token responses are a few kilobytes; this is room for a hundred certificates.
const MAX_BYTES: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a request wasn't answered, for the log and the readiness check; addresses are left out.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{}", chain(.0))]
    Http(reqwest::Error),
    #[error("answered with status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("the answer is larger than 1 MiB")]
    TooLarge,
    #[error("the answer can't be taken apart: {0}")]
    Malformed(#[from] openidconnect::http::Error),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

/// A client that is used for nothing else.
pub(super) fn client() -> Result<Client, String> {
    Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(TIMEOUT)
        .redirect(Policy::none())
        .user_agent(concat!("carnet/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

/// The document at `url`.
pub(super) async fn get(client: &Client, url: &str) -> Result<Vec<u8>, FetchError> {
    let answer = client.get(url).send().await?;
    match answer.status() {
        StatusCode::OK => body(answer).await,
        status => Err(FetchError::Status(status)),
    }
}

/// The answer to a request as the library made it.
pub(super) async fn send(
    client: &Client,
    request: HttpRequest,
) -> Result<HttpResponse, FetchError> {
    let answer = client.execute(request.try_into()?).await?;
    let mut response = openidconnect::http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.extend(answer.headers().clone());
    }
    Ok(response.body(body(answer).await?)?)
}

async fn body(mut answer: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
