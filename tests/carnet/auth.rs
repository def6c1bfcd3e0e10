//! Who is let in: a bearer token, and nothing else.

use reqwest::Method;

use crate::support::{Client, Server, Site};

const PATHS: [&str; 8] = [
    "/api",
    "/api/nowhere",
    "/api/account-exports",
    "/api/account-exports/catalog",
    "/api/account-exports/x/download",
    "/api/account-exports/x/history",
    "/api/audit-log",
    "/api/operator/nodes",
];

#[tokio::test]
async fn without_a_valid_token_every_api_path_is_closed() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let good = site.token("acme", "ada");
    // Each credential that isn't one: none, a key, a forged signature, no signature, a cookie.
    let mut parts = good.split('.').map(str::to_owned);
    let (head, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let attempts = [
        String::new(),
        format!("{head}.{claims}.AAAA"),
        format!("{none}.{claims}."),
        "nonsense".to_owned(),
    ];
    for token in &attempts {
        let client = server.client(token);
        for path in PATHS {
            for method in [
                Method::GET,
                Method::POST,
                Method::HEAD,
                Method::DELETE,
                Method::OPTIONS,
            ] {
                let headers = [("x-api-key", good.as_str()), ("cookie", "session=x")];
                let answer = client.send(method.clone(), path, &headers, None).await;
                assert_eq!(answer.status, 401, "{method} {path}");
                assert!(answer.header("www-authenticate").starts_with("Bearer"));
                if method != Method::HEAD {
                    assert_eq!(answer.code(), "unauthenticated");
                }
            }
        }
    }
    let log = server.stop().1;
    assert!(
        !log.contains(&good) && !log.contains(&claims),
        "a credential is in the log"
    );
}

#[tokio::test]
async fn an_api_key_beside_a_token_changes_nothing() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/account-exports/{id}");
    let key = [
        ("x-api-key", "sk_live_0123456789abcdef"),
        ("x-tenant-id", "globex"),
    ];
    let with = ada.send(Method::GET, &path, &key, None).await.expect(200);
    assert_eq!(with.body, ada.get(&path).await.expect(200).body);
    // The tenant is the token's, whatever the request says.
    let eve = server.client(&site.token("globex", "eve"));
    let claimed = [("x-tenant-id", "acme"), ("x-api-key", "acme")];
    eve.send(Method::GET, &path, &claimed, None)
        .await
        .expect(404);
    assert!(
        !server.stop().1.contains("sk_live_"),
        "the key is in the log"
    );
}

#[tokio::test]
async fn what_needs_no_token_shows_nothing_of_tenants() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let nobody: Client = server.client("");
    nobody.becomes_ready().await;
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs", "/problems"] {
        let answer = nobody.get(path).await.expect(200);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("acme"), "{path}");
    }
    assert_eq!(nobody.get("/metrics").await.status, 401);
}
