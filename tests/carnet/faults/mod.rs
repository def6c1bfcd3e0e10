//! What goes wrong, on purpose: full disks, drifting schemas, hostile requests and values, vanishing clients and sources.

mod clients;
mod configuration;
mod data;
mod disk;

mod requests;
mod sources;
mod storage;

mod tokens;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Client;

/// Looks again and again until it finds something; a generous while, for a busy machine.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < patience, "waited a minute for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the export has this status.
async fn until_status(client: &Client, id: &str, status: &str) -> Value {
    until(&format!("{id} to be {status}"), || async {
        let path = format!("/api/account-exports/{id}");
        let job = client.get(&path).await.expect(200).json();
        (job["status"] == status).then_some(job)
    })
    .await
}

/// The types of an export's events, oldest first.
async fn history(client: &Client, id: &str) -> Vec<String> {
    let path = format!("/api/account-exports/{id}/history");
    let history = client.get(&path).await.expect(200).json();
    let items = history["items"].as_array().unwrap();
    let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
    items.iter().map(kind).collect()
}

/// A query that takes a step for each of `rows` and finds none, ahead of the tenant's own rows.
fn slow_query(rows: u64) -> String {
    format!(
        "with recursive slow(n) as (select 1 union all select n + 1 from slow where n < {rows}) \
         select id, tenant_id, subject from tickets where tenant_id = :tenant \
         and (select count(*) from slow) > 0 order by id"
    )
}

/// The tickets' query as the sites have it.
const TICKETS: &str =
    "select id, tenant_id, subject from tickets where tenant_id = :tenant order by id";
