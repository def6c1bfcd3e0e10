//! Erasing a directory: for good, and only that.

use futures::TryStreamExt;

use super::{Backend, batch, event, read, stream, texts};
use crate::ids::{Digest, ExportId, TenantId, Timestamp};
use crate::store::{Direction, Expected, Filter, ReadFrom, StoreError};
use crate::stream::StreamName;

fn directory() -> StreamName {
    StreamName::directory(&TenantId::new("acme").unwrap())
}

/// Nothing is read of it in any way, and it takes no events.
pub async fn an_erased_directory_is_gone_for_good(backend: &dyn Backend) {
    let store = backend.open().await;
    let names = vec![event("Ada"), event("Grace")];
    store
        .append(&stream("before"), Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    store
        .append(&directory(), Expected::NoStream, names.clone())
        .await
        .unwrap();
    store
        .append(&stream("after"), Expected::NoStream, batch(1, 1))
        .await
        .unwrap();
    store.erase(&directory()).await.unwrap();

    assert_eq!(store.head(&directory()).await.unwrap(), None);
    for direction in [Direction::Forwards, Direction::Backwards] {
        let read: Vec<_> = store
            .read(&directory(), ReadFrom::Revision(1), direction, 9)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(read, []);
    }
    let all: Vec<_> = store
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(texts(&all), ["0", "1"]);
    for expected in [
        Expected::Any,
        Expected::NoStream,
        Expected::Exists,
        Expected::Exact(1),
    ] {
        for events in [batch(9, 1), names.clone()] {
            let error = store
                .append(&directory(), expected, events)
                .await
                .unwrap_err();
            assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        }
    }
}

/// Whatever else there is stays.
pub async fn only_directories_can_be_erased(backend: &dyn Backend) {
    let store = backend.open().await;
    let tenant = TenantId::new("acme").unwrap();
    for name in [
        StreamName::export(ExportId::from_uuid(uuid::Uuid::from_u128(7))),
        StreamName::tenant(&tenant),
        StreamName::access(&tenant, Timestamp::EPOCH.month()),
        StreamName::policy(&Digest::from_bytes([1; 32])),
        StreamName::platform(),
        stream("directory"),
        stream("xdirectory-acme"),
    ] {
        store
            .append(&name, Expected::NoStream, batch(0, 1))
            .await
            .unwrap();
        let error = store.erase(&name).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert_eq!(read(&*store, &name).await.len(), 1);
    }
}

/// It may be asked for again, and before anything was written, which then can't be.
pub async fn erasing_twice_and_before_writing_is_harmless(backend: &dyn Backend) {
    let store = backend.open().await;
    for _ in 0..2 {
        store.erase(&directory()).await.unwrap();
    }
    let error = store
        .append(&directory(), Expected::NoStream, batch(0, 1))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
}

/// Even when the erased events were the last of all, and the store is opened again.
pub async fn erased_positions_are_not_used_again(backend: &dyn Backend) {
    let store = backend.open().await;
    let erased = store
        .append(&directory(), Expected::NoStream, batch(0, 5))
        .await
        .unwrap();
    store.erase(&directory()).await.unwrap();
    assert_eq!(store.last_position().await.unwrap(), Some(erased.position));
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.last_position().await.unwrap(), Some(erased.position));
    let later = store
        .append(&stream("later"), Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    assert!(later.position > erased.position);
}
