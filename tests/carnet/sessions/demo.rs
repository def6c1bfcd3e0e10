//! The demo's sign-in, and where it leads.

use crate::support::{Inside, Server, Site};

#[tokio::test]
async fn people_are_chosen_and_led_to_their_desk() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    for (person, desk) in [
        ("client_admin@acme", "/settings?section=data-exports"),
        ("client_admin@globex", "/settings?section=data-exports"),
        ("auditor@acme", "/audit"),
        ("operator@platform", "/operator"),
    ] {
        let mut browser = demo.browser();
        let chosen = browser.choose(person).await.expect(303);
        assert_eq!(chosen.header("location"), desk, "{person}");
        browser.get(desk).await.expect(200);
        let home = browser.get("/").await.expect(303);
        assert_eq!(home.header("location"), desk, "{person}");
    }
    let mut member = demo.browser();
    member.choose("member@acme").await.expect(303);
    member
        .get("/settings?section=data-exports")
        .await
        .expect(404);
    demo.browser().choose("root@acme").await.expect(400);
}

#[tokio::test]
async fn strangers_are_led_to_sign_in_and_back_whatever_the_path() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    for path in [
        "/",
        "/settings?section=data-exports",
        "/audit",
        "/nothing/here",
    ] {
        let mut browser = demo.browser();
        let first = browser.get(path).await.expect(303);
        assert!(
            first
                .header("location")
                .starts_with("/sign-in?return_to=%2F")
        );
        let second = browser.get(first.header("location")).await.expect(303);
        let page = browser.get(second.header("location")).await.expect(200);
        assert!(page.text().contains("client_admin@acme"));
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-frame-options"), "DENY");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        let wanted = [("as", "client_admin@acme"), ("return_to", path)];
        let chosen = browser.post("/demo/sign-in", &wanted).await.expect(303);
        assert_eq!(chosen.header("location"), path);
    }
    let mut browser = demo.browser();
    for path in ["/settings", "/sign-out", "/nothing/here"] {
        browser.post(path, &[]).await.expect(401);
    }
    browser.get("/api/nothing").await.expect(401);
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    for foreign in [
        "https://example.com/",
        "//example.com/",
        "/\\example.com/",
        "/%2Fexample.com/",
        "/%5Cexample.com/",
        "/\t/example.com/",
        "javascript:alert(1)",
    ] {
        let mut browser = demo.browser();
        let form = [("as", "auditor@acme"), ("return_to", foreign)];
        let chosen = browser.post("/demo/sign-in", &form).await.expect(303);
        assert_eq!(chosen.header("location"), "/audit", "{foreign}");
        let encoded: String = foreign.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let way = browser.get(&format!("/sign-in?return_to={encoded}")).await;
        assert_eq!(way.header("location"), "/demo/sign-in", "{foreign}");
    }
}

#[tokio::test]
async fn the_cookie_is_for_this_host_this_browser_and_nothing_else() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut browser = demo.browser();
    let chosen = browser.choose("client_admin@acme").await.expect(303);
    let cookie = chosen.header("set-cookie");
    let (name, rest) = cookie.split_once('=').unwrap();
    assert_eq!(name, "__Host-carnet");
    let (value, attributes) = rest.split_once(';').unwrap();
    assert!(!value.contains("admin") && !value.contains("acme"));
    assert_eq!(attributes, " Path=/; Secure; HttpOnly; SameSite=Lax");
    let page = browser.get("/settings").await.expect(200);
    assert_eq!(page.header("cache-control"), "no-store");
}

#[tokio::test]
async fn outside_the_demo_its_sign_in_is_an_address_like_any_other() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let mut browser = server.browser();
    let (page, other) = (
        browser.get("/demo/sign-in").await,
        browser.get("/nothing").await,
    );
    assert_eq!((page.status, &page.body), (other.status, &other.body));
    assert_eq!(
        page.header("location"),
        "/sign-in?return_to=%2Fdemo%2Fsign%2Din"
    );
    browser.choose("client_admin@acme").await.expect(401);
    assert!(browser.cookies.is_empty());
    browser.get("/sign-in").await.expect(501);
    let ada = server.client(&site.token("acme", "ada"));
    for path in ["/demo/sign-in", "/nothing"] {
        assert_eq!(ada.get(path).await.status.as_u16(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_session_of_the_demo_opens_nothing_outside_it() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut browser = demo.browser();
    browser.choose("client_admin@acme").await.expect(303);
    browser.get("/api/account-exports").await.expect(200);
    drop(demo);
    let server = Server::start(&site);
    let mut there = server.browser();
    there.cookies = browser.cookies;
    there.get("/api/account-exports").await.expect(401);
    there.get("/settings").await.expect(303);
}
