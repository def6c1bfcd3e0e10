//! `POST /api/account-exports/{id}/cancel`, and `GET …/{id}` around it.

use reqwest::Method;

use super::FOREVER;
use crate::support::{Server, Site};

#[tokio::test]
async fn a_running_export_is_cancelled_once_and_leaves_nothing() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    ada.reaches(id, "running").await;
    let early = ada.download(id, &[]).await.expect(409);
    assert_eq!(early.code(), "not_ready");
    let cancel = format!("/api/account-exports/{id}/cancel");
    let cancelled = ada.act(&cancel).await.expect(200).json();
    assert_eq!(cancelled["status"], "cancelled");
    assert!(cancelled["_links"].get("cancel").is_none());
    let again = ada.act(&cancel).await.expect(200).json();
    assert_eq!(again["version"], cancelled["version"]);
    assert_eq!(ada.download(id, &[]).await.expect(409).code(), "not_ready");
    assert_eq!(ada.audit("cancelled").await.len(), 1);
    // The place is free at once.
    let next = ada.export(&["tickets"]).await;
    assert_eq!(next["status"], "completed");
    let done = next["_links"]["self"].as_str().unwrap();
    let late = ada.act(&format!("{done}/cancel")).await.expect(409);
    assert_eq!(late.code(), "not_cancellable");
    assert!(server.stop().0.success());
    assert!(
        site.artifact_files()
            .iter()
            .all(|file| !file.to_string_lossy().contains(id)),
        "{:?}",
        site.artifact_files()
    );
}

#[tokio::test]
async fn a_job_is_told_anew_only_when_it_changed() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["tickets"]).await;
    let path = job["_links"]["self"].as_str().unwrap();
    let first = ada.get(path).await.expect(200);
    assert_eq!(first.header("cache-control"), "private, no-cache");
    let tag = first.header("etag").to_owned();
    let unchanged = ada
        .send(Method::GET, path, &[("if-none-match", &tag)], None)
        .await;
    assert_eq!(unchanged.status, 304);
    assert!(unchanged.body.is_empty());
    let changed = ada
        .send(Method::GET, path, &[("if-none-match", "\"other\"")], None)
        .await;
    assert_eq!(changed.expect(200).header("etag"), tag);
    let head = ada.send(Method::HEAD, path, &[], None).await.expect(200);
    assert_eq!(head.header("etag"), tag);
}

/// Nothing is asked for but the act: whoever says more means something that isn't done.
#[tokio::test]
async fn a_body_that_says_anything_is_refused_and_an_empty_one_is_not() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    ada.reaches(id, "running").await;
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(17 * 1024));
    for route in ["cancel", "download-link"] {
        let path = format!("/api/account-exports/{id}/{route}");
        for (media_type, body, status) in [
            ("application/json", "{bad", 400),
            ("application/json", "{\"x\":1}", 400),
            ("application/json", "[]", 400),
            ("application/json", "[1]", 400),
            ("application/json", "null", 400),
            ("application/json", &long, 413),
            ("text/plain", "{}", 415),
        ] {
            let headers = [("content-type", media_type)];
            let body = Some(body.to_owned());
            let answer = ada.send(Method::POST, &path, &headers, body).await;
            assert_eq!(answer.status, status, "{route} {media_type}");
        }
        // Whoever has nothing here hears nothing of the body.
        let eve = server.client(&site.token("globex", "eve"));
        let answer = eve.send(Method::POST, &path, &[], Some(long.clone()));
        answer.await.expect(404);
    }
    let job = ada.get(&format!("/api/account-exports/{id}")).await.json();
    assert_eq!(job["status"], "running");
    let cancel = format!("/api/account-exports/{id}/cancel");
    for (media_type, body) in [("application/json", "{}"), ("text/plain", "")] {
        let headers = [("content-type", media_type)];
        let answer = ada.send(Method::POST, &cancel, &headers, Some(body.to_owned()));
        answer.await.expect(200);
    }
}

#[tokio::test]
async fn a_list_is_no_request() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for body in ["[[\"tickets\"],null,null,null,null]", " [[\"tickets\"]]"] {
        let headers = [("content-type", "application/json")];
        let body = Some(body.to_owned());
        let answer = ada.send(Method::POST, "/api/account-exports", &headers, body);
        assert_eq!(answer.await.expect(400).code(), "malformed_request");
    }
    let operator = server.client(&site.operator_token("olga"));
    let close = "/api/operator/tenants/acme/close";
    let answer = operator.post(close, serde_json::json!(["because"])).await;
    assert_eq!(answer.expect(400).code(), "malformed_request");
    ada.create(&["tickets"]).await.expect(202);
}
