//! Opening again: everything acknowledged is there, and goes on as if nothing had happened.

use futures::TryStreamExt;

use super::{Backend, batch, read, stream};
use crate::envelope::Recorded;
use crate::store::{Expected, Filter, StoreError};

/// Streams, heads and the total order are the same.
pub async fn everything_is_there_again(backend: &dyn Backend) {
    let store = backend.open().await;
    let names = ["a", "b", "c"].map(stream);
    for n in 0..30 {
        store
            .append(&names[n % 3], Expected::Any, batch(n, 2))
            .await
            .unwrap();
    }
    let before: Vec<Recorded> = store
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    drop(store);
    let store = backend.open().await;
    let after: Vec<Recorded> = store
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(after, before);
    for name in &names {
        assert_eq!(store.head(name).await.unwrap(), Some(19));
        assert_eq!(read(&*store, name).await.len(), 20);
    }
}

/// Neither positions nor revisions begin anew.
pub async fn positions_go_on_where_they_stopped(backend: &dyn Backend) {
    let name = stream("on");
    let mut last = None;
    for n in 0..5_u64 {
        let store = backend.open().await;
        assert_eq!(store.last_position().await.unwrap(), last);
        let expected = n.checked_sub(1).map_or(Expected::NoStream, Expected::Exact);
        let appended = store.append(&name, expected, batch(0, 1)).await.unwrap();
        assert_eq!(appended.first_revision, n);
        assert!(Some(appended.position) > last);
        last = Some(appended.position);
    }
}

/// A client that repeats its append to a process newly started gets the first result.
pub async fn a_repetition_is_recognised_after_reopening(backend: &dyn Backend) {
    let store = backend.open().await;
    let (name, events) = (stream("repeat"), batch(0, 2));
    let first = store
        .append(&name, Expected::NoStream, events.clone())
        .await
        .unwrap();
    store
        .append(&name, Expected::Exact(1), batch(2, 1))
        .await
        .unwrap();
    drop(store);
    let store = backend.open().await;
    let again = store
        .append(&name, Expected::NoStream, events)
        .await
        .unwrap();
    assert_eq!(
        (again.position, again.last_revision, again.replayed),
        (first.position, 1, true)
    );
    let error = store
        .append(&name, Expected::NoStream, batch(0, 1))
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
