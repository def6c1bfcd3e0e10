//! `GET …/{id}/history`: what happened, the state after each event, and who had what of it; and replay from the files.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Inside, Server, Site};

#[tokio::test]
async fn the_history_tells_the_state_after_each_event_and_every_access() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    ada.download(&id, &[]).await.expect(200);
    ada.audited("download_ended", 1).await;
    let path = format!("/api/account-exports/{id}/history");
    let page = ada.get(&path).await.expect(200).json();
    let items = page["items"].as_array().unwrap();
    let events: Vec<&Value> = items
        .iter()
        .filter(|item| item["revision"].is_number())
        .collect();
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|item| {
            (
                item["type"].as_str().unwrap(),
                item["state"]["status"].as_str().unwrap(),
            )
        })
        .filter(|(kind, _)| *kind != "progressed")
        .collect();
    assert_eq!(
        told,
        [
            ("requested", "queued"),
            ("started", "running"),
            ("completed", "completed")
        ]
    );
    let revisions: Vec<u64> = events
        .iter()
        .map(|item| item["revision"].as_u64().unwrap())
        .collect();
    assert_eq!(revisions, (0..events.len() as u64).collect::<Vec<_>>());
    let accesses: Vec<&Value> = items
        .iter()
        .filter(|item| item["revision"].is_null())
        .collect();
    for kind in ["downloaded", "download_ended", "audit_read"] {
        let found = accesses.iter().find(|item| item["type"] == kind);
        assert!(
            found.is_some_and(|item| item["state"].is_null()),
            "{kind}: {accesses:?}"
        );
    }
    assert!(items.is_sorted_by_key(|item| item["at"].as_str().unwrap().to_owned()));

    // In pages: each event once, in order.
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = ada
            .get(&format!("{path}?page_size=1{after}"))
            .await
            .expect(200)
            .json();
        let revisions = page["items"].as_array().unwrap().iter();
        seen.extend(revisions.filter_map(|item| item["revision"].as_u64()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, revisions);

    // The same from the files, at any revision, with the service stopped.
    server.stop();
    let config = site.config();
    let replay = |more: &[&str]| -> Value {
        let mut arguments = vec![
            "replay",
            "--config",
            config.to_str().unwrap(),
            &id,
            "--json",
        ];
        arguments.extend(more);
        let output = site.carnet(&arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    for (item, revision) in events.iter().zip(&revisions) {
        let replayed = replay(&["--revision", &revision.to_string()]);
        let text = replayed.to_string();
        assert!(
            text.contains(item["state"]["status"].as_str().unwrap()),
            "{text}"
        );
    }
    let before = replay(&["--revision", "0"]).to_string();
    assert!(!before.contains("completed"), "{before}");
}

#[tokio::test]
async fn no_access_is_left_out_however_many_there_are() {
    let site = Site::new(3);
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut links = Vec::new();
    for _ in 0..12 {
        let path = format!("/api/account-exports/{id}/download-link");
        let link = ada.act(&path).await.expect(201).json();
        links.push(link["id"].clone());
        // Some within one millisecond.
        if links.len() % 4 == 0 {
            inside.advance(Duration::from_secs(1));
        }
    }
    let path = format!("/api/account-exports/{id}/history");
    let whole = ada.get(&path).await.expect(200).json();
    assert!(whole["next"].is_null(), "{whole}");
    for size in [1, 2, 5] {
        let (mut after, mut items) = (String::new(), Vec::new());
        loop {
            let asked = format!("{path}?page_size={size}{after}");
            let page = ada.get(&asked).await.expect(200).json();
            items.extend(page["items"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert!(items.is_sorted_by_key(|item| item["at"].as_str().unwrap().to_owned()));
        let told = items.iter().filter(|item| item["type"] == "link_issued");
        let told: Vec<_> = told.map(|item| item["details"]["link"].clone()).collect();
        assert_eq!(told, links, "{size} to a page");
        let revisions = items.iter().filter_map(|item| item["revision"].as_u64());
        let revisions: Vec<u64> = revisions.collect();
        assert_eq!(revisions, (0..revisions.len() as u64).collect::<Vec<_>>());
        assert_eq!(items.last().unwrap()["type"], "audit_read");
    }
    for bad in ["x", "1~", "~", "-1", "1~x", "1.5"] {
        let asked = format!("{path}?after={bad}");
        let answer = ada.get(&asked).await.expect(400);
        assert_eq!(answer.code(), "malformed_request", "{bad}");
    }
}
