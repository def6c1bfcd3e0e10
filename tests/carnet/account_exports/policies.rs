//! Policies: whoever finds a digest in the log finds there what it means.

use std::collections::BTreeSet;

use serde_json::Value;

use super::FOREVER;
use crate::support::{Server, Site};

#[tokio::test]
async fn a_policy_stands_in_the_log_before_the_first_claim_that_names_it() {
    let site = Site::new(1);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    ada.reaches(id, "running").await;
    server.kill();
    // The next process has rules to publish, many of them, and takes up at once what it finds of its own.
    site.edit_config(&FOREVER.to_string(), "10");
    for number in 0..100 {
        site.add_slow_category(&format!("further-{number}"), 10);
    }
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    assert_eq!(ada.settled(id).await["status"], "completed");
    server.stop();

    let mut published = BTreeSet::new();
    let mut claims = 0;
    for event in site.log().await {
        let data: Value = serde_json::from_slice(&event.data).unwrap();
        match &*event.kind {
            "policy_published" => {
                published.insert(data["digest"].as_str().unwrap().to_owned());
            }
            "started" => {
                claims += 1;
                let named = data["policy_digests"].as_object().unwrap();
                let known = |digest: &Value| published.contains(digest.as_str().unwrap());
                assert!(named.values().all(known), "claim {claims}: {named:?}");
            }
            _ => {}
        }
    }
    assert_eq!(claims, 2);
}
