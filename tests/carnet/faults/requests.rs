//! Requests that make no sense: each gets a problem document, none a `500`, and the service goes on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, Client, Server, Site};

const ID: &str = "0199a5a0-0000-7000-8000-000000000000";

fn routes() -> Vec<String> {
    let nasty = [
        ID,
        "0",
        "%00",
        "%ff%fe",
        "..%2f..%2fetc%2fpasswd",
        "'%20or%201=1",
        "%E2%80%AE",
        "null",
        "0199A5A0-0000-7000-8000-000000000000",
        "%7B%7D",
    ];
    let mut routes: Vec<String> = [
        "/",
        "/api",
        "/api/",
        "/api/account-exports",
        "/api/account-exports/",
        "/api/account-exports/catalog",
        "/api/audit-log",
        "/api/nowhere",
        "/metrics",
        "/problems/nowhere",
        "/problems/%ff",
        "/downloads/",
        "/api/account-exports?page=0",
        "/api/account-exports?page=18446744073709551616",
        "/api/account-exports?page=-1",
        "/api/account-exports?page=18446744073709551615&page_size=200",
        "/api/account-exports?page_size=201",
        "/api/account-exports?page_size=0",
        "/api/account-exports?status=nonsense",
        "/api/account-exports?nonsense=1",
        "/api/account-exports?status=%ff",
        "/api/account-exports?page=1&page=2",
        "/api/audit-log?from=yesterday",
        "/api/audit-log?from=9999-12-31T23:59:59Z&to=0000-01-01T00:00:00Z",
        "/api/audit-log?cursor=nonsense",
        "/api/audit-log?cursor=%00",
        "/api/audit-log?format=xml",
        "/api/audit-log?page_size=99999999999999999999",
        "/api/audit-log?type=%22",
        "/api/audit-log?from=-262144-01-01T00:00:00Z",
        "//",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/%61ccount-exports",
    ]
    .map(str::to_owned)
    .into();
    for id in nasty {
        routes.push(format!("/downloads/{id}"));
        for rest in [
            "",
            "/cancel",
            "/download",
            "/download?as=stored",
            "/download?as=nonsense",
            "/download-link",
            "/history",
            "/events",
        ] {
            routes.push(format!("/api/account-exports/{id}{rest}"));
        }
    }
    routes
}

#[track_caller]
fn in_order(what: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    assert!(
        status < 500,
        "{what}: {status} {}",
        String::from_utf8_lossy(&answer.body)
    );
    assert!(
        !answer.header("x-request-id").is_empty(),
        "{what}: {status}"
    );
    if status >= 400 {
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{what}: {status}"
        );
        if !answer.body.is_empty() {
            let problem = answer.json();
            assert_eq!(problem["status"], status, "{what}");
            let known = |name: &str| problem[name].as_str().is_some_and(|text| !text.is_empty());
            assert!(
                known("type") && known("title") && known("code") && known("request_id"),
                "{what}: {problem}"
            );
        }
    }
}

#[tokio::test]
async fn every_method_on_every_route_is_answered_in_order() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    let odd = [
        "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X",
    ];
    // Whatever the service says it has, and more.
    let api = client.get("/openapi.json").await.expect(200).json();
    let said = api["paths"].as_object().unwrap().keys();
    let names = ["{id}", "{link}", "{tenant}", "{module}", "{node}", "{name}"];
    let said = said.map(|path| {
        let filled = |path: String, name: &&str| path.replace(*name, ID);
        let path = names.iter().fold(path.clone(), filled);
        assert!(!path.contains('{'), "{path}");
        path
    });
    let routes: Vec<String> = said.chain(routes()).collect();
    for (number, route) in routes.iter().enumerate() {
        // All odd methods on each route would take long; each route gets two of them.
        let odd = [odd[number % odd.len()], odd[(number + 3) % odd.len()]];
        for method in ["GET", "HEAD", "POST"].into_iter().chain(odd) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let body = (method == Method::POST).then(|| "{\"categories\":3}".to_owned());
            let answer = client.send(method.clone(), route, &[], body).await;
            in_order(&format!("{method} {route}"), &answer);
        }
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test]
async fn bodies_that_can_t_be_read_are_refused_by_name() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    let padded = |length: usize| {
        let body = r#"{"categories":["tickets"],"reason":""}"#;
        body.replace(
            "\"\"}",
            &format!("\"{}\"}}", "x".repeat(length - body.len())),
        )
    };
    let deep = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    let bodies = [
        ("", 400),
        ("{", 400),
        ("null", 400),
        ("[]", 400),
        ("3", 400),
        ("\"categories\"", 400),
        ("{}", 400),
        ("{\"categories\":null}", 400),
        ("{\"categories\":\"users\"}", 400),
        ("{\"categories\":[1]}", 400),
        ("{\"categories\":[[]]}", 400),
        ("{\"categories\":{}}", 400),
        ("{\"categories\":[\"tickets\"],\"unknown\":1}", 400),
        (
            "{\"categories\":[\"tickets\"],\"categories\":[\"tickets\"]}",
            400,
        ),
        ("{\"categories\":[\"tickets\"]} x", 400),
        ("{\"categories\":[\"tickets\"],\"format\":1}", 400),
        ("{\"categories\":[\"tickets\"],\"scope\":[]}", 400),
        ("{\"categories\":[\"\\ud800\"]}", 400),
        ("{\"categories\":[\"nowhere\"]}", 422),
        ("{\"categories\":[\"tickets\"],\"format\":\"xml\"}", 422),
        (deep.as_str(), 400),
        (&padded(17 * 1024), 413),
    ];
    for (body, status) in bodies {
        let answer = client
            .send(
                Method::POST,
                "/api/account-exports",
                &[],
                Some(body.to_owned()),
            )
            .await;
        let shown: String = body.chars().take(80).collect();
        in_order(&shown, &answer);
        assert_eq!(
            answer.status,
            status,
            "{shown}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        assert!(answer.body.len() < 2_048, "{shown}");
    }
    // None of them was taken as a request.
    let list = client.get("/api/account-exports").await.expect(200).json();
    assert_eq!(list["total"], 0, "{list}");
}

