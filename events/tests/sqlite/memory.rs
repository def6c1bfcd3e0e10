//! Memory stays bounded, whoever reads how slowly.

use carnet_events::conformance::stream;
use carnet_events::envelope::NewEvent;
use carnet_events::store::{Delivery, EventStore, Expected, Filter};
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use super::Sqlite;

/// Resident memory in MiB, where the system tells.
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096 / 1024 / 1024)
}

#[tokio::test]
async fn a_slow_subscriber_costs_a_page() {
    let directory = Sqlite::new();
    let store = directory.store();
    for _ in 0..300 {
        let event = NewEvent {
            id: Uuid::new_v4(),
            kind: "large".into(),
            data: vec![7; 512 * 1024].into(),
            metadata: Default::default(),
        };
        store
            .append(&stream("large"), Expected::Any, vec![event])
            .await
            .unwrap();
    }
    let before = resident();
    let mut subscriptions: Vec<_> = (0..16)
        .map(|_| store.subscribe(None, Filter::all()))
        .collect();
    for subscription in &mut subscriptions {
        let first = subscription.try_next().await.unwrap();
        assert!(matches!(first, Some(Delivery::Event(_))));
    }
    let mut all = store.read_all(None, Filter::all(), usize::MAX);
    let mut count = 0;
    while let Some(event) = all.next().await {
        event.unwrap();
        count += 1;
    }
    assert_eq!(count, 300);
    // 16 pages of 1 MiB and what the connections cache, of 150 MiB there are.
    if let (Some(before), Some(after)) = (before, resident()) {
        assert!(
            after < before + 64,
            "{before} MiB before, {after} MiB after"
        );
    }
}
