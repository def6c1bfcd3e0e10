//! The heads of the streams in use, in memory and bounded.
//!
//! This process owns the file, so what its writer committed is what there is: a head known here is answered without a
//! look at the database. Three rules keep such answers linearizable:
//! a stream whose commit is under way is answered by the database; what a reader looked up goes in only if nothing
//! happened to the stream meanwhile; and after a commit with unknown outcome nothing is known.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use lru::LruCache;

use crate::stream::StreamName;

/// How many streams are remembered; about 200 bytes each.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(32_768).unwrap();

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The stream's row, when it has one.
    pub(super) id: Option<i64>,
    /// How many events it has: the next revision.
    pub(super) count: i64,
    /// It was erased, and takes no more events.
    pub(super) erased: bool,
}

impl Head {
    /// A stream that was never written.
    pub(super) const MISSING: Self = Self {
        id: None,
        count: 0,
        erased: false,
    };

    /// The revision of the last event.
    pub(super) fn revision(self) -> Option<u64> {
        u64::try_from(self.count).ok()?.checked_sub(1)
    }
}

/// The streams that one group of appends has moved, before they are committed.
pub(super) type Moved = HashMap<StreamName, Head>;

#[derive(Debug)]
pub(super) struct Heads(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    known: LruCache<StreamName, Slot>,
    committing: Moved,
    tickets: u64,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Known(Head),
    /// Someone is looking it up under this number.
    Asked(u64),
}

/// What is known of a stream's head.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lookup {
    /// This.
    Known(Head),
    /// Nothing; the database's answer may be [`learned`](Heads::learn) with this number.
    Ask(Option<u64>),
}

impl Heads {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Inner {
            known: LruCache::new(CAPACITY),
            committing: Moved::default(),
            tickets: 0,
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No operation under this lock can stop half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head for anyone who reads.
    pub(super) fn look_up(&self, stream: &StreamName) -> Lookup {
        let mut guard = self.inner();
        let inner = &mut *guard;
        if !inner.committing.is_empty() && inner.committing.contains_key(stream) {
            return Lookup::Ask(None);
        }
        match inner.known.get(stream) {
            Some(Slot::Known(head)) => Lookup::Known(*head),
            Some(Slot::Asked(ticket)) => Lookup::Ask(Some(*ticket)),
            None => {
                inner.tickets += 1;
                inner.known.put(stream.clone(), Slot::Asked(inner.tickets));
                Lookup::Ask(Some(inner.tickets))
            }
        }
    }

    /// Keeps what the database answered, unless the stream may have moved since it was asked.
    pub(super) fn learn(&self, stream: &StreamName, ticket: u64, head: Head) {
        let mut inner = self.inner();
        if inner.committing.contains_key(stream) {
            return;
        }
        if let Some(slot) = inner.known.get_mut(stream)
            && matches!(slot, Slot::Asked(asked) if *asked == ticket)
        {
            *slot = Slot::Known(head);
        }
    }

    /// The head for the writer, which alone moves it.
    pub(super) fn for_writer(&self, stream: &StreamName) -> Option<Head> {
        match self.inner().known.get(stream) {
            Some(Slot::Known(head)) => Some(*head),
            Some(Slot::Asked(_)) | None => None,
        }
    }

    /// The commit of these begins.
    pub(super) fn committing(&self, moved: Moved) {
        self.inner().committing = moved;
    }

    /// The commit was made: what was moved is known.
    pub(super) fn committed(&self) {
        let mut guard = self.inner();
        let inner = &mut *guard;
        for (stream, head) in std::mem::take(&mut inner.committing) {
            inner.known.put(stream, Slot::Known(head));
        }
    }

    /// The outcome of the commit is not known, or it did not come to one.
    pub(super) fn forget(&self) {
        let mut inner = self.inner();
        inner.committing.clear();
        inner.known.clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn at(count: i64) -> Head {
        Head {
            id: Some(1),
            count,
            erased: false,
        }
    }

    fn ask(heads: &Heads, stream: &StreamName) -> Option<u64> {
        match heads.look_up(stream) {
            Lookup::Ask(ticket) => ticket,
            Lookup::Known(head) => panic!("known: {head:?}"),
        }
    }

    fn known(heads: &Heads, stream: &StreamName) -> Option<i64> {
        match heads.look_up(stream) {
            Lookup::Known(head) => Some(head.count),
            Lookup::Ask(_) => None,
        }
    }

    #[test]
    fn an_answer_overtaken_by_a_commit_is_not_kept() {
        let (heads, stream) = (Heads::new(), StreamName::platform());
        let ticket = ask(&heads, &stream).unwrap();
        heads.committing(Moved::from_iter([(stream.clone(), at(2))]));
        heads.learn(&stream, ticket, at(1));
        assert_eq!(
            ask(&heads, &stream),
            None,
            "while committing, only the database knows"
        );
        heads.committed();
        heads.learn(&stream, ticket, at(1));
        assert_eq!(known(&heads, &stream), Some(2));
    }

    #[test]
    fn an_answer_is_kept_when_nothing_happened_meanwhile() {
        let (heads, stream) = (Heads::new(), StreamName::platform());
        let ticket = ask(&heads, &stream).unwrap();
        assert_eq!(ask(&heads, &stream), Some(ticket));
        heads.learn(&stream, ticket, at(1));
        assert_eq!(known(&heads, &stream), Some(1));
    }

    #[test]
    fn nothing_is_known_after_an_unknown_outcome() {
        let (heads, stream) = (Heads::new(), StreamName::platform());
        heads.committing(Moved::from_iter([(stream.clone(), at(2))]));
        heads.committed();
        let ticket_before = 0;
        heads.committing(Moved::from_iter([(stream.clone(), at(3))]));
        heads.forget();
        heads.learn(&stream, ticket_before, at(2));
        assert_eq!(known(&heads, &stream), None);
    }

    #[test]
    fn memory_is_bounded() {
        let heads = Heads::new();
        for n in 0..CAPACITY.get() + 100 {
            ask(&heads, &format!("x-{n}").parse().unwrap());
        }
        assert_eq!(heads.inner().known.len(), CAPACITY.get());
    }
}
