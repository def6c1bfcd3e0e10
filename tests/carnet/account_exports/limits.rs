//! Limits and the one active export: who is let in, who isn't, and what the audit log says of it.

use std::time::Duration;

use serde_json::json;

use super::FOREVER;
use crate::support::{Client, Inside, Server, Site};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const SECOND: Duration = Duration::from_secs(1);

fn limited(rows: u32) -> Site {
    let site = Site::new(rows);
    site.edit_config(
        r#"per_user = { accepted = 10000, window = "24h" }"#,
        r#"per_user = { accepted = 3, window = "24h" }"#,
    );
    site.edit_config(
        r#"per_tenant = { accepted = 10000, window = "24h" }"#,
        r#"per_tenant = { accepted = 10, window = "24h" }"#,
    );
    site
}

#[tokio::test]
async fn of_fifty_requests_at_once_exactly_one_is_accepted() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    let requests = (0..50).map(|_| admin.create(&["slow"]));
    let answers = futures::future::join_all(requests).await;
    let (accepted, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 202);
    assert_eq!((accepted.len(), refused.len()), (1, 49));
    let id = accepted[0].json()["id"].clone();
    for answer in &refused {
        assert_eq!(answer.status, 409);
        assert_eq!(answer.code(), "export_in_progress");
        assert_eq!(answer.json()["active_export_id"], id);
    }
    // A colleague may see it; the tenant has one place.
    let colleague = server.client(&site.token("acme", "bob"));
    let answer = colleague.create(&["tickets"]).await.expect(409);
    assert_eq!(answer.json()["active_export_id"], id);
    // Another tenant isn't concerned.
    let other = server.client(&site.token("globex", "eve"));
    other.export(&["tickets"]).await;

    // The first refusal of each person was written before the answer; the flood is counted, and written at the latest
    // when the service stops.
    assert_eq!(admin.audit("export_admitted").await.len(), 1);
    assert_eq!(admin.audit("export_refused").await.len(), 2);
    let cancel = format!("/api/account-exports/{}/cancel", id.as_str().unwrap());
    admin.act(&cancel).await.expect(200);
    assert!(server.stop().0.success());
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    let repeated = admin.audited("repeated", 1).await;
    let flood = repeated
        .iter()
        .find(|entry| entry["details"]["of"] == "export_refused")
        .unwrap_or_else(|| panic!("{repeated:?}"));
    assert_eq!(flood["details"]["count"], 48, "{flood}");
    assert_eq!(flood["code"], "export_in_progress", "{flood}");
}

#[tokio::test]
async fn the_fourth_of_a_person_waits_for_the_first_to_leave_the_window() {
    let site = limited(3);
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let first = ada.export(&["tickets"]).await;
    inside.advance(60 * SECOND);
    for _ in 0..2 {
        ada.export(&["tickets"]).await;
    }
    let catalog = |client: Client| async move {
        let path = "/api/account-exports/catalog";
        client.get(path).await.expect(200).json()
    };
    let refused = ada.create(&["tickets"]).await.expect(429);
    assert_eq!(refused.code(), "limit_user");
    assert_eq!(refused.header("retry-after"), (86_400 - 60).to_string());
    let opens = refused.json()["next_allowed_at"].clone();
    let created = first["created_at"].as_str().unwrap();
    assert_eq!(opens, a_day_after(created));
    // The same is said before the click.
    let seen = catalog(ada.clone()).await;
    assert_eq!(seen["can_request"], false);
    assert_eq!(seen["blocked_by"], "limit_user");
    let limit = &seen["limits"]["per_user"];
    assert_eq!(
        *limit,
        json!({"limit": 3, "accepted": 3, "remaining": 0, "window_seconds": 86_400, "next_allowed_at": opens})
    );
    // A colleague isn't concerned.
    ada.audited("export_refused", 1).await;
    inside.admin("acme", "bob").export(&["tickets"]).await;

    inside.advance(DAY - 61 * SECOND);
    let refused = ada.create(&["tickets"]).await.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    inside.advance(SECOND);
    let seen = catalog(ada.clone()).await;
    assert_eq!(seen["can_request"], true, "{seen}");
    ada.create(&["tickets"]).await.expect(202);
    let refused = ada.audit("export_refused").await;
    assert!(refused.iter().all(|entry| entry["code"] == "limit_user"));
}

#[tokio::test]
async fn the_eleventh_of_a_tenant_waits_for_the_first_to_leave_the_window() {
    let site = limited(3);
    let inside = Inside::start(&site);
    let mut people = ["a", "b", "c", "d"].map(|user| inside.admin("acme", user));
    let mut first = None;
    for number in 0..10 {
        let job = people[number / 3].export(&["tickets"]).await;
        first.get_or_insert(job);
        inside.advance(SECOND);
    }
    let eleventh = people[3].create(&["tickets"]).await.expect(429);
    assert_eq!(eleventh.code(), "limit_tenant");
    assert_eq!(eleventh.header("retry-after"), (86_400 - 10).to_string());
    let created = first.unwrap()["created_at"].as_str().unwrap().to_owned();
    assert_eq!(eleventh.json()["next_allowed_at"], a_day_after(&created));
    inside
        .admin("globex", "eve")
        .create(&["tickets"])
        .await
        .expect(202);
    inside.advance(DAY - 11 * SECOND);
    people[3].create(&["tickets"]).await.expect(429);
    inside.advance(SECOND);
    people[3].create(&["tickets"]).await.expect(202);
    people.reverse();
    let refused = people[0].audit("export_refused").await;
    assert!(
        refused.iter().any(|entry| entry["code"] == "limit_tenant"),
        "{refused:?}"
    );
}

fn a_day_after(at: &str) -> String {
    let at: carnet_events::ids::Timestamp = at.parse().unwrap();
    at.plus(DAY).to_string()
}
