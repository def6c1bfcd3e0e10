//! The total order: one sequence of everything, in which whoever goes on after a position misses nothing.

use std::collections::HashMap;

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};

use super::{Backend, batch, event, stream, texts};
use crate::envelope::{NewEvent, Position, Recorded};
use crate::ids::TenantId;
use crate::store::{EventStore, Expected, Filter};
use crate::stream::{StreamKind, StreamName};

async fn all(store: &dyn EventStore, after: Option<Position>, max: usize) -> Vec<Recorded> {
    store
        .read_all(after, Filter::all(), max)
        .try_collect()
        .await
        .unwrap()
}

/// Under concurrent writing, positions ascend, each stream's events stand in revision order, batches are unbroken.
pub async fn the_total_order_keeps_the_order_of_streams(backend: &dyn Backend) {
    let store = backend.open().await;
    let writers = (0..16).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..20 {
                let name = stream(&format!("order-{}", (writer + n) % 8));
                store
                    .append(&name, Expected::Any, batch(0, 3))
                    .await
                    .unwrap();
            }
        })
    });
    join_all(writers).await.into_iter().for_each(Result::unwrap);

    let events = all(&*store, None, usize::MAX).await;
    assert_eq!(events.len(), 16 * 20 * 3);
    assert!(events.is_sorted_by(|a, b| a.position < b.position));
    let mut next: HashMap<StreamName, u64> = HashMap::new();
    for event in &events {
        let next = next.entry(event.stream.clone()).or_default();
        assert_eq!(event.revision, *next);
        *next += 1;
    }
    assert!(
        events
            .chunks(3)
            .all(|batch| batch.iter().all(|event| event.stream == batch[0].stream))
    );
    assert_eq!(all(&*store, None, usize::MAX).await, events);
}

/// Reading on after any event begins with the one after it.
pub async fn reading_on_is_exclusive(backend: &dyn Backend) {
    let store = backend.open().await;
    for n in 0..4 {
        store
            .append(
                &stream(&format!("on-{}", n % 2)),
                Expected::Any,
                batch(n * 3, 3),
            )
            .await
            .unwrap();
    }
    let events = all(&*store, None, usize::MAX).await;
    assert_eq!(
        texts(&events),
        (0..12).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    for (n, event) in events.iter().enumerate() {
        assert_eq!(
            all(&*store, Some(event.position), usize::MAX).await,
            events[n + 1..]
        );
        assert_eq!(
            all(&*store, Some(event.position), 2).await,
            events[(n + 1).min(12)..(n + 3).min(12)]
        );
    }
    assert_eq!(all(&*store, None, 0).await, []);
}

/// Whatever once had a position is found by it.
pub async fn an_event_is_found_where_it_stands(backend: &dyn Backend) {
    let store = backend.open().await;
    for n in 0..4 {
        let name = stream(&format!("at-{}", n % 2));
        store
            .append(&name, Expected::Any, batch(n * 2, 2))
            .await
            .unwrap();
    }
    for event in all(&*store, None, usize::MAX).await {
        assert_eq!(store.at(event.position).await.unwrap(), Some(event));
    }
}

/// A filter admits what it names, and `max` counts only that.
pub async fn filters_admit_by_stream_and_type(backend: &dyn Backend) {
    let store = backend.open().await;
    let tenant = TenantId::new("acme").unwrap();
    for n in 0..50 {
        for (name, kind) in [
            (StreamName::tenant(&tenant), "opened"),
            (StreamName::directory(&tenant), "opened"),
            (stream("other-x"), "closed"),
        ] {
            let event = NewEvent {
                kind: kind.into(),
                ..event(&format!("{name} {n}"))
            };
            store
                .append(&name, Expected::Any, vec![event])
                .await
                .unwrap();
        }
    }
    let count =
        async |filter: &Filter, max: usize| store.read_all(None, filter.clone(), max).count().await;
    let tenants = Filter::all().streams([StreamKind::Tenant]);
    for (filter, expected) in [
        (Filter::all(), 150),
        (tenants.clone(), 50),
        (Filter::all().kinds(["opened"]), 100),
        (Filter::all().kinds(["opened", "closed"]), 150),
        (tenants.clone().kinds(["opened"]), 50),
        (tenants.clone().kinds(["closed"]), 0),
        (Filter::all().streams([]), 0),
    ] {
        assert_eq!(count(&filter, usize::MAX).await, expected, "{filter:?}");
    }
    assert_eq!(count(&tenants, 7).await, 7);
    let first: Vec<_> = store
        .read_all(None, tenants, 1)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(texts(&first), ["tenant-acme 0"]);
}

/// A reading ends, however fast others write.
pub async fn a_reading_ends_where_it_began_to(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("growing");
    store
        .append(&name, Expected::NoStream, batch(0, 1000))
        .await
        .unwrap();
    let mut reading = store.read_all(None, Filter::all(), usize::MAX);
    let mut count = 0;
    while reading.try_next().await.unwrap().is_some() {
        count += 1;
        if count % 10 == 0 {
            store
                .append(&name, Expected::Any, batch(0, 20))
                .await
                .unwrap();
        }
    }
    assert_eq!(count, 1000);
}

/// Lag is measured against it.
pub async fn the_last_position_is_that_of_the_last_event(backend: &dyn Backend) {
    let store = backend.open().await;
    assert_eq!(store.last_position().await.unwrap(), None);
    for n in 0..3 {
        let appended = store
            .append(&stream("last"), Expected::Any, batch(n, 2))
            .await
            .unwrap();
        assert_eq!(
            store.last_position().await.unwrap(),
            Some(appended.position)
        );
    }
}
