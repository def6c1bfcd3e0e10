//! What stands on the wire: the next answer begins where an answer without a body ends, or a proxy gives it to somebody else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Server, Site};

/// Asks on one connection, with a second request right behind; gives what follows the first answer's headers.
fn after_headers(server: &Server, token: &str, request: &str) -> (String, String) {
    let address = server.address().strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    let end = if headers.is_empty() { "" } else { "\r\n" };
    let first = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n{headers}{end}\r\n"
    );
    let second = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    connection
        .write_all(format!("{first}{second}").as_bytes())
        .unwrap();
    let mut answers = Vec::new();
    connection.read_to_end(&mut answers).unwrap();
    let answers = String::from_utf8_lossy(&answers).into_owned();
    let (head, rest) = answers
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{request}: {answers:?}"));
    (head.to_owned(), rest.to_owned())
}

#[tokio::test]
async fn nothing_follows_the_headers_of_an_answer_without_a_body() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let token = site.token("acme", "ada");
    let ada = server.client(&token);
    let job = ada.export(&["tickets"]).await;
    let job = job["_links"]["self"].as_str().unwrap();
    let file = format!("{job}/download");
    let page = ada.get("/settings").await.expect(200).text();
    let (_, asset) = page.split_once("href=\"/assets/").unwrap();
    let asset = format!("/assets/{}", asset.split_once('"').unwrap().0);
    let link = ada.act(&format!("{job}/download-link")).await.expect(201);
    let link = link.json()["url"].as_str().unwrap().to_owned();
    let link = &link[link.find("/downloads/").unwrap()..];
    let (job_tag, file_tag) = (ada.get(job).await, ada.get(&file).await);
    let (job_tag, file_tag) = (job_tag.header("etag"), file_tag.header("etag"));
    for (request, status) in [
        (format!("GET {job}\nif-none-match: {job_tag}"), "304"),
        (format!("HEAD {job}\nif-none-match: {job_tag}"), "304"),
        (format!("GET {file}\nif-none-match: {file_tag}"), "304"),
        (format!("HEAD {job}"), "200"),
        (format!("HEAD {file}"), "200"),
        (format!("HEAD {file}?as=stored"), "200"),
        (format!("HEAD {link}"), "200"),
        (format!("HEAD {link}?as=stored"), "200"),
        (format!("HEAD {job}/history"), "200"),
        ("HEAD /api/account-exports".to_owned(), "200"),
        ("HEAD /api/account-exports/catalog".to_owned(), "200"),
        ("HEAD /api/audit-log".to_owned(), "200"),
        ("HEAD /healthz".to_owned(), "200"),
        ("HEAD /readyz".to_owned(), "200"),
        ("HEAD /docs".to_owned(), "200"),
        ("HEAD /problems".to_owned(), "200"),
        (format!("HEAD {asset}"), "200"),
        ("HEAD /openapi.json".to_owned(), "200"),
        ("HEAD /settings".to_owned(), "200"),
        ("HEAD /problems/not_found".to_owned(), "200"),
        ("HEAD /api/nothing".to_owned(), "404"),
        ("HEAD /downloads/nothing".to_owned(), "404"),
        ("HEAD /nothing".to_owned(), "404"),
        (format!("HEAD {job}/cancel"), "405"),
        ("HEAD /operator/live".to_owned(), "404"),
        ("HEAD /api/audit-log?page_size=x".to_owned(), "400"),
        (format!("DELETE {job}/download-link"), "204"),
    ] {
        let (head, rest) = after_headers(&server, &token, &request);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}: {head}"
        );
        assert!(rest.starts_with("HTTP/1.1 200"), "{request}: {rest}");
        if request.contains(job_tag) {
            assert!(head.contains(&format!("etag: {job_tag}")), "{head}");
            assert!(head.contains("private, no-cache"), "{head}");
        }
        if status == "200" {
            assert!(head.contains("\r\ncontent-length: "), "{request}: {head}");
            assert!(!head.contains("\r\ncontent-length: 0"), "{request}: {head}");
        }
    }
    // Of what is written as it is read nobody knows the length.
    for format in ["csv", "ndjson"] {
        let request = format!("HEAD /api/audit-log?format={format}");
        let (head, rest) = after_headers(&server, &token, &request);
        assert!(head.starts_with("HTTP/1.1 200"), "{request}: {head}");
        assert!(rest.starts_with("HTTP/1.1 200"), "{request}: {rest}");
    }
}
