//! What becomes of a session when the identity provider is asked again about its person.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Inside, ProviderStandIn, Site};

const API: &str = "/api/account-exports";
const MINUTE: Duration = Duration::from_secs(60);
const BOTH: [&str; 2] = ["client_admin", "member"];

fn site(provider: &ProviderStandIn) -> Site {
    let site = Site::new(1);
    site.edit_config("[limits]", &format!("{}\n[limits]", provider.config()));
    site
}

#[tokio::test]
async fn a_provider_that_refuses_a_person_ends_their_session() {
    let provider = ProviderStandIn::start();
    let site = site(&provider);
    let inside = Inside::start(&site);
    for error in ["invalid_grant", "access_denied", "consent_required"] {
        let mut ada = inside.signed_in("acme", "ada", &BOTH).await;
        provider.answers(400, error);
        inside.advance(6 * MINUTE);
        ada.get(API).await.expect(401);
        provider.vouches(json!({ "sub": "ada", "tenant_id": "acme", "roles": BOTH }));
        ada.get(API).await.expect(401);
    }
    let log = inside
        .admin("acme", "ada")
        .audited("session_ended", 3)
        .await;
    assert!(log.iter().all(|entry| entry["code"] == "provider_refused"));
}

#[tokio::test]
async fn a_provider_in_trouble_keeps_people_waiting_and_ends_nothing() {
    let provider = ProviderStandIn::start();
    let site = site(&provider);
    let inside = Inside::start(&site);
    for (status, error) in [
        (400, "temporarily_unavailable"),
        (500, "server_error"),
        (429, "too_many_requests"),
        (401, "invalid_client"),
        (400, "something of its own"),
    ] {
        let mut ada = inside.signed_in("acme", "ada", &BOTH).await;
        let before = ada.session();
        provider.answers(status, error);
        inside.advance(6 * MINUTE);
        let wait = ada.get(API).await.expect(503);
        assert_eq!(wait.code(), "sign_in_unavailable", "{error}");
        assert_eq!(wait.header("retry-after"), "1");
        assert_eq!(ada.session(), before);
        // People are told so on a page.
        let page = ada.get("/settings").await.expect(503);
        assert_eq!(page.header("retry-after"), "1");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let accept = [("accept", "application/json")];
        let document = ada.send(Method::GET, "/settings", &accept, None).await;
        assert_eq!(document.expect(503).code(), "sign_in_unavailable");
        provider.vouches(json!({ "sub": "ada", "tenant_id": "acme", "roles": BOTH }));
        // As long as it said, and on any machine.
        let patience = std::time::Instant::now() + MINUTE;
        while ada.get(API).await.status == 503 {
            assert!(std::time::Instant::now() < patience, "{error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ada.get(API).await.expect(200);
    }
    let ended = inside.admin("acme", "ada").audit("session_ended").await;
    assert!(ended.is_empty(), "{ended:?}");
}

#[tokio::test]
async fn links_end_when_their_issuer_is_found_to_have_lost_rights() {
    let provider = ProviderStandIn::start();
    let site = site(&provider);
    let inside = Inside::start(&site);
    let mut ada = inside.signed_in("acme", "ada", &BOTH).await;
    let job = inside.admin("acme", "ada").export(&["tickets"]).await;
    let own = format!("{API}/{}/download-link", job["id"].as_str().unwrap());
    let token = ada.token("/settings").await;
    let ours = [
        ("sec-fetch-site", "same-origin"),
        ("x-csrf-token", token.as_str()),
    ];
    let link = ada.send(Method::POST, &own, &ours, None).await.expect(201);
    let link = link.json()["url"].as_str().unwrap().to_owned();
    let path = &link[link.find("/downloads/").unwrap()..];
    let before = ada.clone();

    // Nothing lost, nothing ended.
    provider.vouches(json!({ "sub": "ada", "tenant_id": "acme", "roles": BOTH }));
    inside.advance(6 * MINUTE);
    ada.get(API).await.expect(200);
    inside.nobody().get(path).await.expect(200);

    provider.vouches(json!({ "sub": "ada", "tenant_id": "acme", "roles": ["member"] }));
    inside.advance(6 * MINUTE);
    ada.get(API).await.expect(404);
    inside.nobody().get(path).await.expect(404);
    // Its person is signed in still, by the new cookie and no older one.
    ada.get(API).await.expect(404);
    before.clone().get(API).await.expect(401);
    let ended = inside
        .admin("acme", "ada")
        .audited("session_ended", 1)
        .await;
    assert_eq!(ended[0]["code"], "replaced");
    let begun = inside.admin("acme", "ada").audit("session_started").await;
    assert_eq!(begun.len(), 2, "{begun:?}");
}
