//! A projection in its file.

use carnet_events::envelope::Position;

use super::feed::Facts;
use super::folding::Folding;
use crate::ProjectionName;
use crate::database::meta::{self, Checkpoint};
use crate::database::{File, Pages, Trouble};
use crate::projection::ApplyError;
use crate::status::{Progress, RunState};

/// A projection in its file, kept up to date there in transactions.
pub(super) struct Instance {
    pub(super) file: File,
    pub(super) folding: Folding,
    /// Whether it is what readers see. One that was filled beside another is not, until it has come as far.
    pub(super) shown: bool,
    /// Why it could not be filled anew the last time.
    pub(super) rebuild_failed: Option<String>,
    /// Events applied in the transaction that is open; `None`: none is.
    open: Option<usize>,
}

impl Instance {
    pub(super) fn new(file: File, folding: Folding, shown: bool) -> Self {
        Self {
            file,
            folding,
            shown,
            rebuild_failed: None,
            open: None,
        }
    }

    pub(super) fn name(&self) -> ProjectionName {
        self.folding.blueprint.name
    }

    /// Where it is, as committed.
    pub(super) fn at(&self) -> &Checkpoint {
        &self.folding.at
    }

    /// How far it is, committed or not; `None` also when it goes no further.
    pub(super) fn runs_at(&self) -> Option<Option<Position>> {
        let runs = self.folding.stopped().is_none();
        runs.then(|| self.folding.position())
    }

    /// Events that are not committed yet.
    pub(super) fn uncommitted(&self) -> Option<usize> {
        self.open
    }

    /// Applies a chunk, in the transaction that is open, else in a new one. Does not commit.
    ///
    /// # Errors
    /// When the file is in the way. What was not committed is then taken back, and what comes next must begin at
    /// the checkpoint. A projection that is itself in the way stops.
    pub(super) fn apply(&mut self, chunk: &Facts) -> rusqlite::Result<()> {
        if !self.folding.wants(chunk) {
            return Ok(());
        }
        let applied = self.begin().and_then(|events| {
            self.folding.apply(&self.file.connection, chunk)?;
            self.open = Some(events + chunk.facts.len());
            Ok(())
        });
        applied.or_else(|error| self.take_back(error))
    }

    fn begin(&mut self) -> Result<usize, ApplyError> {
        if let Some(events) = self.open {
            return Ok(events);
        }
        self.file.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.open = Some(0);
        Ok(0)
    }

    /// Commits what was applied, together with the checkpoint.
    ///
    /// # Errors
    /// As with [`Self::apply`].
    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        if self.open.is_none() {
            return Ok(());
        }
        let connection = &self.file.connection;
        let flushed = self.folding.flush(connection).and_then(|at| {
            meta::put(connection, &at)?;
            connection.execute_batch("COMMIT")?;
            Ok(at)
        });
        match flushed {
            Ok(at) => {
                self.open = None;
                self.folding.committed(at);
                Ok(())
            }
            Err(error) => self.take_back(error),
        }
    }

    /// Takes back what is not committed.
    fn take_back(&mut self, error: ApplyError) -> rusqlite::Result<()> {
        self.folding.rolled_back();
        let connection = &self.file.connection;
        let rolled_back = match self.open.take() {
            Some(_) if !connection.is_autocommit() => connection.execute_batch("ROLLBACK"),
            _ => Ok(()),
        };
        match error {
            ApplyError::Sql(error) if Trouble::of(&error) != Trouble::Lasting => Err(error),
            error => {
                self.folding.stop(error.to_string());
                rolled_back?;
                meta::put(connection, self.at())
            }
        }
    }

    /// Notes why it could not be filled anew, for those who look now or after a restart.
    pub(super) fn not_rebuilt(&mut self, why: &str) {
        if let Err(error) = meta::put_rebuild_failed(&self.file.connection, why) {
            tracing::warn!(projection = %self.name(), %error, "why it was not rebuilt is told until the next start only");
        }
        self.rebuild_failed = Some(why.to_owned());
    }

    /// Fits what its file keeps in memory to what it is at.
    pub(super) fn fit_cache(&self, current: bool) -> rusqlite::Result<()> {
        self.file.keep_in_memory(match current {
            true => Pages::OfThePresent,
            false => Pages::OfHistory,
        })
    }

    pub(super) fn progress(&self, live: bool) -> Progress {
        let at = self.at();
        let state = match &at.stopped {
            Some(reason) => RunState::Stopped {
                reason: reason.clone(),
            },
            None if live => RunState::Live,
            None => RunState::CatchingUp,
        };
        Progress {
            name: self.name(),
            version: at.version,
            generation: self.file.generation,
            state,
            position: at.position,
            newest_event_at: at.newest,
            events: at.events,
            rebuilding: None,
            rebuild_failed: self.rebuild_failed.clone(),
        }
    }
}
