//! `Idempotency-Key`: asking again is safe.

use aws_lc_rs::digest;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, Site};

async fn create(client: &Client, key: &str, body: &str) -> Answer {
    let headers = [("idempotency-key", key)];
    let body = Some(body.to_owned());
    client
        .send(Method::POST, "/api/account-exports", &headers, body)
        .await
}

#[tokio::test]
async fn the_same_request_gives_the_same_job_and_another_is_a_mismatch() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let first = create(&ada, "k-1", r#"{"categories":["tickets","users"]}"#)
        .await
        .expect(202);
    let id = first.json()["id"].clone();
    assert_eq!(
        first.header("location"),
        format!("/api/account-exports/{}", id.as_str().unwrap())
    );
    // The same, though spelt otherwise; while it runs, once it is done, and after a restart.
    let again = r#"{ "categories": ["users", "tickets", "users"] }"#;
    assert_eq!(
        create(&ada, "k-1", again).await.expect(202).json()["id"],
        id
    );
    ada.settled(id.as_str().unwrap()).await;
    assert_eq!(
        create(&ada, "k-1", again).await.expect(202).json()["id"],
        id
    );
    server.stop();
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    assert_eq!(
        create(&ada, "k-1", again).await.expect(202).json()["id"],
        id
    );

    // A default means the same written as left out.
    for spelt in [
        r#"{"categories":["users","tickets"],"format":"json"}"#,
        r#"{"categories":["users","tickets"],"compression":"gzip"}"#,
        r#"{"categories":["users","tickets"],"compression":"gzip","format":"json"}"#,
    ] {
        let again = create(&ada, "k-1", spelt).await.expect(202).json();
        assert_eq!(again["id"], id, "{spelt}");
    }

    let other = create(&ada, "k-1", r#"{"categories":["users"]}"#)
        .await
        .expect(422);
    assert_eq!(other.code(), "idempotency_mismatch");
    let other = create(
        &ada,
        "k-1",
        r#"{"categories":["tickets","users"],"compression":"none"}"#,
    )
    .await;
    assert_eq!(other.expect(422).code(), "idempotency_mismatch");
    assert_eq!(ada.audit("export_admitted").await.len(), 1);
    assert_eq!(
        ada.audit("export_refused").await[0]["code"],
        "idempotency_mismatch"
    );

    // A key is its person's.
    for (tenant, user) in [("acme", "bob"), ("globex", "ada")] {
        let client = server.client(&site.token(tenant, user));
        let theirs = create(&client, "k-1", r#"{"categories":["tickets"]}"#)
            .await
            .expect(202)
            .json();
        assert_ne!(theirs["id"], id);
        client.settled(theirs["id"].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn a_request_is_the_same_as_it_was_sent_whatever_the_defaults_are_by_now() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let left_out = r#"{"categories":["tickets"]}"#;
    let written = r#"{"categories":["tickets"],"compression":"gzip"}"#;
    let mut ids = Vec::new();
    for (key, body) in [("left out", left_out), ("written", written)] {
        let key = key.replace(' ', "-");
        let job = create(&ada, &key, body).await.expect(202).json();
        assert_eq!(job["compression"], "gzip");
        let id = job["id"].as_str().unwrap().to_owned();
        ada.settled(&id).await;
        ids.push((key, body, id));
    }
    server.stop();
    site.edit_config("[artifacts]", "[artifacts]\ncompression = \"zstd\"");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for (key, body, id) in &ids {
        let again = create(&ada, key, body).await.expect(202).json();
        assert_eq!(again["id"], id.as_str(), "{key}");
    }
    let again = create(&ada, "left-out", written).await.expect(202).json();
    assert_eq!(again["id"], ids[0].2.as_str(), "it asks for what was made");
    // What is left out by now means something else than what the first was made of, however it is spelt.
    let zstd = r#"{"categories":["tickets"],"compression":"zstd"}"#;
    for (key, body) in [("left-out", zstd), ("written", left_out), ("written", zstd)] {
        let other = create(&ada, key, body).await.expect(422);
        assert_eq!(other.code(), "idempotency_mismatch", "{key}: {body}");
    }
    assert_eq!(ada.audit("export_admitted").await.len(), 2);
}

#[tokio::test]
async fn the_same_key_at_once_starts_one_export() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let requests = (0..20).map(|_| create(&ada, "once", r#"{"categories":["tickets"]}"#));
    let ids: std::collections::BTreeSet<String> = futures::future::join_all(requests)
        .await
        .into_iter()
        .map(|answer| answer.expect(202).json()["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn keys_have_a_form() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for key in ["", "a b", &"k".repeat(256)] {
        let answer = create(&ada, key, r#"{"categories":["tickets"]}"#)
            .await
            .expect(400);
        assert_eq!(answer.code(), "malformed_request");
    }
}

#[tokio::test]
async fn a_guess_at_what_somebody_wrote_is_not_confirmed_by_the_log() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let ask = |reason: &str| json!({"categories": ["tickets"], "reason": reason}).to_string();
    let first = create(&ada, "ada's own key", &ask("my divorce")).await;
    assert_eq!(first.expect(400).code(), "malformed_request");
    let first = create(&ada, "ada-1", &ask("my divorce")).await.expect(202);
    let again = create(&ada, "ada-1", &ask("my divorce")).await.expect(202);
    assert_eq!(first.json()["id"], again.json()["id"]);
    let other = create(&ada, "ada-1", &ask("curiosity")).await.expect(422);
    assert_eq!(other.code(), "idempotency_mismatch");
    server.stop();

    let log = site.log().await;
    let admitted = log.iter().find(|event| event.kind == "export_admitted");
    let admitted: Value = serde_json::from_slice(&admitted.unwrap().data).unwrap();
    let principal = admitted["request"]["principal"].as_str().unwrap();
    let written = json!({
        "categories": ["tickets"], "format": null, "compression": null, "scope": null, "reason": "my divorce",
    });
    let order = ["categories", "format", "compression", "scope", "reason"];
    let inside = order.map(|name| format!("\"{name}\":{}", written[name]));
    for guess in [
        format!("{{{}}}", inside.join(",")),
        ask("my divorce"),
        "my divorce".to_owned(),
        format!("{principal}\0POST /api/account-exports\0ada-1"),
        "ada-1".to_owned(),
    ] {
        let digest = hex::encode(digest::digest(&digest::SHA256, guess.as_bytes()));
        for name in ["fingerprint", "idempotency_key"] {
            let kept = admitted[name].as_str().expect(name);
            assert!(!kept.contains(&digest), "{name} is the digest of {guess:?}");
        }
    }
}
