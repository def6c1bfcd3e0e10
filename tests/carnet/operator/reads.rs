//! What operators are shown.

use serde_json::{Value, json};

use super::{WHY, done};
use crate::account_exports::FOREVER;
use crate::support::{Client, Server, Site};

async fn seen(operator: &Client, path: &str) -> Value {
    let answer = operator.get(&format!("/api/operator{path}")).await;
    answer.expect(200).json()
}

#[tokio::test]
async fn the_overview_shows_exports_nodes_switches_checks_and_read_models() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    // Nothing is to look stuck because this machine is busy.
    site.edit_config("lease = \"3s\"", "lease = \"1m\"");
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    admin.export(&["tickets"]).await;
    let running = admin.create(&["slow"]).await.expect(202).json();
    let id = running["id"].as_str().unwrap();
    admin.reaches(id, "running").await;
    done(&operator, "/nodes/this/drain", "drain_started").await;
    let other = server.client(&site.token("globex", "eve"));
    let waiting = other.create(&["tickets"]).await.expect(202).json();
    done(&operator, "/intake/pause", "intake_paused").await;
    // Lists wait for the read models, so that what follows has everything.
    admin.get("/api/account-exports").await.expect(200);
    let overview = loop {
        let overview = seen(&operator, "/overview").await;
        if overview["statuses"]["queued"] == 1
            && overview["running"][0]["id"] == id
            && overview["nodes"][0]["running"] == 1
        {
            break overview;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(overview["statuses"]["completed"], 1);
    assert_eq!(overview["running"][0]["tenant"], "acme");
    assert_eq!(overview["oldest_queued"]["id"], waiting["id"]);
    assert_eq!(overview["stuck"]["total"], 0);
    assert_eq!(overview["last_hour"]["completed"], 1);
    assert!(
        overview["intake_paused"]["by"]
            .as_str()
            .unwrap()
            .starts_with("op-")
    );
    let node = &overview["nodes"][0];
    assert_eq!((&node["this"], &node["running"]), (&json!(true), &json!(1)));
    assert!(node["draining"]["at"].is_string());
    assert_eq!(overview["checks"]["artifacts"], "ok");
    assert_eq!(overview["projections"].as_array().unwrap().len(), 4);

    let exports = seen(&operator, "/exports").await;
    let found: Vec<_> = exports["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(found, [&running["id"], &waiting["id"]]);
    let queued = seen(&operator, "/exports?status=queued").await;
    assert_eq!(queued["items"].as_array().unwrap().len(), 1);
    let stuck = seen(&operator, "/exports?stuck=true").await;
    assert_eq!(stuck["items"], json!([]));
    for wrong in [
        "status=completed",
        "limit=0",
        "limit=x",
        "more=1",
        "stuck=true&status=queued",
    ] {
        let answer = operator
            .get(&format!("/api/operator/exports?{wrong}"))
            .await;
        assert_eq!(answer.expect(400).code(), "malformed_request", "{wrong}");
    }
    // Nothing of a person, nothing of the data.
    let everything = format!("{overview}{exports}");
    for word in ["ada", "eve", "olga"] {
        assert!(
            !everything.contains(&format!("\"{word}\"")),
            "{word}: {everything}"
        );
    }
    done(&operator, &format!("/exports/{id}/fail"), "failed").await;
    let failed = loop {
        let failed = seen(&operator, "/exports?status=failed").await;
        if failed["items"] != json!([]) {
            break failed;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(failed["items"].as_array().unwrap().len(), 1);
    let failed = &failed["items"][0];
    assert_eq!(
        (&failed["id"], &failed["status"]),
        (&json!(id), &json!("failed"))
    );
    assert_eq!(failed["code"], "operator");
}

#[tokio::test]
async fn the_platforms_log_says_who_did_what_and_why() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    done(&operator, "/intake/pause", "intake_paused").await;
    done(&operator, "/intake/resume", "intake_resumed").await;
    let page = seen(&operator, "/platform-log?page_size=1").await;
    let newest = &page["items"][0];
    assert_eq!(newest["type"], "intake_resumed");
    assert_eq!(
        (&newest["operator"], &newest["reason"]),
        (&json!("olga"), &json!(WHY))
    );
    let next = page["next"].as_u64().unwrap();
    let rest = seen(&operator, &format!("/platform-log?before={next}")).await;
    let kinds: Vec<_> = rest["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["type"])
        .collect();
    assert_eq!(
        kinds,
        [
            "intake_paused",
            "configuration_applied",
            "storages_used",
            "keys_applied",
            "log_created"
        ]
    );
    assert_eq!(rest["next"], Value::Null);
    for wrong in ["page_size=0", "before=-1", "more=1"] {
        let answer = operator
            .get(&format!("/api/operator/platform-log?{wrong}"))
            .await;
        assert_eq!(answer.expect(400).code(), "malformed_request", "{wrong}");
    }
}

#[tokio::test]
async fn a_tenant_is_shown_as_its_stream_says() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    admin.export(&["tickets"]).await;
    done(&operator, "/tenants/acme/close", "closed").await;
    let tenant = seen(&operator, "/tenants/acme").await;
    assert_eq!(
        (&tenant["closed"], &tenant["lifecycle"]),
        (&json!(true), &json!("active"))
    );
    assert!(tenant["last_admitted_at"].is_string());
    let unknown = operator.get("/api/operator/tenants/amce").await;
    assert_eq!(unknown.expect(404).code(), "not_found");
}
