//! What is known of the streams appended to: where each stands, and the ids in it.
//!
//! The server recognises a repetition only where it was expected, and for `Any` only as far back as its cache reaches; it
//! would also write an event whose id stands further up in the stream. The contract is stricter, so every append is judged
//! here against the whole stream and made at an exact revision. What is known is right up to its head for ever; an append
//! by somebody else only adds to it. So a stream is read once, and from then on only what is new.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use uuid::Uuid;

use crate::envelope::NewEvent;
use crate::store::Expected;
use crate::store::concurrency::{Verdict, judge};
use crate::stream::StreamName;

/// The most streams kept.
const MAX_STREAMS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// The most ids kept, of all streams together: some 40 MB.
const MAX_IDS: usize = 500_000;

/// One stream, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Known {
    head: Option<u64>,
    ids: HashMap<Uuid, u64>,
    /// It has been read to its end at least once, or written from its beginning.
    pub(super) complete: bool,
}

impl Known {
    pub(super) fn head(&self) -> Option<u64> {
        self.head
    }

    /// The revision of the next event.
    pub(super) fn next(&self) -> u64 {
        self.head.map_or(0, |head| head + 1)
    }

    pub(super) fn judge(&self, expected: Expected, events: &[NewEvent]) -> Verdict {
        let at = |event: &NewEvent| self.ids.get(&event.id).copied();
        let found: Vec<Option<u64>> = events.iter().map(at).collect();
        judge(expected, self.head, &found)
    }

    /// Takes note of the event that follows.
    pub(super) fn push(&mut self, id: Uuid) {
        let revision = self.next();
        self.ids.insert(id, revision);
        self.head = Some(revision);
    }

    /// Forgets everything: the stream is not what it was taken for.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The streams appended to of late. Whoever holds one's lock appends to it; others of this process wait.
pub(super) struct Streams(Mutex<Kept>);

struct Kept {
    streams: LruCache<StreamName, (Arc<tokio::sync::Mutex<Known>>, usize)>,
    ids: usize,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Kept {
            streams: LruCache::new(MAX_STREAMS),
            ids: 0,
        }))
    }

    /// What is known of `name`, nothing at first.
    pub(super) fn of(&self, name: &StreamName) -> Arc<tokio::sync::Mutex<Known>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, _)) = kept.streams.get(name) {
            return Arc::clone(known);
        }
        let known = Arc::new(tokio::sync::Mutex::new(Known::default()));
        let entry = (Arc::clone(&known), 0);
        if let Some((_, (_, ids))) = kept.streams.push(name.clone(), entry) {
            kept.ids -= ids;
        }
        known
    }

    /// Counts what `known` has grown to, and lets the longest unused go when all are too many.
    pub(super) fn count(&self, name: &StreamName, known: &Known) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *kept;
        if let Some((_, ids)) = kept.streams.peek_mut(name) {
            kept.ids = kept.ids - *ids + known.ids.len();
            *ids = known.ids.len();
        }
        while kept.ids > MAX_IDS && kept.streams.len() > 1 {
            let Some((_, (_, ids))) = kept.streams.pop_lru() else {
                return;
            };
            kept.ids -= ids;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_go_when_all_are_too_many() {
        let streams = Streams::new();
        let name = |n: usize| -> StreamName { format!("s-{n}").parse().unwrap() };
        for n in 0..3 {
            let known = streams.of(&name(n));
            let mut known = known.try_lock().unwrap();
            (0..MAX_IDS / 2).for_each(|id| known.push(Uuid::from_u128(id as u128)));
            streams.count(&name(n), &known);
        }
        let kept = |n| streams.of(&name(n)).try_lock().unwrap().head().is_some();
        assert!(kept(2) && kept(1) && !kept(0));
    }
}
