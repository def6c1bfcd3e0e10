//! The words of the contract: what is expected, answered, asked for and delivered.

use std::borrow::Cow;

use crate::envelope::{Position, Recorded};
use crate::stream::{StreamKind, StreamName};

/// Where a stream must stand for an append to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Anywhere. Only for records that decide nothing.
    Any,
    /// It has no events.
    NoStream,
    /// It has events, however many.
    Exists,
    /// Its last event has this revision.
    Exact(u64),
}

/// What an append made, or had made when it was first asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The revision of the batch's first event.
    pub first_revision: u64,
    /// The revision of the batch's last event.
    pub last_revision: u64,
    /// The position of the batch's last event.
    pub position: Position,
    /// The batch was in the store already; nothing was written now. Where a server recognises repetitions, two processes
    /// that send the same batch in the same moment may both be told `false`.
    pub replayed: bool,
}

/// Where in a stream a reading begins; the event there is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// The first event.
    Start,
    /// The event with this revision.
    Revision(u64),
    /// The last event. Read forwards, nothing lies there.
    End,
}

/// Which way a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards higher revisions.
    Forwards,
    /// Towards revision 0.
    Backwards,
}

/// Which events of the total order are wanted: those in streams of certain kinds and of certain types.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    streams: Option<Vec<StreamKind>>,
    kinds: Option<Vec<Cow<'static, str>>>,
}

impl Filter {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Only events in streams of these kinds.
    #[must_use]
    pub fn streams(mut self, kinds: impl IntoIterator<Item = StreamKind>) -> Self {
        self.streams = Some(kinds.into_iter().collect());
        self
    }

    /// Only events of these types.
    #[must_use]
    pub fn kinds<K: Into<Cow<'static, str>>>(mut self, kinds: impl IntoIterator<Item = K>) -> Self {
        self.kinds = Some(kinds.into_iter().map(Into::into).collect());
        self
    }

    /// The kinds of streams wanted; `None`: all.
    pub(crate) fn wanted_streams(&self) -> Option<&[StreamKind]> {
        self.streams.as_deref()
    }

    /// The types wanted; `None`: all.
    pub(crate) fn wanted_kinds(&self) -> Option<&[Cow<'static, str>]> {
        self.kinds.as_deref()
    }

    /// Whether every event is wanted.
    pub(crate) fn admits_all(&self) -> bool {
        self.streams.is_none() && self.kinds.is_none()
    }

    /// Whether events of this type in this stream are wanted.
    #[must_use]
    pub fn admits(&self, stream: &StreamName, kind: &str) -> bool {
        let stream_wanted = |kinds: &Vec<StreamKind>| kinds.contains(&stream.kind());
        let kind_wanted =
            |kinds: &Vec<Cow<'static, str>>| kinds.iter().any(|wanted| wanted == kind);
        self.streams.as_ref().is_none_or(stream_wanted)
            && self.kinds.as_ref().is_none_or(kind_wanted)
    }
}

/// What a subscription hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The next matching event.
    Event(Recorded),
    /// Everything wanted up to this position has been delivered. Comes from time to time while nothing matches, and
    /// whenever the end of the log is reached past the last event delivered.
    Checkpoint(Position),
    /// The end of the log was reached; what follows is live. Comes once after the start, and again only when the
    /// consumer had fallen behind by more than a page and has caught up anew.
    CaughtUp,
}

/// A store that can write, as found by [`probe`](super::EventStore::probe).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreHealth {
    /// How far the store's clock is ahead of ours at least, in milliseconds; `None` when it has no clock of its own.
    pub clock_skew_ms: Option<i64>,
}

/// How far a clock that showed `theirs` is ahead of ours at least, when it was read between `begun` and `answered` of ours. A
/// slow answer makes no clock wrong.
pub(super) const fn skew_at_least(theirs: i64, begun: i64, answered: i64) -> i64 {
    if theirs < begun {
        theirs - begun
    } else if theirs > answered {
        theirs - answered
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::skew_at_least;

    #[test]
    fn a_slow_answer_makes_no_clock_wrong() {
        assert_eq!(skew_at_least(1_000, 1_000, 11_000), 0);
        assert_eq!(skew_at_least(11_000, 1_000, 11_000), 0);
        assert_eq!(skew_at_least(500, 1_000, 11_000), -500);
        assert_eq!(skew_at_least(12_000, 1_000, 11_000), 1_000);
    }
}
