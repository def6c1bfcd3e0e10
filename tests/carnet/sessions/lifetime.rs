//! How long a session lasts, and what ends it.

use std::time::Duration;

use crate::support::{Inside, Site};

const MINUTE: Duration = Duration::from_secs(60);
const API: &str = "/api/account-exports";

#[tokio::test]
async fn a_session_that_is_not_used_ends() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut ada = demo.browser();
    ada.choose("client_admin@acme").await.expect(303);
    let first = ada.session();
    demo.advance(29 * MINUTE);
    ada.get(API).await.expect(200);
    assert_ne!(ada.session(), first, "use prolongs it");
    demo.advance(29 * MINUTE);
    ada.get(API).await.expect(200);
    demo.advance(30 * MINUTE);
    ada.get(API).await.expect(401);
    ada.get("/settings").await.expect(303);
}

#[tokio::test]
async fn an_open_page_that_asks_for_news_is_no_use_of_the_session() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut audrey = demo.browser();
    audrey.choose("auditor@acme").await.expect(303);
    let page = audrey.get("/audit").await.expect(200).text();
    let (_, news) = page.split_once("hx-get=\"/audit/new").unwrap();
    let news = news.split_once('"').unwrap().0.replace("&amp;", "&");
    let first = audrey.session();
    for _ in 0..2 {
        demo.advance(14 * MINUTE);
        let told = audrey.get(&format!("/audit/new{news}")).await;
        assert!(told.status.is_success(), "{}", told.status);
        assert_eq!(audrey.session(), first);
    }
    demo.advance(2 * MINUTE);
    audrey.get("/audit").await.expect(303);
}

#[tokio::test]
async fn no_session_outlasts_its_absolute_end() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut ada = demo.browser();
    ada.choose("client_admin@acme").await.expect(303);
    for _ in 0..35 {
        demo.advance(20 * MINUTE);
        ada.get(API).await.expect(200);
    }
    demo.advance(20 * MINUTE);
    ada.get(API).await.expect(401);
}

#[tokio::test]
async fn after_sign_out_a_stolen_cookie_opens_nothing() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut ada = demo.browser();
    ada.choose("client_admin@acme").await.expect(303);
    let mut thief = ada.clone();
    thief.get(API).await.expect(200);
    let out = ada.submit("/settings", "/sign-out").await.expect(303);
    assert_eq!(out.header("location"), "/signed-out");
    assert!(ada.cookies.is_empty());
    ada.get("/signed-out").await.expect(200);
    thief.get(API).await.expect(401);
    thief.get("/settings").await.expect(303);
}

#[tokio::test]
async fn a_session_brought_along_is_ended_never_taken_up() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut attacker = demo.browser();
    attacker.choose("auditor@acme").await.expect(303);
    let mut victim = demo.browser();
    victim.cookies = attacker.cookies.clone();
    victim.choose("client_admin@acme").await.expect(303);
    assert_ne!(victim.session(), attacker.session());
    attacker.get("/audit").await.expect(303);
    attacker.get(API).await.expect(401);
    victim.get(API).await.expect(200);
}

#[tokio::test]
async fn a_tampered_cookie_is_no_cookie() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut ada = demo.browser();
    ada.choose("client_admin@acme").await.expect(303);
    let good = ada.session();
    let end = good.len() - 1;
    for bad in [
        String::new(),
        good[..end].to_owned(),
        format!("{}{}", &good[..end], "*"),
    ] {
        ada.cookies.insert("__Host-carnet".to_owned(), bad);
        ada.get(API).await.expect(401);
    }
}

#[tokio::test]
async fn links_end_with_the_session_they_were_asked_for_in() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut ada = demo.browser();
    ada.choose("client_admin@acme").await.expect(303);
    let token = ada.token("/settings").await;
    let ours = [
        ("sec-fetch-site", "same-origin"),
        ("x-csrf-token", token.as_str()),
    ];
    let wanted = serde_json::json!({ "categories": ["tickets"] });
    let job = ada.json(API, &ours, &wanted).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    demo.admin("acme", "ada").settled(id).await;
    let link = ada
        .json(
            &format!("{API}/{id}/download-link"),
            &ours,
            &serde_json::json!({}),
        )
        .await;
    let link = link.expect(201).json()["url"].as_str().unwrap().to_owned();
    let path = &link[link.find("/downloads/").unwrap()..];
    demo.nobody().get(path).await.expect(200);
    ada.submit("/settings", "/sign-out").await.expect(303);
    demo.nobody().get(path).await.expect(404);
}

#[tokio::test]
async fn sign_in_and_out_stand_in_the_tenants_log_without_a_name() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut ada = demo.browser();
    ada.choose("client_admin@acme").await.expect(303);
    ada.submit("/settings", "/sign-out").await.expect(303);
    let (acme, globex) = (demo.admin("acme", "ada"), demo.admin("globex", "gus"));
    let (begun, ended) = (
        acme.audited("session_started", 1).await,
        acme.audited("session_ended", 1).await,
    );
    assert_eq!(begun[0]["code"], "demo");
    assert_eq!(ended[0]["code"], "signed_out");
    assert_eq!(begun[0]["principal"], ended[0]["principal"]);
    assert!(!begun[0].to_string().contains("\"ada\""));
    assert!(globex.audit("session_started").await.is_empty());
    let mut olga = demo.browser();
    olga.choose("operator@platform").await.expect(303);
    assert_eq!(acme.audit("session_started").await.len(), 1);
}

#[tokio::test]
async fn an_open_stream_ends_with_its_session() {
    let site = Site::new(1);
    site.add_slow_category("slow", 1 << 60);
    let demo = Inside::demo(&site);
    let mut ada = demo.browser();
    ada.choose("client_admin@acme").await.expect(303);
    let admin = demo.admin("acme", "ada");
    let job = admin.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    let stream = ada.open(&format!("{API}/{id}/events")).await;
    ada.submit("/settings", "/sign-out").await.expect(303);
    stream.bytes().await.unwrap();
    admin.act(&format!("{API}/{id}/cancel")).await.expect(200);
}

#[tokio::test]
async fn the_streams_of_pages_end_with_their_session() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    for (person, page, stream) in [
        (
            "client_admin@acme",
            "/settings",
            "/settings/data-exports/live",
        ),
        ("operator@platform", "/operator", "/operator/live"),
    ] {
        let mut browser = demo.browser();
        browser.choose(person).await.expect(303);
        let open = browser.open(stream).await;
        browser.submit(page, "/sign-out").await.expect(303);
        let ended = tokio::time::timeout(Duration::from_secs(120), open.bytes()).await;
        assert!(ended.is_ok(), "{stream} goes on");
    }
}
