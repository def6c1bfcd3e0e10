//! Fetching a key set from its issuer: bounded in time and size, https (or this machine) all the way.

use std::time::Duration;

use reqwest::redirect::Policy;

/// Key sets are a few kilobytes; this is room for a hundred certificates.
const MAX_BYTES: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client that only ever fetches key sets.
pub(super) fn client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(TIMEOUT)
        // A key set that moved is configured anew; following would let the old place choose the keys.
        .redirect(Policy::none())
        .user_agent(concat!("carnet/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| e.to_string())
}

/// The document at `url`.
///
/// # Errors
/// Why there is none, for the log and the readiness check.
pub(super) async fn get(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, String> {
    let explain = |e: reqwest::Error| chain(&e.without_url());
    let mut response = client.get(url).send().await.map_err(explain)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!(
            "answered with status {}",
            response.status().as_u16()
        ));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(explain)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err("is larger than 1 MiB".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
