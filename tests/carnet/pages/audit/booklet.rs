//! `/audit/exports/{id}`: the timeline, and the state at any revision or moment.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{auditor, between, checked, link, page};
use crate::support::{Inside, Server, Site};

/// The state as the command line folds it, without what this desk doesn't tell.
fn replayed(site: &Site, id: &str, revision: u64) -> Value {
    let config = site.config();
    let revision = revision.to_string();
    let arguments = [
        "replay",
        "--config",
        config.to_str().unwrap(),
        id,
        "--json",
        "--revision",
        &revision,
    ];
    let output = site.carnet(&arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut state = replayed["state"].take();
    if let Some(key) = state.pointer_mut("/stage/completed/artifact/key") {
        *key = json!("(not shown here)");
    }
    state
}

fn state(page: &str) -> Value {
    serde_json::from_str(&between(page, "<pre id=\"json\" tabindex=\"0\">", "</pre>")).unwrap()
}

#[tokio::test]
async fn the_state_at_every_revision_and_moment_is_what_replay_gives() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["users", "tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let ann = auditor(&site, &server);
    let booklet = format!("/audit/exports/{id}");
    let history = ann
        .get(&format!("/api/account-exports/{id}/history"))
        .await
        .expect(200)
        .json();
    let events: Vec<&Value> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["revision"].is_u64())
        .collect();
    let last = events.len() as u64 - 1;
    for event in &events {
        let revision = event["revision"].as_u64().unwrap();
        let shown = page(&ann, &format!("{booklet}?revision={revision}")).await;
        assert_eq!(
            state(&shown),
            replayed(&site, &id, revision),
            "revision {revision}"
        );
        let heading = format!("Revision {revision} of {last}: ");
        assert!(shown.contains(&heading), "{shown}");
        assert!(shown.contains(&format!("data-step=\"{revision}\" aria-current=\"step\"")));
    }
    assert_eq!(
        state(&page(&ann, &booklet).await),
        replayed(&site, &id, last)
    );

    let completed = page(&ann, &format!("{booklet}?revision={last}")).await;
    assert!(completed.contains("+ added") && completed.contains("− removed"));
    assert!(completed.contains("≠ changed"), "{completed}");
    assert_eq!(
        link(&completed, "← Step back").unwrap(),
        format!("{booklet}?revision={}", last - 1)
    );
    assert!(completed.contains("id=\"step-on\" role=\"link\" aria-disabled=\"true\""));
    assert!(!completed.contains("data/artifacts") && !completed.contains(".json.gz"));

    let at = events[last as usize]["at"].as_str().unwrap();
    let then = page(&ann, &format!("{booklet}?at={at}")).await;
    assert_eq!(state(&then), replayed(&site, &id, last));
    let before = page(&ann, &format!("{booklet}?at=2020-01-01T00:00")).await;
    assert!(before.contains("there was no such export"), "{before}");
}

#[tokio::test]
async fn a_malformed_step_is_said_and_an_unknown_export_is_not_there() {
    let site = Site::new(3);
    // No sign of life comes between the events because this machine is busy.
    site.edit_config("lease = \"3s\"", "lease = \"1m\"");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let ann = auditor(&site, &server);
    for (wrong, message) in [
        ("revision=99", "There are revisions 0 to 2."),
        ("revision=-1", "There are revisions 0 to 2."),
        ("at=noon", "Not a date and time."),
    ] {
        let refused = checked(&ann, &format!("/audit/exports/{id}?{wrong}"), 400).await;
        assert!(refused.contains(message), "{wrong}: {refused}");
    }
    let eve = server.client(&site.token_with("globex", "eve", super::AUDITOR));
    let unknown = "01a1fde8-f760-750f-9751-ae3c36955ac4";
    for (who, id) in [(&ann, unknown), (&ann, "x"), (&eve, id.as_str())] {
        who.get(&format!("/audit/exports/{id}")).await.expect(404);
    }
}

#[tokio::test]
async fn a_flood_of_access_records_is_paged_and_every_event_stays_in_reach() {
    let site = Site::new(3);
    // No sign of life comes between the events because this machine is busy.
    site.edit_config("lease = \"3s\"", "lease = \"1m\"");
    let server = Inside::start(&site);
    let ada = server.admin("acme", "ada");
    let job = ada.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    for number in 0..70 {
        let reader = server.client("acme", &format!("reader-{number}"), &["auditor"]);
        let path = format!("/api/account-exports/{id}/history");
        reader.get(&path).await.expect(200);
    }
    let ann = server.client("acme", "ann", &["auditor"]);
    let mut shown = page(&ann, &format!("/audit/exports/{id}?revision=0")).await;
    let mut readers = BTreeSet::new();
    loop {
        let on_page = (0..70).filter(|number| shown.contains(&format!(">reader-{number}<")));
        readers.extend(on_page);
        assert!(shown.contains("<code>audit_read</code>"), "{shown}");
        match link(&shown, "Later") {
            Some(later) => shown = page(&ann, &later).await,
            None => break,
        }
    }
    assert_eq!(readers.len(), 70);
    let part = [("hx-request", "true")];
    let step = format!("/audit/exports/{id}?revision=1&shown=");
    let step = ann
        .send(reqwest::Method::GET, &step, &part, None)
        .await
        .expect(200);
    assert_eq!(
        step.header("hx-replace-url"),
        format!("/audit/exports/{id}?revision=1")
    );
    let step = String::from_utf8(step.body).unwrap();
    assert!(
        step.contains("Revision 1 of 2") && !step.contains("id=\"timeline\""),
        "{step}"
    );
}
