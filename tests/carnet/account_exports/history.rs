//! `GET …/{id}/history`: what happened, the state after each event, and who had what of it; and replay from the files.

use serde_json::Value;

use crate::support::{Server, Site};

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
        match page["next"].as_u64() {
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
