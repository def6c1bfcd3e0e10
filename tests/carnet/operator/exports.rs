//! Acts on exports.

use serde_json::{Value, json};

use super::{WHY, done, order, unchanged};
use crate::account_exports::FOREVER;
use crate::support::{Client, Server, Site};

const UNKNOWN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

async fn history(admin: &Client, id: &str) -> Vec<Value> {
    let path = format!("/api/account-exports/{id}/history");
    let page = admin.get(&path).await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

/// An export that fails: a column of its category's query goes.
async fn failed(site: &Site, admin: &Client) -> String {
    let database = site.tenants();
    let rename = |from: &str, to: &str| {
        let sql = format!("alter table tickets rename column {from} to {to}");
        database.execute_batch(&sql).unwrap();
    };
    rename("subject", "title");
    let job = admin.export(&["tickets"]).await;
    assert_eq!(job["status"], "failed", "{job}");
    rename("title", "subject");
    job["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_running_export_is_sent_back_to_the_queue_and_begun_anew() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    let job = admin.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    admin.reaches(id, "running").await;
    let act = done(&operator, &format!("/exports/{id}/requeue"), "requeued").await;
    assert_eq!(act["export_id"], Value::Null);
    loop {
        let path = format!("/api/account-exports/{id}");
        let job = admin.get(&path).await.expect(200).json();
        if job["attempt"] == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let entries = admin.audit("requeued").await;
    assert_eq!(entries[0]["export_id"], id);
    assert_eq!(entries[0]["code"], "operator");
    assert_eq!(entries[0]["principal"], act["event"]["principal"]);

    let fail = format!("/exports/{id}/fail");
    let act = done(&operator, &fail, "failed").await;
    unchanged(&operator, &fail).await;
    let job = admin.settled(id).await;
    assert_eq!(job["reason"]["code"], "operator");
    let entries = admin.audit("failed").await;
    assert_eq!(entries[0]["code"], "operator");
    assert_eq!(entries[0]["principal"], act["event"]["principal"]);
    // The slot is free at once.
    assert_eq!(admin.export(&["tickets"]).await["status"], "completed");
    let kinds: Vec<_> = history(&admin, id)
        .await
        .iter()
        .map(|entry| entry["type"].as_str().unwrap().to_owned())
        .filter(|kind| kind != "progressed" && kind != "audit_read")
        .collect();
    assert_eq!(
        kinds,
        ["requested", "started", "requeued", "started", "failed"]
    );
}

#[tokio::test]
async fn in_place_of_a_failed_export_another_like_it_is_admitted() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    let id = failed(&site, &admin).await;
    let requeue = format!("/exports/{id}/requeue");
    let act = done(&operator, &requeue, "requested").await;
    let retry = act["export_id"].as_str().unwrap().to_owned();
    assert_ne!(retry, id);
    let job = admin.settled(&retry).await;
    assert_eq!(
        (&job["status"], &job["origin"]),
        (&json!("completed"), &json!("operator"))
    );
    assert_eq!(job["requested_by"], act["event"]["principal"]);
    // Asked for again, it is the same one.
    let again = order(&operator, &requeue).await.expect(200).json();
    assert_eq!(
        (&again["changed"], &again["export_id"]),
        (&json!(false), &json!(retry))
    );
    let admitted = admin.audit("export_admitted").await;
    assert_eq!(admitted.len(), 2);
    assert_eq!(admitted[0]["details"]["retry_of"], id.as_str());
    assert_eq!(admitted[0]["details"]["origin"], "operator");
    // The failed one stays what it is, and a completed one can't be requeued or failed.
    let path = format!("/api/account-exports/{id}");
    assert_eq!(admin.get(&path).await.json()["status"], "failed");
    for act in ["requeue", "fail"] {
        let answer = order(&operator, &format!("/exports/{retry}/{act}")).await;
        let answer = answer.expect(409);
        assert_eq!(answer.code(), "not_possible");
        assert!(
            answer.json()["detail"]
                .as_str()
                .unwrap()
                .contains("completed")
        );
    }
}

#[tokio::test]
async fn a_retry_is_refused_as_a_request_would_be() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    let id = failed(&site, &admin).await;
    let running = admin.create(&["slow"]).await.expect(202).json();
    let requeue = format!("/exports/{id}/requeue");
    let refused = order(&operator, &requeue).await.expect(409);
    assert_eq!(refused.code(), "export_in_progress");
    assert_eq!(refused.json()["active_export_id"], running["id"]);
    let fail = format!("/exports/{}/fail", running["id"].as_str().unwrap());
    done(&operator, &fail, "failed").await;
    done(&operator, "/tenants/acme/close", "closed").await;
    let refused = order(&operator, &requeue).await.expect(403);
    assert_eq!(refused.code(), "tenant_closed");
}

#[tokio::test]
async fn a_hold_is_put_and_released() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    let job = admin.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let act = done(&operator, &format!("/exports/{id}/hold"), "held").await;
    unchanged(&operator, &format!("/exports/{id}/hold")).await;
    done(
        &operator,
        &format!("/exports/{id}/release-hold"),
        "hold_released",
    )
    .await;
    unchanged(&operator, &format!("/exports/{id}/release-hold")).await;
    for kind in ["held", "hold_released"] {
        let entries = admin.audit(kind).await;
        assert_eq!(entries[0]["principal"], act["event"]["principal"]);
    }
}

#[tokio::test]
async fn an_export_that_is_not_there_is_not_found_and_no_reason_is_in_any_event() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    for act in ["requeue", "fail", "hold", "release-hold"] {
        for id in [UNKNOWN, "nonsense", "%00%ff"] {
            let answer = order(&operator, &format!("/exports/{id}/{act}")).await;
            assert_eq!(answer.expect(404).code(), "not_found", "{id}");
        }
    }
    let admin = server.client(&site.token("acme", "ada"));
    let job = admin.export(&["tickets"]).await;
    let hold = format!("/exports/{}/hold", job["id"].as_str().unwrap());
    done(&operator, &hold, "held").await;
    done(&operator, "/intake/pause", "intake_paused").await;
    assert!(!server.log().contains(WHY));
    assert!(server.stop().0.success());
    let events = rusqlite::Connection::open(site.path().join("data/events.db")).unwrap();
    let mut holding = events
        .prepare(
            "select distinct kind from events
             where instr(cast(data as text), ?1) or instr(cast(metadata as text), ?1)",
        )
        .unwrap();
    let kinds = holding.query_map([WHY], |row| row.get::<_, String>(0));
    let kinds: Vec<_> = kinds.unwrap().map(Result::unwrap).collect();
    assert_eq!(kinds, ["reason_given"]);
}
