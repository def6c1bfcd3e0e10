//! The event store: one contract, several backends.
//!
//! [`open`] gives the store a URL names; everything else in the service sees [`EventStore`] and nothing of the
//! database behind it. The conformance suite (feature `conformance`) is the contract in executable form.

pub(crate) mod concurrency;
mod error;
pub mod esdb;
mod import;
pub mod memory;
mod pace;
pub mod postgres;
mod queue;
mod reading;
pub mod sqlite;
mod subscription;
mod types;
mod url;
pub(crate) mod validate;

pub use error::StoreError;
pub use types::{Appended, Delivery, Direction, Expected, Filter, ReadFrom, StoreHealth};
pub use url::{Access, identity, open, shown};
pub use validate::{MAX_APPEND_BYTES, MAX_APPEND_EVENTS, MAX_KIND_BYTES};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};

use crate::envelope::{NewEvent, Position, Recorded};
use crate::stream::StreamName;

/// Events as a store hands them out: lazily, page by page, so that any length is read in bounded memory.
///
/// After an error there is nothing more.
pub type EventStream<T> = BoxStream<'static, Result<T, StoreError>>;

/// An append-only log of events, kept in streams and in one total order.
///
/// # Contract
///
/// Every backend keeps all of this; what it can't keep it must refuse, not approximate.
///
/// **Atomic.** All events of one append are written, side by side in revision and position, or none is.
///
/// **Contiguous.** The revisions of a stream are 0, 1, 2, … in the order of appending, without gaps.
///
/// **Optimistic concurrency.** An append is made only if the stream stands where [`Expected`] says; otherwise it is
/// [`StoreError::Conflict`] and nothing is written. Of any number of appends that expect the same revision, one wins.
///
/// **Idempotent retry.** Event ids are unique within a stream.
/// For `NoStream` and `Exact`: when the events that follow the expected revision have exactly the ids of the batch, in
/// order, the append was made before and is answered with its first result ([`Appended::replayed`]), even if later events
/// exist. For `Any` and `Exists` the same holds wherever in the stream the batch stands. A batch of which only some ids
/// are in the stream, or in another order, is a `Conflict`. Only ids are compared; whoever repeats an append repeats it
/// byte for byte.
///
/// **Durable.** An acknowledged event survives the loss of the process and of power.
///
/// **Definite.** [`StoreError::Unavailable`] says that nothing was written; [`StoreError::Unknown`] that it may have
/// been: repeat the identical append until the answer is definite.
///
/// **Verbatim.** Type, data and metadata are any bytes (the type: any text) and come back as they were.
///
/// **Linearizable per stream.** [`read`](Self::read) and [`head`](Self::head) see every append acknowledged before they
/// were called (for `read`: first polled), whichever handle or node it was made through.
///
/// **One total order.** [`read_all`](Self::read_all) and [`subscribe`](Self::subscribe) give events in ascending
/// position, those of one stream in revision order, and never show a position before everything earlier is final: whoever
/// goes on after a position misses nothing.
///
/// **Live follows catch-up.** A subscription delivers every matching event after its start once, in order, from history
/// into the present; see [`Delivery`]. It ends only with an error. A consumer may be as slow as it likes: the store keeps
/// at most a page for it.
///
/// **Erasure.** Only directory streams can be erased; an erased stream reads as missing and takes no events ever again
/// ([`StoreError::Refused`]). Positions of erased events are not used again.
///
/// **Bounded.** [`MAX_APPEND_BYTES`], [`MAX_APPEND_EVENTS`] and [`MAX_KIND_BYTES`] hold on every backend alike; a batch
/// beyond them, an empty one, one with a nil id or with one id twice is [`StoreError::Invalid`].
///
/// **Sealing.** A sealed log takes nothing more, from no handle and no node, ever: every append, erasure, import and probe is
/// [`StoreError::Refused`] with the reason it was sealed for. What is there stays readable. A seal can be given another
/// reason, when the log turns out to be somewhere else than it says; it can't be broken, and no reason it ever had is lost.
///
/// Dropping the future of an append does not take the append back: it may still be made. Dropping a stream ends its work.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Appends `events` to `stream` as one batch, if the stream stands where `expected` says.
    ///
    /// # Errors
    /// `Conflict`, `Unavailable`, `Unknown`, `Invalid`, `Refused`, `Corrupt`, as the contract says.
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError>;

    /// Reads at most `max` events of `stream`, beginning with the one at `from`, up or down the revisions.
    ///
    /// A missing stream, and whatever lies past its ends, reads as nothing; backwards from beyond the head begins at the
    /// head.
    fn read(
        &self,
        stream: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded>;

    /// The revision of the last event of `stream`, `None` when there is none. Cheap enough to be asked on every request.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError>;

    /// Reads at most `max` events that `filter` admits, in total order, beginning after `after`; ends at the event that
    /// was the last one when the reading began.
    fn read_all(
        &self,
        after: Option<Position>,
        filter: Filter,
        max: usize,
    ) -> EventStream<Recorded>;

    /// The event at `position`, which this store once gave; `None` when it was erased since.
    ///
    /// # Errors
    /// `Invalid` or `Corrupt` for what is no position of this store, `Unavailable`.
    async fn at(&self, position: Position) -> Result<Option<Recorded>, StoreError> {
        // A store that counts otherwise than by one, or with two numbers, says so itself.
        let before = position.commit.checked_sub(1).map(Position::single);
        let mut next = self.read_all(before, Filter::all(), 1);
        let next = next.next().await.transpose()?;
        Ok(next.filter(|event| event.position == position))
    }

    /// Delivers every event that `filter` admits, in total order, beginning after `after`, and goes on with those to come.
    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery>;

    /// Erases `stream` for good, physically where the backend can. Repeating it is harmless; so is erasing a stream that
    /// was never written, which then can't be.
    ///
    /// # Errors
    /// `Refused` unless it is a directory stream; `Unavailable`, `Unknown` or `Corrupt`.
    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError>;

    /// Seals the log for good, for the reason `why`, a sentence for people. Repeating it is harmless, and changes nothing.
    ///
    /// # Errors
    /// `Refused` by a store opened for reading only; `Unavailable`, `Unknown` or `Corrupt`.
    async fn seal(&self, why: &str) -> Result<(), StoreError>;

    /// Gives a sealed log another reason, `why`, in the place of `was`. Repeating it is harmless, and changes nothing.
    ///
    /// # Errors
    /// `Refused` when it isn't sealed, or for another reason than `was` (of two who give it another at once, one does), and
    /// by a store opened for reading only; `Unavailable`, `Unknown` or `Corrupt`.
    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError>;

    /// Every reason the log was ever sealed for, the first one first; nothing when it isn't sealed.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    async fn seals(&self) -> Result<Vec<String>, StoreError>;

    /// Why the log is sealed, `None` when it isn't.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    async fn sealed(&self) -> Result<Option<String>, StoreError> {
        Ok(self.seals().await?.pop())
    }

    /// The streams that were erased, each once, in no particular order.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    async fn erased(&self) -> Result<Vec<StreamName>, StoreError>;

    /// Writes events of another log in the order given, each at its revision; for [copying](crate::copy). After an error a
    /// part from the beginning may have been written; repeating the same import is harmless.
    ///
    /// # Errors
    /// As [`append`](Self::append); `Conflict` when an event can't stand at its revision.
    async fn import(&self, events: Vec<Recorded>) -> Result<(), StoreError> {
        for run in import::runs(events)? {
            self.append(&run.stream, run.expected, run.events).await?;
        }
        Ok(())
    }

    /// The position of the last event of all, to measure lag by; `None` when nothing was ever written.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    async fn last_position(&self) -> Result<Option<Position>, StoreError>;

    /// Finds out whether the store can write now.
    ///
    /// # Errors
    /// Whatever stands in the way of writing.
    async fn probe(&self) -> Result<StoreHealth, StoreError>;
}
