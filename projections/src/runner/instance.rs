//! A projection in one generation, and how far it is.

use carnet_events::envelope::Position;
use carnet_events::ids::Timestamp;
use rusqlite::Connection;

use super::feed::Facts;
use crate::database::meta::{self, Checkpoint};
use crate::database::names::Names;
use crate::database::tables;
use crate::fact::Fact;
use crate::projection::{ApplyError, Blueprint, Projection};
use crate::status::{Progress, RunState};
use crate::{Options, ProjectionName};

/// A projection in one generation, and how far it is.
pub(super) struct Instance {
    pub(super) blueprint: &'static Blueprint,
    /// Where it is, as committed.
    pub(super) at: Checkpoint,
    pub(super) stopped: Option<String>,
    /// Where it will be with the next commit.
    next: Step,
    /// A shadow is filled beside the tables in use; its checkpoint is not written down.
    pub(super) shadow: bool,
    projection: Box<dyn Projection>,
}

/// Where an instance comes with events that are not committed yet.
#[derive(Default)]
struct Step {
    position: Option<Position>,
    newest: Option<Timestamp>,
    events: u64,
    stopped: Option<String>,
}

impl Instance {
    pub(super) fn new(
        blueprint: &'static Blueprint,
        at: Checkpoint,
        shadow: bool,
        options: &Options,
    ) -> Self {
        let projection = (blueprint.make)(at.generation, options);
        Self {
            blueprint,
            at,
            stopped: None,
            next: Step::default(),
            shadow,
            projection,
        }
    }

    /// One with new, empty tables.
    pub(super) fn empty(
        connection: &Connection,
        blueprint: &'static Blueprint,
        generation: u32,
        shadow: bool,
        options: &Options,
    ) -> rusqlite::Result<Self> {
        tables::drop(connection, blueprint, generation)?;
        tables::create(connection, blueprint, generation)?;
        let at = Checkpoint {
            version: blueprint.version,
            generation,
            indexed: false,
            position: None,
            newest: None,
            events: 0,
        };
        Ok(Self::new(blueprint, at, shadow, options))
    }

    pub(super) fn name(&self) -> ProjectionName {
        self.blueprint.name
    }

    /// Writes down where it is.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.shadow {
            return Ok(());
        }
        meta::put(connection, self.name(), &self.at, self.stopped.as_deref())
    }

    /// Applies what of `chunk` is new to it, inside the caller's transaction. An event that can't be read stops it
    /// before that event.
    pub(super) fn apply(
        &mut self,
        connection: &Connection,
        names: &mut Names,
        chunk: &Facts,
    ) -> Result<(), ApplyError> {
        let here = self.next.position.or(self.at.position);
        if self.stopped.is_some() || self.next.stopped.is_some() || chunk.end <= here {
            return Ok(());
        }
        let seen = |fact: &Fact| Some(fact.position) <= here;
        let new = chunk.facts.get(chunk.facts.partition_point(seen)..);
        let (readable, stop) = self.readable(new.unwrap_or_default());
        self.projection.apply(connection, names, readable)?;
        self.next
            .take(readable, chunk.end.filter(|_| stop.is_none()));
        self.next.stopped = stop;
        Ok(())
    }

    /// The facts before the first that it needs and that can't be read, and why that can't.
    fn readable<'a>(&self, facts: &'a [Fact]) -> (&'a [Fact], Option<String>) {
        let needed = |fact: &Fact| self.blueprint.streams.contains(&fact.stream);
        for (index, fact) in facts.iter().enumerate() {
            if let Err(reason) = &fact.what
                && needed(fact)
            {
                let (readable, _) = facts.split_at(index);
                return (readable, Some(reason.clone()));
            }
        }
        (facts, None)
    }

    /// Writes what is in memory and where that brings it, inside the caller's transaction.
    pub(super) fn flush(
        &mut self,
        connection: &Connection,
        names: &mut Names,
    ) -> Result<(), ApplyError> {
        if self.stopped.is_some() {
            return Ok(());
        }
        self.projection.flush(connection, names)?;
        if self.shadow {
            return Ok(());
        }
        let stopped = self.next.stopped.as_deref();
        Ok(meta::put(connection, self.name(), &self.ahead(), stopped)?)
    }

    /// The checkpoint after the next commit.
    fn ahead(&self) -> Checkpoint {
        Checkpoint {
            position: self.next.position.or(self.at.position),
            newest: self.at.newest.max(self.next.newest),
            events: self.at.events + self.next.events,
            ..self.at.clone()
        }
    }

    /// What was flushed is committed.
    pub(super) fn committed(&mut self) {
        self.at = self.ahead();
        let step = std::mem::take(&mut self.next);
        if let Some(reason) = step.stopped {
            self.stop(reason);
        }
    }

    /// What was not committed is gone.
    pub(super) fn rolled_back(&mut self) {
        self.next = Step::default();
        self.projection.forget();
    }

    /// It can't go on.
    pub(super) fn stop(&mut self, reason: String) {
        tracing::error!(projection = %self.name(), reason, "a projection has stopped");
        self.stopped = Some(reason);
    }

    /// Makes its indices, if it has none yet, in a transaction of its own.
    pub(super) fn index(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        if self.at.indexed {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        tables::index(&transaction, self.blueprint, self.at.generation)?;
        self.at.indexed = true;
        let indexed = self.save(&transaction).and_then(|()| transaction.commit());
        self.at.indexed = indexed.is_ok();
        indexed
    }

    pub(super) fn progress(&self, live: bool) -> Progress {
        let state = match &self.stopped {
            Some(reason) => RunState::Stopped {
                reason: reason.clone(),
            },
            None if live => RunState::Live,
            None => RunState::CatchingUp,
        };
        Progress {
            name: self.name(),
            version: self.at.version,
            generation: self.at.generation,
            state,
            position: self.at.position,
            newest_event_at: self.at.newest,
            events: self.at.events,
            rebuilding: None,
        }
    }
}

impl Step {
    fn take(&mut self, facts: &[Fact], end: Option<Position>) {
        let last = facts.last().map(|fact| fact.position);
        self.position = end.or(last).or(self.position);
        self.events += facts.len() as u64;
        let times = facts.iter().filter_map(|fact| fact.what.as_ref().ok());
        self.newest = self.newest.max(times.map(|known| known.at).max());
    }
}
