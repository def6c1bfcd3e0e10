//! `POST /api/account-exports`: what is accepted, and what is said of the rest.

use carnet_events::domain::tenant::TenantCommand;
use reqwest::Method;
use serde_json::json;

use crate::support::{Inside, Server, Site};

const PATH: &str = "/api/account-exports";

#[tokio::test]
async fn a_request_is_accepted_as_a_job() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "lovelace"));
    let body = json!({"categories": ["users", "tickets"], "format": "json", "compression": "zstd", "reason": "a review, by Ada Lovelace"});
    let accepted = ada.post(PATH, body).await.expect(202);
    assert_eq!(accepted.header("cache-control"), "no-store");
    let job = accepted.json();
    let id = job["id"].as_str().unwrap();
    assert_eq!(accepted.header("location"), format!("{PATH}/{id}"));
    assert_eq!(job["categories"], json!(["tickets", "users"]));
    assert_eq!(job["compression"], "zstd");
    assert_eq!(
        (&job["kind"], &job["origin"]),
        (&json!("account"), &json!("user"))
    );
    let job = ada.settled(id).await;
    assert_eq!(job["status"], "completed");
    assert_eq!(job["artifact"]["media_type"], "application/zstd");
    assert_eq!(job["artifact"]["rows"], json!({"tickets": 3, "users": 3}));
    // Neither the person nor their words are in what auditors read.
    let audit = ada
        .get("/api/audit-log")
        .await
        .expect(200)
        .json()
        .to_string();
    assert!(audit.contains("export_admitted"));
    assert!(
        !audit.contains("Lovelace") && !audit.contains("lovelace"),
        "{audit}"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_never_a_failure() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let large = format!(
        r#"{{"categories":["tickets"],"reason":"{}"}}"#,
        "x".repeat(17 * 1024)
    );
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, status, code) in [
        ("", 400, "malformed_request"),
        ("{", 400, "malformed_request"),
        ("null", 400, "malformed_request"),
        ("[]", 400, "malformed_request"),
        ("{}", 400, "malformed_request"),
        (r#"{"categories":[]}"#, 400, "malformed_request"),
        (r#"{"categories":"tickets"}"#, 400, "malformed_request"),
        (r#"{"categories":[1]}"#, 400, "malformed_request"),
        (r#"{"categories":[""]}"#, 400, "malformed_request"),
        (r#"{"categories":["a\u0000"]}"#, 400, "malformed_request"),
        (
            r#"{"categories":["tickets"],"tenant":"globex"}"#,
            400,
            "malformed_request",
        ),
        (
            r#"{"categories":["tickets"],"categories":["users"]}"#,
            400,
            "malformed_request",
        ),
        (r#"{"categories":["tickets"]} x"#, 400, "malformed_request"),
        (
            r#"{"categories":["tickets"],"format":"xml"}"#,
            422,
            "unsupported_option",
        ),
        (
            r#"{"categories":["tickets"],"compression":"rar"}"#,
            422,
            "unsupported_option",
        ),
        (
            r#"{"categories":["tickets"],"scope":"north"}"#,
            422,
            "unsupported_option",
        ),
        (&large, 413, "body_too_large"),
        (&deep, 400, "malformed_request"),
    ] {
        let answer = ada
            .send(Method::POST, PATH, &[], Some(body.to_owned()))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{body:.80}"
        );
        let document = answer.json();
        assert_eq!(document["type"], format!("/problems/{code}"));
        assert_eq!(document["request_id"], answer.header("x-request-id"));
    }
    let plain = [("content-type", "text/plain")];
    let answer = ada.send(Method::POST, PATH, &plain, None).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    assert_eq!(ada.get(PATH).await.expect(200).json()["total"], 0);
    let page = ada.get("/problems/body_too_large").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn unknown_and_forbidden_categories_are_answered_alike_and_audited() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let ada = server.client(&site.token_with("acme", "ada", &["--role", "client_admin"]));
    for category in ["nonsense", "users"] {
        let answer = ada.create(&["tickets", category]).await.expect(422);
        assert_eq!(answer.code(), "unknown_category");
        assert_eq!(answer.json()["categories"], json!([category]));
    }
    let refused = ada.audited("export_refused", 1).await;
    assert_eq!(refused[0]["code"], "unknown_category", "{refused:?}");
    assert_eq!(ada.get(PATH).await.expect(200).json()["total"], 0);
}

#[tokio::test]
async fn a_scope_tells_nobody_of_categories_that_are_not_there_for_them() {
    let site = Site::new(1);
    site.add_config(
        r#"
[[category]]
id = "invoices"
title = "Invoices"
module = "billing"
source = "main"
query = "select id from tickets where tenant_id = :tenant"
[category.columns]
id = { type = "integer" }

[tenants.acme]
modules = ["billing"]
"#,
    );
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let scoped = |category: &str| json!({ "categories": [category], "scope": "north" });
    let answer = ada.post(PATH, scoped("invoices")).await.expect(422);
    assert_eq!(answer.code(), "unsupported_option");
    let switch = |on| {
        inside.command("acme", move |principal| TenantCommand::SwitchModule {
            module: "billing".to_owned(),
            on,
            principal,
        })
    };
    switch(false).await;
    for category in ["invoices", "nonsense"] {
        let answer = ada.post(PATH, scoped(category)).await.expect(422);
        assert_eq!(answer.code(), "unknown_category");
        assert_eq!(answer.json()["categories"], json!([category]));
    }
    switch(true).await;
    let answer = ada.post(PATH, scoped("invoices")).await.expect(422);
    assert_eq!(answer.code(), "unsupported_option");
}
