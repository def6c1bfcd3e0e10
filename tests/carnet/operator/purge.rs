//! A tenant that has cancelled: what is left of it once its grace window is over.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::WHY;
use crate::support::{Client, Inside, Site};

const DAY: Duration = Duration::from_secs(86_400);

/// Files under `folder` that hold `text`.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn nothing_but_impersonal_events_is_left_of_a_purged_tenant() {
    const SUBJECT: &str = "ada.lovelace@acme.example";
    let site = Site::new(3);
    let service = Inside::start(&site);
    // Its token would not outlast the clock's moves; operators come and go.
    let olga = || Client::new(service.address(), &service.operator_token("olga"));
    let ada = service.admin("acme", SUBJECT);
    let bob = service.admin("globex", "bob");
    let reason = json!({"categories": ["tickets"], "reason": WHY});
    let job = ada.post("/api/account-exports", reason).await.expect(202);
    let job = ada.settled(job.json()["id"].as_str().unwrap()).await;
    let id = job["id"].as_str().unwrap();
    let theirs = bob.export(&["tickets"]).await;
    let data = site.path().join("data");
    assert!(!holding(&data, SUBJECT).is_empty() && !holding(&data, WHY).is_empty());

    let tenant = "/api/operator/tenants/acme";
    let cancel = json!({"grace_days": 1, "reason": WHY});
    let cancelled = olga().post(&format!("{tenant}/cancel"), cancel).await;
    assert_eq!(cancelled.expect(200).json()["event"]["type"], "cancelled");
    service.advance(DAY - Duration::from_secs(60));
    ada.download(id, &[]).await.expect(200);
    service.advance(Duration::from_secs(61));
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let shown = olga().get(tenant).await.expect(200).json();
        if shown["lifecycle"] == "purged" {
            break;
        }
        assert!(Instant::now() < patience, "{shown}");
        service.advance(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let path = format!("/api/account-exports/{id}");
    assert_eq!(ada.get(&path).await.expect(403).code(), "tenant_closed");
    let files = site.artifact_files();
    let of = |name: &str| {
        let mut files = files.iter();
        files.any(|file| file.to_str().unwrap().contains(name))
    };
    assert!(!of("acme/") && of("globex/"), "{files:?}");
    bob.download(theirs["id"].as_str().unwrap(), &[])
        .await
        .expect(200);
    drop(service);

    for text in [SUBJECT, WHY] {
        assert_eq!(holding(&data, text), Vec::<String>::new(), "{text}");
    }
    let log = site.log().await;
    let export = format!("export-{id}");
    let of_export = log.iter().filter(|one| one.stream.to_string() == export);
    let kinds: Vec<_> = of_export.map(|one| &*one.kind).collect();
    assert_eq!(kinds[0], "requested");
    assert_eq!(
        kinds[kinds.len() - 2..],
        ["deletion_started", "artifact_deleted"]
    );
}
