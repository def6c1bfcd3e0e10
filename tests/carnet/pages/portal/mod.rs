//! `/settings?section=data-exports`.

mod details;
mod form;
mod history;
mod limits;
mod live;
mod member;

use reqwest::Method;

use crate::support::{Answer, Client};

const PAGE: &str = "/settings?section=data-exports";
/// Nobody counts this far: an export of such a category runs until it is cancelled.
pub(super) const FOREVER: u64 = 1 << 50;

/// The page as text; it must be there.
async fn page(client: &Client) -> String {
    client.get(PAGE).await.expect(200).text()
}

/// Posts a form as a browser does, and follows to where that leads.
pub(super) async fn post(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut form = String::new();
    for (name, value) in fields {
        let encode = |text| url_encoded(text);
        form.push_str(&format!("{}={}&", encode(name), encode(value)));
    }
    client.post_form(path, form.trim_end_matches('&')).await
}

fn url_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let piece = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(piece).collect()
}

/// Starts an export of `categories` through the form.
async fn start(client: &Client, categories: &[&str]) -> Answer {
    let fields: Vec<_> = categories.iter().map(|id| ("categories", *id)).collect();
    post(client, "/settings/data-exports", &fields).await
}

/// Reads a page again until it says `text`.
pub(super) async fn until(client: &Client, path: &str, text: &str) -> String {
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(120);
    loop {
        let page = client.get(path).await.expect(200).text();
        if page.contains(text) {
            return page;
        }
        assert!(
            std::time::Instant::now() < patience,
            "never {text:?}: {page}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The same request as HEAD has the same status and nothing more.
pub(super) async fn head_is_alike(client: &Client, path: &str) {
    let get = client.get(path).await;
    let head = client.send(Method::HEAD, path, &[], None).await;
    assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
}