#[tokio::test]
async fn other_media_types_keys_and_headers_are_refused_or_taken_as_they_are() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let token = site.token("acme", "ada");
    let body = "{\"categories\":[\"tickets\"]}";
    for media_type in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "multipart/form-data; boundary=x",
        "json",
    ] {
        let head = format!("content-type: {media_type}\r\n");
        let (status, text) = raw(&server, &token, "POST", "/api/account-exports", &head, body);
        assert_eq!(status, 415, "{media_type:?}: {text}");
        assert!(
            text.contains("application/problem+json") && text.contains("unsupported_media_type"),
            "{text}"
        );
    }
    let client = server.client(&token);
    let key = "k".repeat(10_000);
    for header in [
        ("idempotency-key", key.as_str()),
        ("idempotency-key", "\u{e9}"),
        ("idempotency-key", ""),
        ("traceparent", "00-nonsense"),
        ("x-request-id", "mine"),
        ("range", "bytes=9-1"),
        ("if-none-match", "\"\\"),
        ("accept-encoding", ";q=,,"),
    ] {
        let answer = client
            .send(
                Method::POST,
                "/api/account-exports",
                &[header],
                Some("{}".to_owned()),
            )
            .await;
        in_order(&format!("{header:?}"), &answer);
    }
}

#[tokio::test]
async fn oversized_and_broken_heads_end_one_connection_and_no_more() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let token = site.token("acme", "ada");
    let long = "a".repeat(200 * 1024);
    let url = format!("/api/account-exports?status={}", "a".repeat(8_000));
    let (status, text) = raw(&server, &token, "GET", &url, "", "");
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("application/problem+json"), "{text}");
    for (path, head) in [
        (format!("/{long}"), String::new()),
        ("/healthz".to_owned(), format!("x-long: {long}\r\n")),
        ("/healthz".to_owned(), "x: y\r\n".repeat(5_000)),
        (
            "/healthz".to_owned(),
            "content-length: 5\r\ncontent-length: 6\r\n".to_owned(),
        ),
        ("/healthz".to_owned(), "content-length: -1\r\n".to_owned()),
        (
            "/healthz".to_owned(),
            "transfer-encoding: chunked\r\ncontent-length: 3\r\n".to_owned(),
        ),
        ("/healthz".to_owned(), "bad header\r\n".to_owned()),
        ("no-slash".to_owned(), String::new()),
        ("http://[::1".to_owned(), String::new()),
    ] {
        let (status, text) = raw(&server, &token, "GET", &path, &head, "");
        let shown: String = path.chars().chain(head.chars()).take(60).collect();
        // Answered, or the connection ended; never a fault of ours.
        assert!(status < 500, "{shown}: {status} {text}");
    }
    let health = server.client("").get("/healthz").await;
    assert_eq!(health.status, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test]
async fn a_problem_never_repeats_more_of_a_request_than_fits_on_a_screen() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let client: Client = server.client(&site.token("acme", "ada"));
    let body = format!(
        "{{\"categories\":[\"tickets\"],\"{}\":1}}",
        "k".repeat(10_000)
    );
    let answer = client
        .send(Method::POST, "/api/account-exports", &[], Some(body))
        .await;
    assert_eq!(answer.code(), "malformed_request");
    let detail = answer.json()["detail"].clone();
    assert!(
        matches!(&detail, Value::String(text) if text.len() < 500),
        "{detail}"
    );
}

/// Sends bytes that no client library would; the status is 0 when the connection was ended without an answer.
fn raw(
    server: &Server,
    token: &str,
    method: &str,
    path: &str,
    head: &str,
    body: &str,
) -> (u16, String) {
    let address = server.address().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n{head}{length}\r\n{body}"
    );
    // The service may end the connection before it has read all.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    (status, text)
}
