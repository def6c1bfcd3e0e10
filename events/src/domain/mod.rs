//! The domain: what may happen to exports and tenants, and what then is true.
//!
//! Everything in here is pure and total. Time, ids, limits and policy come in with the command; no
//! function reads a clock, draws a random number or waits. That is what makes every decision
//! repeatable by an auditor who holds nothing but the events.

pub mod access;
pub mod directory;
pub mod export;
pub mod platform;
pub mod policy;
pub mod request;
pub mod session;
pub mod tenant;
#[cfg(test)]
pub(crate) mod testing;

use crate::ids::Timestamp;

/// Something together with the moment it happened or was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed<T> {
    /// When, in milliseconds since the Unix epoch.
    pub at: Timestamp,
    /// What.
    pub what: T,
}

impl<T> Timed<T> {
    /// Pairs `what` with `at`.
    pub fn new(at: Timestamp, what: T) -> Self {
        Self { at, what }
    }
}

/// What a decider answers to a command that is allowed: events to append, and a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<E, R> {
    /// The moment the decision counts as taken: the command's time, or the stream's last time when
    /// the clock has run backwards. Every event of the decision is recorded with it.
    pub at: Timestamp,
    /// What happened, in order, appended as one batch. Empty when nothing changes.
    pub events: Vec<E>,
    /// What the asker is told once the events are durable.
    pub reply: R,
}

/// A decider in the sense of Jérémie Chassaing's *Functional Event Sourcing Decider*: a pure state machine
/// whose history is its events.
///
/// # Contract
/// * `decide` and `evolve` are pure and total: no panic for any state, command or event.
/// * `evolve` accepts every event in every state, for a store may hold a history that no decider
///   of this version would write; an event that makes no sense in a state leaves it as it is.
/// * Live state equals replayed state: folding `evolve` over a stream's events gives the state that the
///   process had which wrote them.
pub trait Decider {
    /// What is known after some prefix of the stream.
    type State: Clone + PartialEq;
    /// What can be asked.
    type Command;
    /// What can happen.
    type Event: Clone;
    /// What is answered to an allowed command.
    type Reply;
    /// Why a command is not possible in a state. A bug or a lost race of the asker, never a business outcome.
    type Illegal;

    /// The state before any event.
    fn initial() -> Self::State;

    /// What would happen if `command` were carried out in `state`.
    fn decide(
        state: &Self::State,
        command: &Timed<Self::Command>,
    ) -> Result<Decision<Self::Event, Self::Reply>, Self::Illegal>;

    /// The state after `event`.
    fn evolve(state: Self::State, event: &Timed<Self::Event>) -> Self::State;

    /// The state after a whole history.
    fn replay<'a>(history: impl IntoIterator<Item = &'a Timed<Self::Event>>) -> Self::State
    where
        Self::Event: 'a,
    {
        history.into_iter().fold(Self::initial(), Self::evolve)
    }
}

/// `clock`, but never earlier than `last`: within a stream time does not run backwards.
pub(crate) fn not_before(clock: Timestamp, last: Option<Timestamp>) -> Timestamp {
    last.map_or(clock, |last| clock.max(last))
}
