//! Reading one stream: from anywhere, either way, as much as asked for, never stale.

use futures::TryStreamExt;

use super::{Backend, batch, read, stream, texts};
use crate::store::Direction::{Backwards, Forwards};
use crate::store::{Direction, EventStore, Expected, ReadFrom};

async fn said(store: &dyn EventStore, from: ReadFrom, direction: Direction, max: usize) -> String {
    let events: Vec<_> = store
        .read(&stream("read"), from, direction, max)
        .try_collect()
        .await
        .unwrap();
    texts(&events).concat()
}

async fn ten(backend: &dyn Backend) -> std::sync::Arc<dyn EventStore> {
    let store = backend.open().await;
    store
        .append(&stream("read"), Expected::NoStream, batch(0, 4))
        .await
        .unwrap();
    store
        .append(&stream("other"), Expected::NoStream, batch(0, 4))
        .await
        .unwrap();
    store
        .append(&stream("read"), Expected::Exact(3), batch(4, 6))
        .await
        .unwrap();
    store
}

/// The event at the place asked for is the first one.
pub async fn forwards_from_every_place(backend: &dyn Backend) {
    let store = ten(backend).await;
    assert_eq!(
        said(&*store, ReadFrom::Start, Forwards, 100).await,
        "0123456789"
    );
    for revision in 0..10_usize {
        let from = ReadFrom::Revision(revision as u64);
        assert_eq!(
            said(&*store, from, Forwards, 100).await,
            "0123456789"[revision..]
        );
    }
    assert_eq!(said(&*store, ReadFrom::End, Forwards, 100).await, "");
}

/// The same towards revision 0.
pub async fn backwards_from_every_place(backend: &dyn Backend) {
    let store = ten(backend).await;
    assert_eq!(
        said(&*store, ReadFrom::End, Backwards, 100).await,
        "9876543210"
    );
    for revision in 0..10_usize {
        let from = ReadFrom::Revision(revision as u64);
        assert_eq!(
            said(&*store, from, Backwards, 100).await,
            "9876543210"[9 - revision..]
        );
    }
    assert_eq!(said(&*store, ReadFrom::Start, Backwards, 100).await, "0");
}

/// Beyond the head there is nothing forwards; backwards the head is the first one.
pub async fn past_the_ends_lies_nothing(backend: &dyn Backend) {
    let store = ten(backend).await;
    for revision in [10, 11, 1 << 40, i64::MAX as u64, u64::MAX] {
        let from = ReadFrom::Revision(revision);
        assert_eq!(said(&*store, from, Forwards, usize::MAX).await, "");
        assert_eq!(said(&*store, from, Backwards, 3).await, "987");
    }
}

/// `max` is exact, 0 included.
pub async fn at_most_as_many_as_asked(backend: &dyn Backend) {
    let store = ten(backend).await;
    for max in [0, 1, 4, 9, 10, 11, usize::MAX] {
        let count = max.min(10);
        assert_eq!(
            said(&*store, ReadFrom::Start, Forwards, max).await,
            "0123456789"[..count]
        );
        assert_eq!(
            said(&*store, ReadFrom::End, Backwards, max).await,
            "9876543210"[..count]
        );
    }
}

/// No events, no error.
pub async fn a_missing_stream_reads_as_nothing(backend: &dyn Backend) {
    let store = backend.open().await;
    assert_eq!(said(&*store, ReadFrom::Start, Forwards, 10).await, "");
    assert_eq!(said(&*store, ReadFrom::End, Backwards, 10).await, "");
    assert_eq!(store.head(&stream("read")).await.unwrap(), None);
    assert_eq!(store.last_position().await.unwrap(), None);
}

/// Longer than any page, either way.
pub async fn long_streams_are_read_whole(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("read");
    for n in 0..5 {
        store
            .append(&name, Expected::Any, batch(n * 700, 700))
            .await
            .unwrap();
    }
    let expected: Vec<String> = (0..3500).map(|n| n.to_string()).collect();
    assert_eq!(
        said(&*store, ReadFrom::Start, Forwards, usize::MAX).await,
        expected.concat()
    );
    let reversed: Vec<String> = expected.into_iter().rev().take(1234).collect();
    assert_eq!(
        said(&*store, ReadFrom::End, Backwards, 1234).await,
        reversed.concat()
    );
}

/// Whatever was acknowledged, every later read and head sees, through whichever handle.
pub async fn an_acknowledged_append_is_seen_at_once(backend: &dyn Backend) {
    let store = backend.open().await;
    let other = backend.another(&store).await;
    let writers = (0..8).map(|writer| {
        let (store, other) = (store.clone(), other.clone());
        tokio::spawn(async move {
            let name = stream(&format!("seen-{writer}"));
            assert_eq!(other.head(&name).await.unwrap(), None);
            for n in 0..50_u64 {
                let expected = n.checked_sub(1).map_or(Expected::NoStream, Expected::Exact);
                store.append(&name, expected, batch(0, 1)).await.unwrap();
                assert_eq!(other.head(&name).await.unwrap(), Some(n));
                assert_eq!(read(&*other, &name).await.len() as u64, n + 1);
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
}
