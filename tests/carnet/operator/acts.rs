//! Acts on the whole service: intake, nodes, projections; and what every act has in common.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{done, order, unchanged};
use crate::support::{Client, Inside, Server, Site};

#[tokio::test]
async fn a_paused_intake_takes_no_requests_until_it_is_resumed() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    unchanged(&operator, "/intake/resume").await;
    let act = done(&operator, "/intake/pause", "intake_paused").await;
    assert_eq!(act["action"], "pause_intake");
    assert_eq!(act["event"]["stream"], "platform");
    unchanged(&operator, "/intake/pause").await;
    let refused = admin.create(&["tickets"]).await.expect(503);
    assert_eq!(refused.code(), "intake_paused");
    let told = admin.get("/api/account-exports/catalog").await;
    let told = told.expect(200).json();
    assert_eq!(
        (&told["can_request"], &told["blocked_by"]),
        (&json!(false), &json!("intake_paused"))
    );
    done(&operator, "/intake/resume", "intake_resumed").await;
    assert_eq!(admin.export(&["tickets"]).await["status"], "completed");
}

#[tokio::test]
async fn a_drained_node_takes_no_work_until_it_may_again() {
    let site = Site::new(3);
    let service = Inside::start(&site);
    let operator = Client::new(service.address(), &service.operator_token("olga"));
    let admin = service.admin("acme", "ada");
    done(&operator, "/nodes/this/drain", "drain_started").await;
    unchanged(&operator, "/nodes/this/drain").await;
    let job = admin.create(&["tickets"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    let path = format!("/api/account-exports/{id}");
    for _ in 0..3 {
        let waiting = admin.get(&path).await.expect(200).json();
        assert_eq!(waiting["status"], "queued");
        // A round, with time to do its work.
        service.advance(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    done(&operator, "/nodes/this/undrain", "drain_ended").await;
    assert_eq!(admin.settled(id).await["status"], "completed");
    for node in ["00000000-0000-4000-8000-000000000009", "nonsense"] {
        let path = format!("/nodes/{node}/drain");
        assert_eq!(
            order(&operator, &path).await.expect(404).code(),
            "not_found"
        );
    }
}

#[tokio::test]
async fn a_projection_is_rebuilt_while_it_is_read() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "ada"));
    admin.export(&["tickets"]).await;
    let act = order(&operator, "/projections/exports/rebuild").await;
    let act = act.expect(202).json();
    assert_eq!(act["event"]["type"], "rebuild_requested");
    for _ in 0..20 {
        let page = admin.get("/api/account-exports").await.expect(200).json();
        assert_eq!(page["total"], 1);
    }
    let unknown = order(&operator, "/projections/nonsense/rebuild").await;
    assert_eq!(unknown.expect(404).code(), "not_found");
}

#[tokio::test]
async fn no_act_without_a_reason_and_a_readable_body() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let export = "01890a5d-ac96-774b-bcce-b302099a8057";
    let paths = [
        "/intake/pause".to_owned(),
        "/intake/resume".to_owned(),
        "/nodes/this/drain".to_owned(),
        "/nodes/this/undrain".to_owned(),
        format!("/exports/{export}/requeue"),
        format!("/exports/{export}/fail"),
        format!("/exports/{export}/hold"),
        format!("/exports/{export}/release-hold"),
        "/tenants/acme/exemptions".to_owned(),
        "/tenants/acme/close".to_owned(),
        "/tenants/acme/reopen".to_owned(),
        "/tenants/acme/cancel".to_owned(),
        "/tenants/acme/reactivate".to_owned(),
        "/tenants/acme/modules/core".to_owned(),
        "/projections/exports/rebuild".to_owned(),
    ];
    for path in &paths {
        let path = format!("/api/operator{path}");
        for body in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"reason":7}"#,
            r#"{"reason":"x","more":1}"#,
        ] {
            let sent = operator.send(Method::POST, &path, &[], Some(body.to_owned()));
            let answer = sent.await.expect(400);
            assert_eq!(answer.code(), "malformed_request", "{path} {body}");
        }
        let get = operator.get(&path).await;
        assert_eq!(get.expect(405).code(), "method_not_allowed");
    }
    for reason in ["", "  \n", &"x".repeat(1001)] {
        let sent = operator.post("/api/operator/intake/pause", json!({ "reason": reason }));
        let answer = sent.await.expect(400);
        assert!(answer.json()["detail"].as_str().unwrap().contains("reason"));
    }
    unchanged(&operator, "/intake/resume").await;
}

#[tokio::test]
async fn by_cookie_an_act_needs_our_page_and_one_rebuild_is_made_at_a_time() {
    let site = Site::new(1);
    let demo = Inside::demo(&site);
    let mut olga = demo.browser();
    olga.choose("operator@platform").await.expect(303);
    let token = olga.token("/operator").await;
    let own = ("x-csrf-token", token.as_str());
    let why = json!({"reason": "by cookie"});
    let pause = "/api/operator/intake/pause";
    for headers in [&[][..], &[own], &[("sec-fetch-site", "cross-site"), own]] {
        let answer = olga.json(pause, headers, &why).await.expect(403);
        assert_eq!(answer.code(), "cross_site", "{headers:?}");
    }
    let ours = [("sec-fetch-site", "same-origin"), own];
    let act = olga.json(pause, &ours, &why).await.expect(200).json();
    assert_eq!(act["changed"], true, "no forged request paused it");

    let rebuild = "/api/operator/projections/exports/rebuild";
    let another = demo.rebuilding();
    let answer = olga.json(rebuild, &ours, &why).await.expect(409);
    assert_eq!(answer.code(), "not_possible");
    drop(another);
    olga.json(rebuild, &ours, &why).await.expect(202);
}
