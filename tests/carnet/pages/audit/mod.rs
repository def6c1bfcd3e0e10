//! The auditor's desk: `/audit` and what lies below it.

mod access;
mod booklet;
mod log;

use crate::support::{Client, Server, Site};

/// Roles as arguments of `carnet token`.
const AUDITOR: &[&str] = &["--role", "auditor"];

fn auditor(site: &Site, server: &Server) -> Client {
    server.client(&site.token_with("acme", "ann", AUDITOR))
}

/// A page of this desk. Whichever it is, nothing on it leads to an artifact, and nothing is written into it that its
/// policy forbids.
async fn page(client: &Client, address: &str) -> String {
    checked(client, address, 200).await
}

async fn checked(client: &Client, address: &str, status: u16) -> String {
    let answer = client.get(address).await.expect(status);
    assert!(answer.header("content-type").starts_with("text/html"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.body.len() < 150_000, "{}", answer.body.len());
    let text = String::from_utf8(answer.body).unwrap();
    for leads_to_files in ["/download", "/api/account-exports", "/settings/"] {
        assert!(!text.contains(leads_to_files), "{leads_to_files}: {text}");
    }
    for forbidden in [" style=", "<script>", "javascript:", " onclick="] {
        assert!(!text.contains(forbidden), "{forbidden}: {text}");
    }
    text
}

/// The addresses of the records that a page's rows open, in the rows' order.
fn rows(page: &str) -> Vec<String> {
    let open = page.split(r#"class="open""#).skip(1);
    open.map(|row| between(row, r#"href=""#, "\"")).collect()
}

/// The address of the link called `name`, as it stands there.
fn link(page: &str, name: &str) -> Option<String> {
    let end = page.find(&format!(">{name}</a>"))?;
    let begin = page[..end].rfind("href=\"")? + "href=\"".len();
    let address = page[begin..end].split('"').next()?;
    Some(plain(address.split('#').next()?))
}

fn between(text: &str, from: &str, to: &str) -> String {
    let rest = text.split_once(from).expect(from).1;
    plain(rest.split_once(to).expect(to).0)
}

/// Text as it was before it was escaped.
fn plain(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}
