//! `POST|DELETE …/{id}/download-link` and `/downloads/{link}`: short-lived, re-checked, revocable.

use std::time::Duration;

use carnet_events::domain::tenant::TenantCommand;
use reqwest::Method;

use crate::support::{Client, Inside, Site};

/// The link's path on the service under test; its url names the configured public address.
async fn link(client: &Client, id: &str) -> String {
    let path = format!("/api/account-exports/{id}/download-link");
    let made = client.act(&path).await.expect(201).json();
    let url = made["url"].as_str().unwrap();
    url[url.find("/downloads/").unwrap()..].to_owned()
}

#[tokio::test]
async fn a_link_gives_the_file_for_a_quarter_of_an_hour() {
    let site = Site::new(3);
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let anyone = inside.nobody();
    let job = ada.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let path = link(&ada, id).await;
    let file = anyone.get(&path).await.expect(200);
    assert_eq!(file.body, ada.download(id, &[]).await.expect(200).body);
    assert_eq!(file.header("cache-control"), "no-store");
    assert!(file.header("content-disposition").starts_with("attachment"));
    let part = [("range", "bytes=0-3")];
    let stored = format!("{path}?as=stored");
    anyone
        .send(Method::GET, &stored, &part, None)
        .await
        .expect(206);
    let used = ada.audit("downloaded").await;
    assert!(
        used.iter()
            .any(|entry| entry["details"]["link"].is_string()),
        "{used:?}"
    );
    assert_eq!(ada.audit("link_issued").await.len(), 1);

    inside.advance(Duration::from_secs(15 * 60) - Duration::from_millis(1));
    anyone.get(&path).await.expect(200);
    inside.advance(Duration::from_millis(1));
    assert_eq!(anyone.get(&path).await.expect(404).code(), "not_found");
    for other in ["/downloads/x", "/downloads/x.y", &path[..path.len() - 1]] {
        assert_eq!(anyone.get(other).await.expect(404).code(), "not_found");
    }
}

#[tokio::test]
async fn a_link_dies_with_its_revocation() {
    let site = Site::new(3);
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let anyone = inside.nobody();
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = link(&ada, &id).await;
    anyone.get(&path).await.expect(200);
    let own = format!("/api/account-exports/{id}/download-link");
    ada.send(Method::DELETE, &own, &[], None).await.expect(204);
    anyone.get(&path).await.expect(404);
    assert_eq!(ada.audit("links_revoked").await.len(), 1);
    // What is handed out within the same millisecond is not what was taken back.
    let new = link(&ada, &id).await;
    anyone.get(&new).await.expect(200);
    anyone.get(&path).await.expect(404);

    // A second revocation counts however soon it follows the first.
    ada.send(Method::DELETE, &own, &[], None).await.expect(204);
    anyone.get(&new).await.expect(404);
}

#[tokio::test]
async fn people_end_their_own_links_and_client_admins_everybodys() {
    let site = Site::new(3);
    site.edit_config(
        "[limits]",
        "[limits]\nrequest_roles = [\"client_admin\", \"member\"]",
    );
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let bob = inside.client("acme", "bob", &["member"]);
    let anyone = inside.nobody();
    let id = bob.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/account-exports/{id}/download-link");
    let (adas, bobs) = (link(&ada, &id).await, link(&bob, &id).await);
    bob.send(Method::DELETE, &path, &[], None).await.expect(204);
    anyone.get(&bobs).await.expect(404);
    anyone.get(&adas).await.expect(200);
    let bobs = link(&bob, &id).await;
    ada.send(Method::DELETE, &path, &[], None).await.expect(204);
    anyone.get(&bobs).await.expect(404);
    anyone.get(&adas).await.expect(404);

    // What was taken back, and by whom, stands in the history with the state after it.
    let history = format!("/api/account-exports/{id}/history");
    let page = ada.get(&history).await.expect(200).json();
    let items = page["items"].as_array().unwrap().iter();
    let told: Vec<_> = items
        .filter(|item| item["type"] == "links_revoked")
        .map(|item| (&item["details"]["everybodys"], &item["state"]["status"]))
        .collect();
    assert_eq!(told.len(), 2, "{page}");
    assert!(told[0] == (&false.into(), &"completed".into()), "{page}");
    assert!(told[1] == (&true.into(), &"completed".into()), "{page}");
}

#[tokio::test]
async fn a_link_is_held_against_what_is_true_when_it_is_used() {
    let site = Site::new(3);
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let anyone = inside.nobody();
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = link(&ada, &id).await;
    inside
        .command("acme", |principal| TenantCommand::Close { principal })
        .await;
    let blocked = anyone.get(&path).await.expect(403);
    assert_eq!(blocked.code(), "access_changed");
    assert_eq!(ada.audit("download_blocked").await.len(), 1);
    inside
        .command("acme", |principal| TenantCommand::Reopen { principal })
        .await;
    anyone.get(&path).await.expect(200);

    // It ends with its issuer's token, however short that is.
    let brief = inside.brief("acme", "ada", Duration::from_secs(60));
    let path = link(&brief, &id).await;
    inside.advance(Duration::from_secs(59));
    anyone.get(&path).await.expect(200);
    inside.advance(Duration::from_secs(1));
    anyone.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_link_promises_no_more_than_the_exports_own_time() {
    let site = Site::new(1);
    site.edit_config(
        "[artifacts]\n",
        "[artifacts]\nttl = \"10m\"\nlink_ttl = \"15m\"\n",
    );
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let job = ada.export(&["tickets"]).await;
    let path = format!(
        "/api/account-exports/{}/download-link",
        job["id"].as_str().unwrap()
    );
    let made = ada.act(&path).await.expect(201).json();
    assert_eq!(made["expires_at"], job["expires_at"]);
}
