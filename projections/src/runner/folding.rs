//! A projection, and how far it is with what it was given.

use carnet_events::envelope::Position;
use carnet_events::ids::Timestamp;
use rusqlite::Connection;

use super::feed::Facts;
use crate::Options;
use crate::database::meta::Checkpoint;
use crate::database::names::Names;
use crate::fact::Fact;
use crate::projection::{ApplyError, Blueprint, Projection};
use crate::status::Rebuilding;

/// A projection, and how far it is with what it was given.
pub(super) struct Folding {
    pub(super) blueprint: &'static Blueprint,
    /// Where it is, as committed.
    pub(super) at: Checkpoint,
    /// Where it will be with the next commit.
    next: Step,
    names: Names,
    projection: Box<dyn Projection>,
}

/// Where it comes with events that are not committed yet.
#[derive(Default)]
struct Step {
    position: Option<Position>,
    newest: Option<Timestamp>,
    events: u64,
    stopped: Option<String>,
}

impl Folding {
    /// One that goes on at a checkpoint.
    pub(super) fn new(blueprint: &'static Blueprint, at: Checkpoint, options: &Options) -> Self {
        Self {
            blueprint,
            at,
            next: Step::default(),
            names: Names::new(blueprint.names),
            projection: (blueprint.make)(options),
        }
    }

    /// How far it is, committed or not.
    pub(super) fn position(&self) -> Option<Position> {
        self.next.position.or(self.at.position)
    }

    /// How far it is on the way to being whole.
    pub(super) fn going_on(&self) -> Rebuilding {
        Rebuilding {
            position: self.position(),
            events: self.at.events + self.next.events,
        }
    }

    /// Why it can't go on, committed or not.
    pub(super) fn stopped(&self) -> Option<&str> {
        let stopped = self.at.stopped.as_ref().or(self.next.stopped.as_ref());
        stopped.map(String::as_str)
    }

    /// Whether there is something new to it in `chunk`.
    pub(super) fn wants(&self, chunk: &Facts) -> bool {
        self.stopped().is_none() && chunk.end > self.position()
    }

    /// Applies what of `chunk` is new to it, inside the caller's transaction. An event that can't be read stops it
    /// before that event.
    pub(super) fn apply(
        &mut self,
        connection: &Connection,
        chunk: &Facts,
    ) -> Result<(), ApplyError> {
        if !self.wants(chunk) {
            return Ok(());
        }
        let here = self.position();
        let seen = |fact: &Fact| Some(fact.position) <= here;
        let from = chunk.facts.partition_point(seen);
        let (to, stop) = match self.unreadable(chunk, from) {
            Some((index, reason)) => (index, Some(reason)),
            None => (chunk.facts.len(), None),
        };
        let new = chunk.facts.get(from..to).unwrap_or_default();
        self.projection.apply(connection, &mut self.names, new)?;
        let newest = match new.len() == chunk.facts.len() {
            true => chunk.newest,
            false => newest(new),
        };
        let end = chunk.end.filter(|_| stop.is_none());
        let last = new.last().map(|fact| fact.position);
        self.next.position = end.or(last).or(self.next.position);
        self.next.events += new.len() as u64;
        self.next.newest = self.next.newest.max(newest);
        self.next.stopped = stop;
        Ok(())
    }

    /// The first fact from an index on that it needs and that can't be read, and why that can't.
    fn unreadable(&self, chunk: &Facts, from: usize) -> Option<(usize, String)> {
        let candidates = chunk.unreadable.iter().copied();
        candidates.filter(|index| *index >= from).find_map(|index| {
            let fact = chunk.facts.get(index)?;
            let needed = self.blueprint.streams.contains(&fact.stream);
            let reason = fact.what.as_ref().err().filter(|_| needed)?;
            Some((index, reason.clone()))
        })
    }

    /// Writes what is in memory, inside the caller's transaction, and says where that brings it.
    pub(super) fn flush(&mut self, connection: &Connection) -> Result<Checkpoint, ApplyError> {
        self.projection.flush(connection, &mut self.names)?;
        Ok(Checkpoint {
            position: self.position(),
            newest: self.at.newest.max(self.next.newest),
            events: self.at.events + self.next.events,
            stopped: self.next.stopped.clone(),
            ..self.at.clone()
        })
    }

    /// What was flushed is committed.
    pub(super) fn committed(&mut self, at: Checkpoint) {
        self.next = Step::default();
        if let Some(reason) = &at.stopped {
            self.tell_stopped(reason);
        }
        self.at = at;
    }

    /// What was not committed is gone.
    pub(super) fn rolled_back(&mut self) {
        self.next = Step::default();
        self.names.forget();
        self.projection.forget();
    }

    /// It can't go on from where it is.
    pub(super) fn stop(&mut self, reason: String) {
        self.tell_stopped(&reason);
        self.at.stopped = Some(reason);
    }

    fn tell_stopped(&self, reason: &str) {
        tracing::error!(projection = %self.blueprint.name, reason, "a projection has stopped");
    }
}

fn newest(facts: &[Fact]) -> Option<Timestamp> {
    let known = facts.iter().filter_map(|fact| fact.what.as_ref().ok());
    known.map(|known| known.at).max()
}
