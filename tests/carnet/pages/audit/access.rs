//! Who may read, that reading is recorded, and that nothing anybody calls themselves becomes part of a page.

use super::{auditor, checked, page, plain};
use crate::support::{Server, Site};

#[tokio::test]
async fn the_desk_is_not_there_for_anybody_but_auditors_and_admins() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    page(&ada, "/audit").await;
    let member = server.client(&site.token_with("acme", "mel", &["--role", "member"]));
    let export = format!("/audit/exports/{id}");
    for address in [
        "/audit",
        "/audit/new?after=0-0",
        "/audit/entries/0-1",
        &export,
    ] {
        let refused = member.get(address).await.expect(404);
        assert_eq!(refused.code(), "not_found", "{address}");
    }
    assert!(!ada.audit("access_denied").await.is_empty());
    let admin = page(&ada, &export).await;
    assert!(admin.contains("Export completed"), "{admin}");
}

#[tokio::test]
async fn reading_is_recorded_before_anything_is_shown() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let ann = auditor(&site, &server);
    // The page that is read shows that it was.
    let first = page(&ann, "/audit?type=audit_read").await;
    assert_eq!(super::rows(&first).len(), 1, "{first}");
    page(&ann, &format!("/audit/exports/{id}?revision=1")).await;
    // What is read differently is told apart; the same again is counted.
    for _ in 0..3 {
        page(&ann, "/audit?type=completed").await;
    }
    let read = ada.audited("audit_read", 3).await;
    let html: Vec<_> = read
        .iter()
        .filter(|entry| entry["details"]["format"] == "html")
        .collect();
    assert_eq!(html.len(), 3, "repetitions are folded: {read:?}");
    assert_eq!(html[2]["details"]["filters"]["type"], "audit_read");
    assert_eq!(html[1]["export_id"], id.as_str());
    assert_eq!(html[1]["details"]["filters"]["revision"], "1");
    assert_eq!(html[0]["details"]["filters"]["type"], "completed");
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let name = "\"><img src=x onerror=alert(1)>";
    let hostile = server.client(&site.token("acme", name));
    let id = hostile.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let ann = auditor(&site, &server);
    for address in ["/audit".to_owned(), format!("/audit/exports/{id}")] {
        let shown = page(&ann, &address).await;
        assert!(!shown.contains("<img src=x"), "{shown}");
        assert!(plain(&shown).contains(name), "{shown}");
    }
    let typed = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for field in ["from", "to", "type", "principal", "export_id"] {
        let refused = checked(&ann, &format!("/audit?{field}={typed}"), 400).await;
        assert!(!refused.contains("<script>alert"), "{refused}");
    }
}
