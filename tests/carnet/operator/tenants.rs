//! Acts on tenants.

use std::time::Duration;

use serde_json::{Value, json};

use super::{WHY, done, order, unchanged};
use crate::support::{Client, Server, Site};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn soon() -> String {
    let at = jiff::Timestamp::now() + DAY;
    at.to_string()
}

async fn exempt(operator: &Client, more: Value) -> crate::support::Answer {
    let mut body = json!({"limit": "user", "count": 1, "until": soon(), "reason": WHY});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let path = "/api/operator/tenants/acme/exemptions";
    operator.post(path, body).await
}

#[tokio::test]
async fn a_closed_tenant_exports_and_downloads_nothing_until_it_is_reopened() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    let job = admin.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    unchanged(&operator, "/tenants/acme/reopen").await;
    let act = done(&operator, "/tenants/acme/close", "closed").await;
    unchanged(&operator, "/tenants/acme/close").await;
    let refused = admin.create(&["tickets"]).await.expect(403);
    assert_eq!(refused.code(), "tenant_closed");
    let blocked = admin.download(id, &[]).await.expect(403);
    assert_eq!(blocked.code(), "access_changed");
    done(&operator, "/tenants/acme/reopen", "reopened").await;
    admin.download(id, &[]).await.expect(200);
    for kind in ["tenant_closed", "tenant_reopened"] {
        let entries = admin.audit(kind).await;
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["principal"], act["event"]["principal"]);
    }
    // One that was only misspelt is not closed.
    let unknown = order(&operator, "/tenants/amce/close").await;
    assert_eq!(unknown.expect(404).code(), "not_found");
}

#[tokio::test]
async fn an_exemption_lets_its_person_through_and_nobody_else() {
    let site = Site::new(3);
    site.edit_config(
        r#"per_user = { accepted = 10000, window = "24h" }"#,
        r#"per_user = { accepted = 1, window = "24h" }"#,
    );
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let ada = server.client(&site.token("acme", "ada"));
    let bob = server.client(&site.token("acme", "bob"));
    for client in [&ada, &bob] {
        client.export(&["tickets"]).await;
        let full = client.create(&["tickets"]).await.expect(429);
        assert_eq!(full.code(), "limit_user");
    }
    let granted = exempt(&operator, json!({"user": "ada"})).await;
    let granted = granted.expect(200).json();
    assert_eq!(granted["event"]["type"], "exemption_granted");
    bob.create(&["tickets"]).await.expect(429);
    assert_eq!(ada.export(&["tickets"]).await["status"], "completed");
    ada.create(&["tickets"]).await.expect(429);
    let entry = ada.audit("exemption_granted").await[0].clone();
    assert_eq!(entry["principal"], granted["event"]["principal"]);
    assert_eq!(
        (&entry["details"]["limit"], &entry["details"]["count"]),
        (&json!("user"), &json!(1))
    );
    // By the pseudonym that the audit log shows, and for whoever needs it.
    let refusals = ada.audit("export_refused").await;
    let own = &entry["details"]["person"];
    let others = refusals.iter().find(|one| one["principal"] != *own);
    let others = others.unwrap()["principal"].clone();
    exempt(&operator, json!({"principal": others}))
        .await
        .expect(200);
    assert_eq!(bob.export(&["tickets"]).await["status"], "completed");
    exempt(&operator, json!({})).await.expect(200);
    assert_eq!(ada.export(&["tickets"]).await["status"], "completed");
}

#[tokio::test]
async fn an_exemption_has_bounds_and_is_granted_once() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let ada = server.client(&site.token("acme", "ada"));
    ada.export(&["tickets"]).await;
    let id = "0b9a4a52-54f8-4d4c-9f0e-0a1d5a1f6a11";
    let until = soon();
    let body = json!({"id": id, "limit": "tenant", "count": 2, "until": until});
    let first = exempt(&operator, body.clone()).await.expect(200).json();
    assert_eq!(first["changed"], true);
    let again = exempt(&operator, body).await.expect(200).json();
    assert_eq!(again["changed"], false);
    let other = exempt(&operator, json!({"id": id, "until": until})).await;
    assert_eq!(other.expect(409).code(), "not_possible");
    for wrong in [
        json!({"count": 0}),
        json!({"count": 1001}),
        json!({"count": -1}),
        json!({"limit": "everything"}),
        json!({"until": "tomorrow"}),
        json!({"until": "2020-01-01T00:00:00Z"}),
        json!({"until": "9999-01-01T00:00:00Z"}),
        json!({"user": "nobody"}),
        json!({"principal": "p-00000000000000000000000000000000"}),
        json!({"principal": ""}),
        json!({"user": "ada", "principal": "p-1"}),
        json!({"limit": "tenant", "user": "ada"}),
        json!({"id": "not an id"}),
        json!({"reason": " "}),
    ] {
        let answer = exempt(&operator, wrong.clone()).await;
        assert_eq!(answer.expect(400).code(), "malformed_request", "{wrong}");
    }
    assert_eq!(ada.audit("exemption_granted").await.len(), 1);
}

#[tokio::test]
async fn a_cancelled_tenant_goes_on_for_its_grace_window_and_may_come_back() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let ada = server.client(&site.token("acme", "ada"));
    ada.export(&["tickets"]).await;
    unchanged(&operator, "/tenants/acme/reactivate").await;
    done(&operator, "/tenants/acme/cancel", "cancelled").await;
    unchanged(&operator, "/tenants/acme/cancel").await;
    assert_eq!(ada.export(&["tickets"]).await["status"], "completed");
    done(&operator, "/tenants/acme/reactivate", "reactivated").await;
    let path = "/api/operator/tenants/acme/cancel";
    let at_once = json!({"reason": WHY, "grace_days": 0});
    operator.post(path, at_once).await.expect(200);
    let refused = ada.create(&["tickets"]).await.expect(403);
    assert_eq!(refused.code(), "tenant_closed");
    let late = order(&operator, "/tenants/acme/reactivate").await;
    assert_eq!(late.expect(409).code(), "not_possible");
    let too_long = json!({"reason": WHY, "grace_days": 367});
    operator.post(path, too_long).await.expect(400);
    for kind in ["tenant_cancelled", "tenant_reactivated"] {
        assert!(!ada.audit(kind).await.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn a_module_is_switched_off_and_its_categories_are_gone() {
    let site = Site::new(3);
    site.edit_config(
        "title = \"Tickets\"",
        "title = \"Tickets\"\nmodule = \"support\"",
    );
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let ada = server.client(&site.token("acme", "ada"));
    ada.export(&["tickets"]).await;
    let path = "/api/operator/tenants/acme/modules/support";
    let switch = |on: bool| json!({"on": on, "reason": WHY});
    let act = operator.post(path, switch(false)).await.expect(200).json();
    assert_eq!(act["event"]["type"], "module_switched");
    let again = operator.post(path, switch(false)).await.expect(200).json();
    assert_eq!(again["changed"], false);
    let refused = ada.create(&["tickets"]).await.expect(422);
    assert_eq!(refused.code(), "unknown_category");
    operator.post(path, switch(true)).await.expect(200);
    assert_eq!(ada.export(&["tickets"]).await["status"], "completed");
    let unknown = "/api/operator/tenants/acme/modules/nonsense";
    operator.post(unknown, switch(true)).await.expect(404);
    assert_eq!(ada.audit("module_switched").await.len(), 2);
}
