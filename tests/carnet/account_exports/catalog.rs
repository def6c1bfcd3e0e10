//! `GET /api/account-exports/catalog`: what may be exported, and what is left of the limits, before the click.

use serde_json::json;

use super::FOREVER;
use crate::support::{Server, Site};

const PATH: &str = "/api/account-exports/catalog";

#[tokio::test]
async fn everyone_sees_what_they_may_export_and_what_is_left() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let ids = |catalog: &serde_json::Value| -> Vec<String> {
        let categories = catalog["categories"].as_array().unwrap();
        let mut ids: Vec<_> = categories
            .iter()
            .map(|category| category["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let before = ada.get(PATH).await.expect(200).json();
    assert_eq!(ids(&before), ["slow", "tickets", "users"]);
    assert_eq!(before["can_request"], true);
    assert!(before["blocked_by"].is_null() && before["last_export_at"].is_null());
    assert_eq!(before["limits"]["per_user"]["accepted"], 0);
    assert_eq!(before["formats"], json!(["json"]));
    let without = server.client(&site.token_with("acme", "bob", &["--role", "client_admin"]));
    let seen = without.get(PATH).await.expect(200).json();
    assert_eq!(ids(&seen), ["slow", "tickets"]);

    let job = ada.create(&["slow"]).await.expect(202).json();
    for client in [&ada, &without] {
        let during = client.get(PATH).await.expect(200).json();
        assert_eq!(during["can_request"], false);
        assert_eq!(during["blocked_by"], "export_in_progress");
        // The tenant's yes comes just before the export's first event.
        let last = during["last_export_at"].as_str().unwrap();
        assert!(last <= job["created_at"].as_str().unwrap(), "{last}");
        assert_eq!(during["limits"]["per_tenant"]["accepted"], 1);
        assert_eq!(during["limits"]["per_tenant"]["remaining"], 9_999);
    }
    // What a module opens is there only while the module is on.
    let cancel = job["_links"]["cancel"].as_str().unwrap();
    ada.act(cancel).await.expect(200);
    assert_eq!(ada.get(PATH).await.expect(200).json()["can_request"], true);
}

#[tokio::test]
async fn a_modules_categories_are_there_while_it_is_on() {
    let site = Site::new(3);
    site.edit_config(
        "title = \"Tickets\"",
        "title = \"Tickets\"\nmodule = \"support\"",
    );
    site.add_config("[tenants.acme]\nmodules = [\"support\"]\n[tenants.globex]\nmodules = []\n");
    let server = Server::start(&site);
    let on = server.client(&site.token("acme", "ada"));
    let off = server.client(&site.token("globex", "eve"));
    assert!(
        on.get(PATH)
            .await
            .expect(200)
            .json()
            .to_string()
            .contains("tickets")
    );
    assert!(
        !off.get(PATH)
            .await
            .expect(200)
            .json()
            .to_string()
            .contains("tickets")
    );
    let refused = off.create(&["tickets"]).await.expect(422);
    assert_eq!(refused.code(), "unknown_category");
    on.export(&["tickets"]).await;
}

#[tokio::test]
async fn what_a_policy_leaves_out_or_changes_is_told() {
    let site = Site::new(1);
    site.edit_config(
        "note = { type = \"text\" }",
        "note = { type = \"text\", rule = \"drop\" }",
    );
    site.edit_config(
        "subject = { type = \"text\" }",
        "subject = { type = \"text\", rule = \"keep\", why = \"a test\" }",
    );
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let seen = ada.get(PATH).await.expect(200).json();
    let of = |id: &str| {
        let mut all = seen["categories"].as_array().unwrap().iter();
        all.find(|category| category["id"] == id).unwrap()["policy"].clone()
    };
    let nothing = json!({ "dropped": [], "masked": [], "hashed": [], "scanned": [] });
    assert_eq!(of("tickets"), nothing);
    let expected = json!({ "dropped": ["note"], "masked": [], "hashed": [], "scanned": ["name"] });
    assert_eq!(of("users"), expected);
}

#[tokio::test]
async fn who_may_export_nothing_is_told_so_before_they_ask() {
    let site = Site::new(1);
    site.edit_config(
        "title = \"Tickets\"",
        "title = \"Tickets\"\npermission = \"exports:tickets\"",
    );
    let server = Server::start(&site);
    let bob = server.client(&site.token_with("acme", "bob", &["--role", "client_admin"]));
    let seen = bob.get(PATH).await.expect(200).json();
    assert_eq!(seen["categories"], json!([]));
    assert_eq!(seen["can_request"], false);
    let told = bob.create(&["tickets"]).await.expect(422).code();
    assert_eq!(seen["blocked_by"], told);
}
