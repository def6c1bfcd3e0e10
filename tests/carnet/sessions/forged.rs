//! What other sites make a signed-in browser send is refused, and nothing is done.

use reqwest::Method;
use serde_json::json;

use crate::support::{Browser, Inside, Site};

const CREATE: &str = "/api/account-exports";
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn signed_in(demo: &Inside) -> (Browser, String) {
    let mut browser = demo.browser();
    browser.choose("client_admin@acme").await.expect(303);
    let token = browser.token("/settings").await;
    (browser, token)
}

#[tokio::test]
async fn a_request_by_cookie_needs_our_page_and_the_sessions_token() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let (mut ada, token) = signed_in(&demo).await;
    let (_, foreign) = signed_in(&demo).await;
    let own = ("x-csrf-token", token.as_str());
    let origin = demo.address().to_owned();
    let wanted = json!({ "categories": ["tickets"] });
    let refused: [&[(&str, &str)]; 13] = [
        &[],
        &[OURS],
        &[own],
        &[OURS, ("x-csrf-token", &foreign)],
        &[OURS, ("x-csrf-token", "")],
        &[OURS, own, own],
        &[("sec-fetch-site", "cross-site"), own],
        &[("sec-fetch-site", "same-site"), own],
        &[("sec-fetch-site", "none"), own],
        &[("sec-fetch-site", "cross-site"), ("origin", &origin), own],
        &[("origin", "https://example.com"), own],
        &[OURS, ("origin", "https://example.com"), own],
        &[("origin", "null"), own],
    ];
    for headers in refused {
        let answer = ada.json(CREATE, headers, &wanted).await.expect(403);
        assert_eq!(answer.code(), "cross_site", "{headers:?}");
    }
    let list = ada.get(CREATE).await.expect(200).json();
    assert_eq!(list["total"], 0);
    ada.json(CREATE, &[("origin", &origin), own], &wanted)
        .await
        .expect(202);
    // As browsers send the forms of pages that send no referrer: past the forgery check, to the one that is under way.
    for origin in ["null", &origin] {
        let headers = [OURS, ("origin", origin), own];
        let answer = ada.json(CREATE, &headers, &wanted).await;
        assert_ne!(answer.status, 403, "{origin}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_before_anything_else() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let (mut ada, _) = signed_in(&demo).await;
    let path = "/api/account-exports/0198c7a1-7b0c-7abc-8def-0123456789ab";
    for (method, path) in [
        (Method::POST, format!("{path}/cancel")),
        (Method::POST, format!("{path}/download-link")),
        (Method::DELETE, format!("{path}/download-link")),
    ] {
        ada.send(method, &path, &[], None).await.expect(404);
    }
    let mut member = demo.browser();
    member.choose("member@acme").await.expect(303);
    member.json(CREATE, &[], &json!({})).await.expect(404);
}

#[tokio::test]
async fn every_unsafe_route_asks() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let (mut ada, token) = signed_in(&demo).await;
    let own = [OURS, ("x-csrf-token", token.as_str())];
    let job = ada
        .json(CREATE, &own, &json!({ "categories": ["tickets"] }))
        .await;
    let id = job.expect(202).json()["id"].as_str().unwrap().to_owned();
    let path = format!("{CREATE}/{id}");
    let mut olga = demo.browser();
    olga.choose("operator@platform").await.expect(303);
    let orders = olga.token("/operator").await;
    let api = ada.get("/openapi.json").await.expect(200).json();
    let mut asked = 0;
    for (template, operations) in api["paths"].as_object().unwrap() {
        let path = template
            .replace("{id}", &id)
            .replace("{tenant}", "acme")
            .replace("{module}", "core")
            .replace("{node}", "this")
            .replace("{name}", "exports");
        for method in operations.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            if method.is_safe() {
                continue;
            }
            let (browser, token) = match path.starts_with("/api/operator") {
                true => (&mut olga, &orders),
                false => (&mut ada, &token),
            };
            let forged = [
                ("sec-fetch-site", "cross-site"),
                ("x-csrf-token", token.as_str()),
            ];
            let answer = browser.send(method, &path, &forged, None).await;
            assert_eq!(answer.expect(403).code(), "cross_site", "{path}");
            asked += 1;
        }
    }
    assert!(asked > 15, "{asked}");
    ada.send(Method::DELETE, &format!("{path}/download-link"), &own, None)
        .await
        .expect(204);
}

#[tokio::test]
async fn no_other_site_signs_anybody_in_or_out() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let (mut ada, token) = signed_in(&demo).await;
    let before = ada.session();
    let form: &[(&str, &str)] = &[("as", "client_admin@globex"), ("csrf", &token)];
    for forged in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://example.com"),
        ("origin", "null"),
    ] {
        for path in ["/demo/sign-in", "/sign-out"] {
            ada.send(Method::POST, path, &[forged], Some(form))
                .await
                .expect(403);
        }
    }
    ada.post("/sign-out", &[("csrf", "x")]).await.expect(403);
    assert_eq!(ada.session(), before);
    ada.get("/settings").await.expect(200);
}

#[tokio::test]
async fn a_bearer_token_needs_no_form_token_and_decides_alone() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let (mut ada, _) = signed_in(&demo).await;
    let gus = demo.client("globex", "gus", &["client_admin"]);
    let cookie = format!("__Host-carnet={}", ada.session());
    let both = [("cookie", cookie.as_str())];
    let body = json!({ "categories": ["tickets"] }).to_string();
    gus.send(Method::POST, CREATE, &both, Some(body))
        .await
        .expect(202);
    let list = gus
        .send(Method::GET, CREATE, &both, None)
        .await
        .expect(200)
        .json();
    assert_eq!(list["total"], 1);
    let mut wrong = ada.clone();
    let headers = [("authorization", "Bearer nonsense")];
    wrong
        .send(Method::GET, CREATE, &headers, None)
        .await
        .expect(401);
    assert_eq!(ada.get(CREATE).await.expect(200).json()["total"], 0);
}
