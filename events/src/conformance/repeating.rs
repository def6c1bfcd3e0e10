//! Idempotent retry: an append repeated has its first result, and is never written twice.

use futures::future::join_all;

use super::{Backend, batch, read, stream, texts};
use crate::store::{Appended, Expected, StoreError};

fn replayed(first: Appended) -> Appended {
    Appended {
        replayed: true,
        ..first
    }
}

/// Same ids, same expected revision: the first result, even after later events.
pub async fn an_exact_append_repeated_has_its_first_result(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("exact");
    store
        .append(&name, Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    let events = batch(1, 2);
    let first = store
        .append(&name, Expected::Exact(0), events.clone())
        .await
        .unwrap();
    assert_eq!(
        store
            .append(&name, Expected::Exact(0), events.clone())
            .await
            .unwrap(),
        replayed(first)
    );
    store
        .append(&name, Expected::Exact(2), batch(3, 2))
        .await
        .unwrap();
    assert_eq!(
        store
            .append(&name, Expected::Exact(0), events)
            .await
            .unwrap(),
        replayed(first)
    );
    assert_eq!(
        texts(&read(&*store, &name).await),
        ["0", "1", "2", "3", "4"]
    );
}

/// The same for the append that began the stream.
pub async fn a_first_append_repeated_has_its_first_result(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("first");
    let events = batch(0, 2);
    let first = store
        .append(&name, Expected::NoStream, events.clone())
        .await
        .unwrap();
    store
        .append(&name, Expected::Exact(1), batch(2, 1))
        .await
        .unwrap();
    assert_eq!(
        store
            .append(&name, Expected::NoStream, events)
            .await
            .unwrap(),
        replayed(first)
    );
    assert_eq!(read(&*store, &name).await.len(), 3);
}

/// `Any` and `Exists` recognise a batch wherever in the stream it stands.
pub async fn any_recognises_events_by_their_ids(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("any");
    store
        .append(&name, Expected::Any, batch(0, 1))
        .await
        .unwrap();
    let events = batch(1, 2);
    let first = store
        .append(&name, Expected::Any, events.clone())
        .await
        .unwrap();
    store
        .append(&name, Expected::Any, batch(3, 1))
        .await
        .unwrap();
    for expected in [Expected::Any, Expected::Exists] {
        assert_eq!(
            store.append(&name, expected, events.clone()).await.unwrap(),
            replayed(first)
        );
    }
    assert_eq!(texts(&read(&*store, &name).await), ["0", "1", "2", "3"]);
}

/// A batch of which only a part, or the whole in another order, is in the stream is in conflict with it.
pub async fn a_partial_repetition_is_a_conflict(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("partial");
    let there = batch(0, 2);
    store
        .append(&name, Expected::NoStream, there.clone())
        .await
        .unwrap();
    let new = batch(2, 2);
    let [a, b, c, d] = [&there[0], &there[1], &new[0], &new[1]].map(Clone::clone);
    for events in [
        vec![a.clone(), b.clone(), c.clone()],
        vec![b.clone(), c.clone()],
        vec![c, d, a.clone()],
        vec![b, a],
    ] {
        for expected in [
            Expected::NoStream,
            Expected::Exact(0),
            Expected::Exact(1),
            Expected::Any,
            Expected::Exists,
        ] {
            let error = store
                .append(&name, expected, events.clone())
                .await
                .unwrap_err();
            assert_eq!(
                error,
                StoreError::Conflict {
                    stream: name.clone(),
                    expected,
                    actual: Some(1)
                }
            );
        }
    }
    assert_eq!(texts(&read(&*store, &name).await), ["0", "1"]);
}

/// The same ids with another expected revision are another append.
pub async fn a_repetition_elsewhere_is_a_conflict(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("elsewhere");
    store
        .append(&name, Expected::NoStream, batch(0, 2))
        .await
        .unwrap();
    let events = batch(2, 1);
    store
        .append(&name, Expected::Exact(1), events.clone())
        .await
        .unwrap();
    for expected in [
        Expected::NoStream,
        Expected::Exact(0),
        Expected::Exact(2),
        Expected::Exact(3),
    ] {
        let error = store
            .append(&name, expected, events.clone())
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Conflict {
                    actual: Some(2),
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

/// One event may stand in two streams.
pub async fn ids_are_unique_within_a_stream_only(backend: &dyn Backend) {
    let store = backend.open().await;
    let events = batch(0, 2);
    for name in ["one", "two"] {
        let appended = store
            .append(&stream(name), Expected::NoStream, events.clone())
            .await
            .unwrap();
        assert!(!appended.replayed);
    }
}

/// A client that sends its append again while the first is still under way writes it once.
pub async fn racers_with_the_same_batch_write_it_once(backend: &dyn Backend) {
    let store = backend.open().await;
    let other = backend.another(&store).await;
    let name = stream("twice");
    let events = batch(0, 2);
    let racers = (0..32).map(|racer| {
        let (store, name, events) = (
            if racer % 2 == 0 { &store } else { &other }.clone(),
            name.clone(),
            events.clone(),
        );
        let expected = if racer % 3 == 0 {
            Expected::Any
        } else {
            Expected::NoStream
        };
        tokio::spawn(async move { store.append(&name, expected, events).await.unwrap() })
    });
    let results: Vec<Appended> = join_all(racers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let first = results.iter().filter(|appended| !appended.replayed).count();
    // Of two processes, that is; each by itself knows.
    let most = if backend.tells_racers_apart() { 1 } else { 2 };
    assert!((1..=most).contains(&first), "{first} were the first");
    assert!(
        results
            .iter()
            .all(|appended| replayed(*appended) == replayed(results[0]))
    );
    assert_eq!(read(&*store, &name).await.len(), 2);
}
