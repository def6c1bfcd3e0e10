//! Sealing a log for good, and writing another log's events: what moving to another store rests on.

use std::time::Duration;

use futures::TryStreamExt;
use uuid::Uuid;

use super::{Backend, batch, event, read, stream, texts};
use crate::envelope::{NewEvent, Position, Recorded};
use crate::ids::TenantId;
use crate::store::{EventStore, Expected, Filter, StoreError};
use crate::stream::StreamName;

const WHY: &str = "it moved to another store";
const SINCE: &str = "it moved to a third one";

fn directory(tenant: &str) -> StreamName {
    StreamName::directory(&TenantId::new(tenant).unwrap())
}

async fn refuses_everything(store: &dyn EventStore, why: &str, written: &[NewEvent]) {
    let refused = [
        store
            .append(&stream("sealed"), Expected::Any, batch(0, 1))
            .await
            .map(drop),
        store
            .append(&stream("new"), Expected::NoStream, batch(0, 1))
            .await
            .map(drop),
        store
            .append(&stream("sealed"), Expected::NoStream, written.to_vec())
            .await
            .map(drop),
        store.erase(&directory("acme")).await,
        store.import(vec![imported("new", 0, &event("x"))]).await,
        store.probe().await.map(drop),
    ];
    for result in refused {
        assert!(
            matches!(&result, Err(StoreError::Refused { reason }) if reason.contains(why)),
            "{result:?}"
        );
    }
    assert_eq!(store.sealed().await.unwrap().as_deref(), Some(why));
    assert_eq!(read(store, &stream("sealed")).await.len(), written.len());
    assert_eq!(read(store, &directory("acme")).await.len(), 1);
    assert_eq!(store.head(&stream("new")).await.unwrap(), None);
}

