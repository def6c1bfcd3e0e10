//! An older export's file after something changed: blocked, audited, and there again once it is put back.

use std::time::Duration;

use carnet_events::domain::tenant::TenantCommand;

use crate::support::{Client, Inside, Server, Site};

async fn blocked(client: &Client, id: &str) {
    for path in ["/download", "/download?as=stored"] {
        let answer = client
            .get(&format!("/api/account-exports/{id}{path}"))
            .await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.code(), "access_changed");
    }
    let link = client
        .act(&format!("/api/account-exports/{id}/download-link"))
        .await;
    assert_eq!(link.status, 403);
    let job = client
        .get(&format!("/api/account-exports/{id}"))
        .await
        .expect(200)
        .json();
    assert!(job["_links"].get("download").is_none(), "{job}");
}

#[tokio::test]
async fn a_changed_policy_blocks_until_it_is_put_back() {
    let site = Site::new(3);
    let token = site.token("acme", "ada");
    let server = Server::start(&site);
    let ada = server.client(&token);
    let id = ada.export(&["tickets", "users"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    ada.download(&id, &[]).await.expect(200);
    server.stop();

    let note = r#"note = { type = "text" }"#;
    let stricter = r#"note = { type = "text", rule = "drop" }"#;
    site.edit_config(note, stricter);
    let server = Server::start(&site);
    let ada = server.client(&token);
    blocked(&ada, &id).await;
    let records = ada.audit("download_blocked").await;
    assert_eq!(records[0]["code"], "access_changed", "{records:?}");
    assert_eq!(records[0]["export_id"], id.as_str());
    assert_eq!(
        records[0]["details"]["categories"][0], "users",
        "{records:?}"
    );
    // A new export is what is needed, and works.
    let new = ada.export(&["tickets", "users"]).await;
    ada.download(new["id"].as_str().unwrap(), &[])
        .await
        .expect(200);
    server.stop();

    site.edit_config(stricter, note);
    let server = Server::start(&site);
    let ada = server.client(&token);
    ada.download(&id, &[]).await.expect(200);
}

#[tokio::test]
async fn a_lost_permission_blocks_and_a_lost_role_hides() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["users"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let link = ada
        .act(&format!("/api/account-exports/{id}/download-link"))
        .await
        .expect(201);

    let without = server.client(&site.token_with("acme", "ada", &["--role", "client_admin"]));
    blocked(&without, &id).await;
    let path = format!("/api/account-exports/{id}/download");
    let member = server.client(&site.token_with(
        "acme",
        "ada",
        &["--role", "member", "--permission", "exports:users"],
    ));
    assert_eq!(member.get(&path).await.expect(404).code(), "not_found");
    let codes: Vec<_> = ada.audit("download_blocked").await;
    assert_eq!(codes[0]["code"], "access_changed");
    assert_eq!(ada.audit("access_denied").await.len(), 1);
    ada.download(&id, &[]).await.expect(200);
    assert!(link.json()["url"].as_str().unwrap().contains("/downloads/"));

    // A category that came to need another permission is a change, too.
    server.stop();
    site.edit_config(
        r#"permission = "exports:users""#,
        r#"permission = "exports:people""#,
    );
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    blocked(&ada, &id).await;
    let permitted = server.client(&site.token_with(
        "acme",
        "ada",
        &["--role", "client_admin", "--permission", "exports:people"],
    ));
    permitted.download(&id, &[]).await.expect(200);
}

#[tokio::test]
async fn a_closed_tenant_blocks_and_grace_does_not() {
    let site = Site::new(3);
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    inside
        .command("acme", |principal| TenantCommand::Close { principal })
        .await;
    blocked(&ada, &id).await;
    assert_eq!(
        ada.create(&["tickets"]).await.expect(403).code(),
        "tenant_closed"
    );
    inside
        .command("acme", |principal| TenantCommand::Reopen { principal })
        .await;
    ada.download(&id, &[]).await.expect(200);
    let audit = ada
        .get("/api/audit-log")
        .await
        .expect(200)
        .json()
        .to_string();
    for kind in [
        "tenant_closed",
        "tenant_reopened",
        "download_blocked",
        "export_refused",
    ] {
        assert!(audit.contains(kind), "{kind}: {audit}");
    }

    let grace = Duration::from_secs(3_600);
    inside
        .command("acme", |principal| TenantCommand::Cancel {
            grace,
            principal,
        })
        .await;
    ada.download(&id, &[]).await.expect(200);
    inside.advance(grace);
    blocked(&ada, &id).await;
}

#[tokio::test]
async fn a_module_that_is_switched_off_blocks_until_it_is_on_again() {
    let site = Site::new(3);
    site.edit_config(
        "title = \"Tickets\"",
        "title = \"Tickets\"\nmodule = \"support\"",
    );
    site.add_config("[tenants.acme]\nmodules = [\"support\"]\n");
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let switch = |on| {
        inside.command("acme", move |principal| TenantCommand::SwitchModule {
            module: "support".to_owned(),
            on,
            principal,
        })
    };
    switch(false).await;
    blocked(&ada, &id).await;
    let records = ada.audit("download_blocked").await;
    assert_eq!(records[0]["details"]["categories"][0], "tickets");
    switch(true).await;
    ada.download(&id, &[]).await.expect(200);
}

#[tokio::test]
async fn a_role_that_is_admitted_no_more_hides_until_it_is_again() {
    let site = Site::new(3);
    let without = "[limits]";
    let with = "[limits]\nrequest_roles = [\"client_admin\", \"member\"]";
    site.edit_config(without, with);
    let token = site.token_with("acme", "bob", &["--role", "member"]);
    let server = Server::start(&site);
    let bob = server.client(&token);
    let id = bob.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/account-exports/{id}/download");
    let made = bob.act(&format!("{path}-link")).await.expect(201).json();
    let url = made["url"].as_str().unwrap();
    let link = &url[url.find("/downloads/").unwrap()..];
    server.client("").get(link).await.expect(200);
    server.stop();

    site.edit_config(with, without);
    let server = Server::start(&site);
    let bob = server.client(&token);
    assert_eq!(bob.get(&path).await.expect(404).code(), "not_found");
    let through_link = server.client("").get(link).await.expect(404);
    assert_eq!(through_link.code(), "not_found");
    let ada = server.client(&site.token("acme", "ada"));
    assert_eq!(ada.audit("access_denied").await.len(), 1);
    server.stop();

    site.edit_config(without, with);
    let server = Server::start(&site);
    server.client(&token).get(&path).await.expect(200);
    server.client("").get(link).await.expect(200);
}
