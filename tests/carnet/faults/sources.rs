//! Sources that are missing, locked or slow.

use std::fs;
use std::time::{Duration, Instant};

use reqwest::Method;

use super::{TICKETS, history, slow_query, until, until_status};
use crate::support::{Server, Site};

#[tokio::test]
async fn a_source_that_vanishes_is_tried_again_and_taken_up_when_it_is_back() {
    let site = Site::new(20);
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    for suffix in ["", "-wal", "-shm"] {
        let file = site.path().join(format!("tenants.db{suffix}"));
        if file.exists() {
            fs::rename(&file, site.path().join(format!("away.db{suffix}"))).unwrap();
        }
    }
    let job = client.create(&["users"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    let waiting = until("the first attempt to fail", || async {
        let path = format!("/api/account-exports/{id}");
        let job = client.get(&path).await.expect(200).json();
        (!job["reason"].is_null()).then_some(job)
    })
    .await;
    assert_eq!(waiting["status"], "queued", "{waiting}");
    assert!(
        !site.path().join("tenants.db").exists(),
        "nobody makes a source"
    );
    for suffix in ["", "-wal", "-shm"] {
        let file = site.path().join(format!("away.db{suffix}"));
        if file.exists() {
            fs::rename(&file, site.path().join(format!("tenants.db{suffix}"))).unwrap();
        }
    }
    let job = client.settled(id).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert!(
        history(&client, id)
            .await
            .contains(&"attempt_failed".to_owned())
    );
}

#[tokio::test]
async fn a_source_that_stays_away_or_locked_fails_the_export_plainly() {
    let site = Site::new(20);
    site.edit_config("max_running = 2", "max_running = 2\nmax_attempts = 1");
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));

    let holder = site.tenants();
    holder
        .execute_batch(
            "pragma locking_mode = exclusive; begin exclusive; update users set note = 'x'",
        )
        .unwrap();
    let job = client.export(&["users"]).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(job["reason"]["code"], "source_busy", "{job}");
    assert!(job["reason"]["detail"].as_str().unwrap().contains("main"));
    holder.execute_batch("rollback").unwrap();
    drop(holder);

    fs::rename(site.path().join("tenants.db"), site.path().join("away.db")).unwrap();
    let job = client.export(&["users"]).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(job["reason"]["code"], "source_unavailable", "{job}");
    let detail = job["reason"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("main") && !detail.contains(site.path().to_str().unwrap()),
        "{detail}"
    );

    fs::write(
        site.path().join("tenants.db"),
        "this is no database, it is a text".repeat(100),
    )
    .unwrap();
    let job = client.export(&["users"]).await;
    assert_eq!(job["reason"]["code"], "source_unavailable", "{job}");
    fs::rename(site.path().join("away.db"), site.path().join("tenants.db")).unwrap();
    assert_eq!(client.export(&["users"]).await["status"], "completed");
}

#[tokio::test]
async fn cancelling_stops_a_slow_query_at_once() {
    let site = Site::new(5);
    site.edit_config(TICKETS, &slow_query(1_000_000_000_000));
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    let job = client.create(&["tickets"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    until_status(&client, id, "running").await;
    let begun = Instant::now();
    client
        .send(
            Method::POST,
            &format!("/api/account-exports/{id}/cancel"),
            &[],
            None,
        )
        .await
        .expect(200);
    // The only worker threads are two; both are free again once the query has stopped.
    for _ in 0..3 {
        assert_eq!(client.export(&["users"]).await["status"], "completed");
    }
    until("the query to stop", || async {
        (ticks_in(server.pid()).await < 10).then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(120));
    assert_eq!(client.settled(id).await["status"], "cancelled");
}

/// Processor time, in hundredths of a second, that a process takes within 200 ms.
async fn ticks_in(pid: u32) -> u64 {
    let used = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = used();
    tokio::time::sleep(Duration::from_millis(200)).await;
    used() - before
}