/// From no handle and no node, and not after opening it again.
pub async fn a_sealed_log_takes_nothing_more(backend: &dyn Backend) {
    let store = backend.open().await;
    let other = backend.another(&store).await;
    let written = batch(0, 3);
    store
        .append(&stream("sealed"), Expected::NoStream, written.clone())
        .await
        .unwrap();
    other
        .append(&directory("acme"), Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    assert_eq!(store.sealed().await.unwrap(), None);
    store.seal(WHY).await.unwrap();
    refuses_everything(&*store, WHY, &written).await;
    refuses_everything(&*other, WHY, &written).await;
    other.seal("for another reason").await.unwrap();
    drop((store, other));
    refuses_everything(&*backend.open().await, WHY, &written).await;
}

fn refused(result: &Result<(), StoreError>, why: &str) {
    assert!(
        matches!(result, Err(StoreError::Refused { reason }) if reason.contains(why)),
        "{result:?}"
    );
}

/// It is sealed as before, for the one reason and after the other; none is lost, and none is added but after the last.
pub async fn a_seal_can_be_given_another_reason(backend: &dyn Backend) {
    let store = backend.open().await;
    let other = backend.another(&store).await;
    let written = batch(0, 1);
    for name in [stream("sealed"), directory("acme")] {
        let appended = store.append(&name, Expected::NoStream, written.clone());
        appended.await.unwrap();
    }
    refused(&store.reseal(WHY, SINCE).await, "not sealed");
    assert_eq!(store.seals().await.unwrap(), Vec::<String>::new());
    store.seal(WHY).await.unwrap();
    refused(&other.reseal(SINCE, "a fourth").await, WHY);
    assert_eq!(store.seals().await.unwrap(), [WHY]);
    // What it says at last is what is said to everybody, whatever they have heard before.
    refuses_everything(&*store, WHY, &written).await;
    other.reseal(WHY, SINCE).await.unwrap();
    other.reseal(WHY, SINCE).await.unwrap();
    store.seal(WHY).await.unwrap();
    refuses_everything(&*store, SINCE, &written).await;
    refuses_everything(&*other, SINCE, &written).await;
    refused(&store.reseal(WHY, "a fourth").await, SINCE);
    drop((store, other));
    let store = backend.open().await;
    refuses_everything(&*store, SINCE, &written).await;
    // There and back: each time counts.
    store.reseal(SINCE, WHY).await.unwrap();
    assert_eq!(store.seals().await.unwrap(), [WHY, SINCE, WHY]);
    refuses_everything(&*store, WHY, &written).await;
}

/// Two copies made at once must not both be where the log is.
pub async fn one_of_many_gives_a_seal_another_reason(backend: &dyn Backend) {
    let store = backend.open().await;
    let other = backend.another(&store).await;
    store.seal(WHY).await.unwrap();
    let racers = (0..6).map(|n| {
        let store = [&store, &other][n % 2].clone();
        tokio::spawn(async move { store.reseal(WHY, &format!("it moved to {n}")).await })
    });
    let racers: Vec<_> = racers.collect();
    let mut winner = None;
    for (n, racer) in racers.into_iter().enumerate() {
        match racer.await.unwrap() {
            Ok(()) => assert_eq!(winner.replace(n), None),
            lost => refused(&lost, "it moved to "),
        }
    }
    let last = format!("it moved to {}", winner.unwrap());
    assert_eq!(store.seals().await.unwrap(), [WHY, &last]);
}

/// Whatever was acknowledged before is there, and what comes after is refused: there is no third.
pub async fn sealing_ends_a_running_load_cleanly(backend: &dyn Backend) {
    let store = backend.open().await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let name = stream(&format!("load-{writer}"));
                let mut acknowledged = 0;
                loop {
                    // A store that never waits would leave nobody else a turn.
                    tokio::task::yield_now().await;
                    match store.append(&name, Expected::Any, batch(0, 1)).await {
                        Ok(_) => acknowledged += 1,
                        Err(StoreError::Refused { .. }) => return (name, acknowledged),
                        Err(other) => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.seal(WHY).await.unwrap();
    let last = store.last_position().await.unwrap();
    for writer in writers {
        let (name, acknowledged) = writer.await.unwrap();
        assert_eq!(read(&*store, &name).await.len(), acknowledged);
    }
    assert_eq!(store.last_position().await.unwrap(), last);
}

/// Each erased stream once, whether it was ever written or not.
pub async fn erased_streams_are_told(backend: &dyn Backend) {
    let store = backend.open().await;
    assert_eq!(store.erased().await.unwrap(), []);
    store
        .append(&directory("b"), Expected::NoStream, batch(0, 2))
        .await
        .unwrap();
    store
        .append(&directory("c"), Expected::NoStream, batch(0, 2))
        .await
        .unwrap();
    for tenant in ["b", "a", "b"] {
        store.erase(&directory(tenant)).await.unwrap();
    }
    let mut erased = store.erased().await.unwrap();
    erased.sort();
    assert_eq!(erased, [directory("a"), directory("b")]);
}

/// An event as another log has it, whose position says nothing here.
fn imported(name: &str, revision: u64, event: &NewEvent) -> Recorded {
    Recorded {
        stream: stream(name),
        revision,
        position: Position::single(1_000_000),
        id: event.id,
        kind: event.kind.clone(),
        data: event.data.clone(),
        metadata: event.metadata.clone(),
    }
}

/// Events come in the order given, at the revisions they had; repeating it changes nothing.
pub async fn imported_events_keep_order_and_revisions(backend: &dyn Backend) {
    let store = backend.open().await;
    let events: Vec<Recorded> = (0..300_u64)
        .map(|n| {
            let (name, revision) = match n % 3 {
                0 | 1 => ("pair", n / 3 * 2 + n % 3),
                _ => ("single", n / 3),
            };
            imported(name, revision, &event(&n.to_string()))
        })
        .collect();
    for part in [0..100, 0..100, 100..300, 0..100, 100..300] {
        store.import(events[part].to_vec()).await.unwrap();
    }
    let all: Vec<Recorded> = store
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(texts(&all), texts(&events));
    let same = |(a, b): (&Recorded, &Recorded)| {
        (&a.stream, a.revision, a.id) == (&b.stream, b.revision, b.id)
    };
    assert!(all.iter().zip(&events).all(same));
}

/// One that can't stand at its revision is a conflict; nothing after it is written.
pub async fn an_import_that_does_not_fit_is_a_conflict(backend: &dyn Backend) {
    let store = backend.open().await;
    store
        .append(&stream("other"), Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    for (name, revision) in [("other", 0), ("gap", 1)] {
        let error = store
            .import(vec![
                imported(name, revision, &event("x")),
                imported("after", 0, &event("y")),
            ])
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
        assert_eq!(store.head(&stream("after")).await.unwrap(), None);
    }
    let nil = NewEvent {
        id: Uuid::nil(),
        ..event("x")
    };
    let error = store
        .import(vec![imported("nil", 0, &nil)])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
}
