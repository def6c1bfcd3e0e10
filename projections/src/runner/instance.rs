//! A projection in one generation, and how far it is.

use carnet_events::envelope::Position;
use carnet_events::ids::Timestamp;
use rusqlite::Connection;

use super::feed::Facts;
use crate::database::meta::{self, Checkpoint};
use crate::database::names::Names;
use crate::database::{Trouble, tables};
use crate::fact::Fact;
use crate::projection::{ApplyError, Blueprint, Projection};
use crate::status::{Progress, RunState};
use crate::{Options, ProjectionName};

/// A projection in one generation, and how far it is.
pub(super) struct Instance {
    pub(super) blueprint: &'static Blueprint,
    pub(super) at: Checkpoint,
    pub(super) stopped: Option<String>,
    /// A shadow is filled beside the tables in use; its checkpoint is not written down.
    pub(super) shadow: bool,
    projection: Box<dyn Projection>,
}

/// Where an instance is after a batch, once that is committed.
pub(super) struct Step {
    at: Checkpoint,
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
        meta::put(connection, self.name(), &self.at, self.stopped.as_deref())
    }

    /// Applies what of `batch` is new to it and its checkpoint, inside the caller's transaction.
    ///
    /// # Errors
    /// Only such as concern the file; an event it can't be brought past stops the projection and is no error.
    pub(super) fn apply(
        &mut self,
        connection: &Connection,
        names: &mut Names,
        batch: &Facts,
    ) -> rusqlite::Result<Step> {
        let mut step = Step {
            at: self.at.clone(),
            stopped: self.stopped.clone(),
        };
        if self.stopped.is_some() || batch.end <= self.at.position {
            return Ok(step);
        }
        let seen = |fact: &Fact| Some(fact.position) <= self.at.position;
        let new = batch.facts.get(batch.facts.partition_point(seen)..);
        let (readable, stop) = self.readable(new.unwrap_or_default());
        connection.execute_batch("SAVEPOINT apply")?;
        match self.projection.apply(connection, names, readable) {
            Ok(()) => {
                connection.execute_batch("RELEASE apply")?;
                step.advance(readable, batch.end.filter(|_| stop.is_none()));
                step.stopped = stop;
            }
            Err(ApplyError::Sql(error)) if Trouble::of(&error) != Trouble::Lasting => {
                return Err(error);
            }
            Err(error) => {
                connection.execute_batch("ROLLBACK TO apply; RELEASE apply")?;
                self.projection.forget();
                names.forget();
                step.stopped = Some(error.to_string());
            }
        }
        if !self.shadow {
            meta::put(connection, self.name(), &step.at, step.stopped.as_deref())?;
        }
        Ok(step)
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

    /// Takes a committed step.
    pub(super) fn commit(&mut self, step: Step) {
        if let Some(reason) = &step.stopped
            && self.stopped.is_none()
        {
            tracing::error!(projection = %self.name(), reason, "a projection has stopped");
        }
        self.at = step.at;
        self.stopped = step.stopped;
    }

    /// Its tables are not what it remembers.
    pub(super) fn forget(&mut self) {
        self.projection.forget();
    }

    /// Makes its indices, if it has none yet, in a transaction of its own.
    pub(super) fn index(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        if self.at.indexed {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        tables::index(&transaction, self.blueprint, self.at.generation)?;
        let indexed = Checkpoint {
            indexed: true,
            ..self.at.clone()
        };
        if !self.shadow {
            meta::put(&transaction, self.name(), &indexed, self.stopped.as_deref())?;
        }
        transaction.commit()?;
        self.at = indexed;
        Ok(())
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
    fn advance(&mut self, facts: &[Fact], end: Option<Position>) {
        let last = facts.last().map(|fact| fact.position);
        self.at.position = end.or(last).or(self.at.position);
        self.at.events += facts.len() as u64;
        let newest: Option<Timestamp> = facts
            .iter()
            .filter_map(|fact| fact.what.as_ref().ok())
            .map(|known| known.at)
            .max();
        self.at.newest = self.at.newest.max(newest);
    }
}
