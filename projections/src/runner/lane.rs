//! A lane: projections that are fed together.
//!
//! The live lane follows the present. A second one brings up those that are behind it (after a change of their version,
//! or while they are rebuilt) and then joins them to the live lane, which does not wait for it.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::envelope::Position;
use carnet_events::store::EventStore;
use rusqlite::Connection;
use tokio::runtime::Handle;

use super::feed::{Chunk, Facts, Feed};
use super::instance::Instance;
use crate::database::Trouble;
use crate::database::names::Names;
use crate::projection::ApplyError;

/// How long a transaction of history is held open for more of it. It is in nobody's way: readers don't wait for writers, and
/// the other lane's work ends it. A commit before its time means that rows are written which are about to change.
const PATIENCE: Duration = Duration::from_secs(1);

/// Projections that are fed together.
pub(super) struct Lane {
    pub(super) instances: Vec<Instance>,
    /// The present was reached once.
    pub(super) caught_up: bool,
    feed: Feed,
    store: Arc<dyn EventStore>,
    runtime: Handle,
    /// Events applied in the transaction that is open; `None`: none is.
    open: Option<usize>,
}

impl Lane {
    /// A lane that reads on after the hindmost of `instances`.
    pub(super) fn start(
        instances: Vec<Instance>,
        store: &Arc<dyn EventStore>,
        runtime: &Handle,
    ) -> std::io::Result<Self> {
        let feed = Feed::start(Arc::clone(store), hindmost(&instances), runtime.clone())?;
        Ok(Self {
            instances,
            caught_up: false,
            feed,
            store: Arc::clone(store),
            runtime: runtime.clone(),
            open: None,
        })
    }

    /// The next chunk; `None` when there was none for a while and a transaction waits for being committed.
    pub(super) async fn next(&mut self) -> Option<Chunk> {
        if self.open.is_none() {
            return Some(self.feed.next().await);
        }
        let next = tokio::time::timeout(PATIENCE, self.feed.next());
        next.await.ok()
    }

    /// A chunk that is there already.
    pub(super) fn ready(&mut self) -> Option<Chunk> {
        self.feed.ready()
    }

    /// Applies a chunk to every projection, in the transaction that is open, else in a new one. Does not commit.
    pub(super) fn apply(
        &mut self,
        connection: &mut Connection,
        names: &mut Names,
        chunk: &Facts,
    ) -> rusqlite::Result<()> {
        self.guarded(connection, names, |lane, connection, names| {
            if lane.open.is_none() && chunk.end.is_some() {
                connection.execute_batch("BEGIN IMMEDIATE")?;
                lane.open = Some(0);
            }
            for index in 0..lane.instances.len() {
                lane.each(index, |one| one.apply(connection, names, chunk))?;
            }
            lane.open = lane.open.map(|events| events + chunk.facts.len());
            Ok(())
        })
    }

    /// Commits what was applied, together with the checkpoints.
    pub(super) fn commit(
        &mut self,
        connection: &mut Connection,
        names: &mut Names,
    ) -> rusqlite::Result<()> {
        if self.open.is_none() {
            return Ok(());
        }
        self.guarded(connection, names, |lane, connection, names| {
            for index in 0..lane.instances.len() {
                lane.each(index, |one| one.flush(connection, names))?;
            }
            connection.execute_batch("COMMIT")?;
            lane.open = None;
            lane.instances.iter_mut().for_each(Instance::committed);
            Ok(())
        })
    }

    /// The present is reached: what is still missing for it is made. Nothing may be uncommitted.
    pub(super) fn catch_up(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        for instance in &mut self.instances {
            instance.index(connection)?;
        }
        self.caught_up = true;
        Ok(())
    }

    /// Whether something is not committed yet.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Events that are not committed yet.
    pub(super) fn uncommitted(&self) -> usize {
        self.open.unwrap_or(0)
    }

    /// How far the furthest is.
    pub(super) fn position(&self) -> Option<Position> {
        let positions = self.instances.iter().map(|instance| instance.at.position);
        positions.max().flatten()
    }

    /// Does something with one instance.
    fn each(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Instance) -> Result<(), ApplyError>,
    ) -> Result<(), Failure> {
        let Some(instance) = self.instances.get_mut(index) else {
            return Ok(());
        };
        work(instance).map_err(|error| match error {
            ApplyError::Sql(error) if Trouble::of(&error) != Trouble::Lasting => {
                Failure::Sql(error)
            }
            error => Failure::Projection(index, error.to_string()),
        })
    }

    /// Does `work`, or else takes back all that is not committed and begins again at the checkpoints: without the one
    /// projection that can't go on, if that is why.
    fn guarded(
        &mut self,
        connection: &mut Connection,
        names: &mut Names,
        work: impl FnOnce(&mut Self, &mut Connection, &mut Names) -> Result<(), Failure>,
    ) -> rusqlite::Result<()> {
        let Err(failure) = work(self, connection, names) else {
            return Ok(());
        };
        names.forget();
        self.instances.iter_mut().for_each(Instance::rolled_back);
        let rolled_back = match self.open.take() {
            Some(_) if !connection.is_autocommit() => connection.execute_batch("ROLLBACK"),
            _ => Ok(()),
        };
        let stopped = match failure {
            Failure::Projection(index, reason) => {
                if let Some(instance) = self.instances.get_mut(index) {
                    instance.stop(reason);
                    rolled_back.and_then(|()| instance.save(connection))
                } else {
                    rolled_back
                }
            }
            Failure::Sql(error) => Err(error),
        };
        let after = hindmost(&self.instances);
        match Feed::start(Arc::clone(&self.store), after, self.runtime.clone()) {
            Ok(feed) => self.feed = feed,
            Err(error) => tracing::error!(%error, "no thread can be started for the projections"),
        }
        stopped
    }
}

/// Why a lane's work was taken back.
enum Failure {
    /// The file's fault.
    Sql(rusqlite::Error),
    /// The fault of the projection at an index.
    Projection(usize, String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Where to read on so that no projection misses anything.
fn hindmost(instances: &[Instance]) -> Option<Position> {
    let running = instances.iter().filter(|one| one.stopped.is_none());
    running.map(|one| one.at.position).min().flatten()
}
