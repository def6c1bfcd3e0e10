//! Limits, exact on every backend, and what lies within them comes back as it was.

use bytes::Bytes;
use uuid::Uuid;

use super::{Backend, batch, event, read, stream};
use crate::envelope::NewEvent;
use crate::store::{
    EventStore, Expected, MAX_APPEND_BYTES, MAX_APPEND_EVENTS, MAX_KIND_BYTES, StoreError,
};

async fn is_invalid(store: &dyn EventStore, events: Vec<NewEvent>) {
    let name = stream("limits-refused");
    let error = store
        .append(&name, Expected::Any, events)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    assert_eq!(store.head(&name).await.unwrap(), None);
}

/// An append of nothing would have no result to give.
pub async fn an_empty_batch_is_invalid(backend: &dyn Backend) {
    let store = backend.open().await;
    is_invalid(&*store, Vec::new()).await;
}

/// To the byte, for one large event and for many together, whichever of type, data and metadata is large.
pub async fn the_size_limit_is_exact(backend: &dyn Backend) {
    let store = backend.open().await;
    let sized = |kind: usize, data: usize, metadata: usize| NewEvent {
        id: Uuid::new_v4(),
        kind: "k".repeat(kind).into(),
        data: vec![b'd'; data].into(),
        metadata: vec![b'm'; metadata].into(),
    };
    let fitting = [
        vec![sized(4, MAX_APPEND_BYTES - 4, 0)],
        vec![sized(4, 0, MAX_APPEND_BYTES - 4)],
        vec![
            sized(4, MAX_APPEND_BYTES / 2 - 4, 0),
            sized(4, 0, MAX_APPEND_BYTES / 2 - 4),
        ],
    ];
    for (n, events) in fitting.into_iter().enumerate() {
        let name = stream(&format!("limits-{n}"));
        store
            .append(&name, Expected::NoStream, events.clone())
            .await
            .unwrap();
        let sizes: usize = read(&*store, &name)
            .await
            .iter()
            .map(|e| e.kind.len() + e.data.len() + e.metadata.len())
            .sum();
        assert_eq!(sizes, MAX_APPEND_BYTES);

        let mut larger = events;
        let data = larger[0].data.len();
        larger[0].data = vec![b'd'; data + 1].into();
        is_invalid(&*store, larger).await;
    }
}

/// As large as may be in every way at once: as many events as fit, with the longest types, and not a byte more.
pub async fn the_largest_batch_of_all_fits(backend: &dyn Backend) {
    let store = backend.open().await;
    let each = MAX_APPEND_BYTES / MAX_APPEND_EVENTS - MAX_KIND_BYTES;
    let mut events: Vec<NewEvent> = (0..MAX_APPEND_EVENTS)
        .map(|_| NewEvent {
            id: Uuid::new_v4(),
            kind: "k".repeat(MAX_KIND_BYTES).into(),
            data: vec![b'd'; each].into(),
            metadata: Bytes::new(),
        })
        .collect();
    events[0].metadata = vec![b'm'; MAX_APPEND_BYTES % MAX_APPEND_EVENTS].into();
    store
        .append(&stream("largest"), Expected::NoStream, events)
        .await
        .unwrap();
}

/// So many and no more.
pub async fn the_number_of_events_is_bounded(backend: &dyn Backend) {
    let store = backend.open().await;
    let most = store
        .append(
            &stream("many"),
            Expected::NoStream,
            batch(0, MAX_APPEND_EVENTS),
        )
        .await
        .unwrap();
    assert_eq!(most.last_revision, MAX_APPEND_EVENTS as u64 - 1);
    is_invalid(&*store, batch(0, MAX_APPEND_EVENTS + 1)).await;
}

/// A type is never empty, nor longer than the limit.
pub async fn types_are_bounded(backend: &dyn Backend) {
    let store = backend.open().await;
    let typed = |kind: String| {
        vec![NewEvent {
            kind: kind.into(),
            ..event("")
        }]
    };
    store
        .append(
            &stream("types"),
            Expected::NoStream,
            typed("k".repeat(MAX_KIND_BYTES)),
        )
        .await
        .unwrap();
    is_invalid(&*store, typed(String::new())).await;
    is_invalid(&*store, typed("k".repeat(MAX_KIND_BYTES + 1))).await;
}

/// An event has an id of its own.
pub async fn ids_are_neither_nil_nor_twice_in_a_batch(backend: &dyn Backend) {
    let store = backend.open().await;
    is_invalid(
        &*store,
        vec![NewEvent {
            id: Uuid::nil(),
            ..event("")
        }],
    )
    .await;
    let twice = event("");
    is_invalid(&*store, vec![twice.clone(), event(""), twice]).await;
}

/// Bytes are bytes: nothing is parsed, normalised, trimmed or re-encoded.
pub async fn bytes_and_text_come_back_as_they_were(backend: &dyn Backend) {
    let store = backend.open().await;
    let every_byte: Bytes = (0..=255_u8).cycle().take(4096).collect();
    let written: Vec<NewEvent> = [
        ("empty", Bytes::new(), Bytes::new()),
        ("bytes", every_byte.clone(), every_byte),
        (
            "zeros",
            Bytes::from_static(&[0; 64]),
            Bytes::from_static(b"\0"),
        ),
        (
            "json",
            Bytes::from_static(b"{ \"b\":1.0,\"a\":1e2 , \"a\":2}\n"),
            Bytes::from_static(b" {} "),
        ),
        (
            "\u{1F4E6} \u{e9} e\u{301} \u{202e}ab",
            "\u{feff}\u{10ffff}".into(),
            "\u{1F4E6}".into(),
        ),
        (
            "nul\0within",
            Bytes::from_static(b"'; --"),
            Bytes::from_static(b"\xff\xfe"),
        ),
    ]
    .into_iter()
    .map(|(kind, data, metadata)| NewEvent {
        id: Uuid::new_v4(),
        kind: kind.into(),
        data,
        metadata,
    })
    .collect();
    let name = stream("verbatim");
    store
        .append(&name, Expected::NoStream, written.clone())
        .await
        .unwrap();
    let read: Vec<NewEvent> = read(&*store, &name)
        .await
        .into_iter()
        .map(|event| NewEvent {
            id: event.id,
            kind: event.kind,
            data: event.data,
            metadata: event.metadata,
        })
        .collect();
    assert_eq!(read, written);
}
