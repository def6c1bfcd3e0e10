//! The limits of one append, the same on every backend.

use std::collections::HashSet;

use uuid::Uuid;

use super::StoreError;
use crate::envelope::NewEvent;

/// The most bytes of type, data and metadata that one append may hold together.
///
/// EventStoreDB takes 1 MiB and counts types twice, in two bytes a character; this leaves 65 bytes an event for that.
pub const MAX_APPEND_BYTES: usize = 960 * 1024;

/// The most events that one append may hold.
pub const MAX_APPEND_EVENTS: usize = 1000;

/// The longest event type, in bytes; what is left for it by [`MAX_APPEND_BYTES`].
pub const MAX_KIND_BYTES: usize = 64;

/// Checks a batch against the limits and gives its size in bytes.
pub(crate) fn batch(events: &[NewEvent]) -> Result<usize, StoreError> {
    if events.is_empty() {
        return Err(StoreError::invalid("an append holds at least one event"));
    }
    if events.len() > MAX_APPEND_EVENTS {
        return Err(StoreError::invalid(format!(
            "an append holds at most {MAX_APPEND_EVENTS} events"
        )));
    }
    let size = events
        .iter()
        .fold(0_usize, |sum, event| sum.saturating_add(event.size()));
    if size > MAX_APPEND_BYTES {
        return Err(StoreError::invalid(format!(
            "an append holds at most {MAX_APPEND_BYTES} bytes; this one has {size}"
        )));
    }
    for event in events {
        if event.id.is_nil() {
            return Err(StoreError::invalid("an event's id is not nil"));
        }
        if event.kind.is_empty() || event.kind.len() > MAX_KIND_BYTES {
            return Err(StoreError::invalid(format!(
                "an event's type has 1 to {MAX_KIND_BYTES} bytes"
            )));
        }
    }
    if repeats_an_id(events) {
        return Err(StoreError::invalid("the ids of an append's events differ"));
    }
    Ok(size)
}

fn repeats_an_id(events: &[NewEvent]) -> bool {
    let mut seen: HashSet<Uuid> = HashSet::new();
    events.len() > 1 && !events.iter().all(|event| seen.insert(event.id))
}
