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
use tokio::sync::mpsc;

use super::feed::{self, Chunk, Facts};
use super::instance::Instance;
use crate::database::names::Names;

/// Size of a batch, in bytes of the log, at which it is full.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// How long a batch of history waits for more.
const GATHERING: Duration = Duration::from_millis(20);

/// Projections that are fed together.
pub(super) struct Lane {
    pub(super) instances: Vec<Instance>,
    /// The present was reached once.
    pub(super) caught_up: bool,
    chunks: mpsc::Receiver<Chunk>,
}

impl Lane {
    /// A lane that reads on after the hindmost of `instances`.
    pub(super) fn start(
        instances: Vec<Instance>,
        store: &Arc<dyn EventStore>,
        runtime: &Handle,
    ) -> std::io::Result<Self> {
        let running = instances
            .iter()
            .filter(|instance| instance.stopped.is_none());
        let after = running.map(|instance| instance.at.position).min().flatten();
        let chunks = feed::start(Arc::clone(store), after, runtime.clone())?;
        Ok(Self {
            instances,
            caught_up: false,
            chunks,
        })
    }

    /// The next chunk; never, once the feed has ended.
    pub(super) async fn next(&mut self) -> Chunk {
        match self.chunks.recv().await {
            Some(chunk) => chunk,
            None => std::future::pending().await,
        }
    }

    /// `first` and what else is there, up to a full batch. History is waited for a moment, for large batches are what
    /// makes it fast; of the present, a single event is a batch.
    pub(super) async fn gather(&mut self, first: Facts, full: usize) -> (Facts, Option<Chunk>) {
        let mut batch = first;
        while batch.facts.len() < full && batch.bytes < BATCH_BYTES {
            let chunk = if self.caught_up || batch.caught_up {
                self.chunks.try_recv().ok()
            } else {
                let next = tokio::time::timeout(GATHERING, self.chunks.recv());
                next.await.ok().flatten()
            };
            match chunk {
                Some(Chunk::Facts(more)) => batch.take(more),
                other => return (batch, other),
            }
        }
        (batch, None)
    }

    /// Applies a batch to every projection and writes down their checkpoints, in one transaction.
    pub(super) fn apply(
        &mut self,
        connection: &mut Connection,
        names: &mut Names,
        batch: &Facts,
    ) -> rusqlite::Result<()> {
        if batch.end.is_some() {
            let applied = self.try_apply(connection, names, batch);
            if applied.is_err() {
                names.forget();
                self.instances.iter_mut().for_each(Instance::forget);
            }
            applied?;
        }
        if batch.caught_up {
            for instance in &mut self.instances {
                instance.index(connection)?;
            }
            self.caught_up = true;
        }
        Ok(())
    }

    fn try_apply(
        &mut self,
        connection: &mut Connection,
        names: &mut Names,
        batch: &Facts,
    ) -> rusqlite::Result<()> {
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut steps = Vec::with_capacity(self.instances.len());
        for instance in &mut self.instances {
            steps.push(instance.apply(&transaction, names, batch)?);
        }
        transaction.commit()?;
        for (instance, step) in self.instances.iter_mut().zip(steps) {
            instance.commit(step);
        }
        Ok(())
    }

    /// How far the furthest is.
    pub(super) fn position(&self) -> Option<Position> {
        let positions = self.instances.iter().map(|instance| instance.at.position);
        positions.max().flatten()
    }
}
