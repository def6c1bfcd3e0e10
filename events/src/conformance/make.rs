//! What the cases are written with.

use bytes::Bytes;
use futures::TryStreamExt;
use uuid::Uuid;

use crate::envelope::{NewEvent, Recorded};
use crate::store::{Direction, EventStore, ReadFrom};
use crate::stream::StreamName;

/// A stream of no particular kind.
#[must_use]
pub fn stream(name: &str) -> StreamName {
    name.parse().unwrap()
}

/// A new event that says `text`.
#[must_use]
pub fn event(text: &str) -> NewEvent {
    NewEvent {
        id: Uuid::new_v4(),
        kind: "said".into(),
        data: Bytes::copy_from_slice(text.as_bytes()),
        metadata: Bytes::from_static(b"{}"),
    }
}

/// New events that say `from`, `from + 1`, …
#[must_use]
pub fn batch(from: usize, count: usize) -> Vec<NewEvent> {
    (from..from + count)
        .map(|n| event(&n.to_string()))
        .collect()
}

/// The whole of a stream.
pub async fn read(store: &dyn EventStore, name: &StreamName) -> Vec<Recorded> {
    let events = store.read(name, ReadFrom::Start, Direction::Forwards, usize::MAX);
    events.try_collect().await.unwrap()
}

/// What the events say.
#[must_use]
pub fn texts(events: &[Recorded]) -> Vec<String> {
    events
        .iter()
        .map(|event| String::from_utf8(event.data.to_vec()).unwrap())
        .collect()
}
