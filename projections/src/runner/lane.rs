//! The lane: the projections that follow the present together, on the runner's thread.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::envelope::Position;
use carnet_events::store::EventStore;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::feed::{self, Chunk, Facts, Feed};
use super::instance::Instance;
use crate::ProjectionName;

/// How long a transaction of history is held open for more of it. It is in nobody's way: readers don't wait for writers. A
/// commit before its time means that rows are written which are about to change.
const PATIENCE: Duration = Duration::from_secs(1);

/// A file that is in the way, and why.
pub(super) type Hindrance = (ProjectionName, rusqlite::Error);

/// Projections that follow the present together.
pub(super) struct Lane {
    pub(super) instances: Vec<Instance>,
    /// The present was reached once.
    pub(super) caught_up: bool,
    feed: Option<(Feed, mpsc::Receiver<Chunk>)>,
    /// Everything up to here came from the feed.
    fed: Option<Position>,
    store: Arc<dyn EventStore>,
    runtime: Handle,
}

impl Lane {
    /// A lane in which nothing runs yet.
    pub(super) fn new(store: Arc<dyn EventStore>, runtime: Handle) -> Self {
        Self {
            instances: Vec::new(),
            caught_up: false,
            feed: None,
            fed: None,
            store,
            runtime,
        }
    }

    /// Lets an instance run with the others, from where it is.
    pub(super) fn join(&mut self, instance: Instance) {
        let fits = self.feed.is_some() && instance.runs_at().is_none_or(|at| at == self.fed);
        self.instances.push(instance);
        if !fits {
            self.feed_anew();
        }
    }

    /// Takes out the instances that `which` names.
    pub(super) fn take(&mut self, which: impl Fn(&Instance) -> bool) -> Vec<Instance> {
        self.instances.extract_if(.., |one| which(one)).collect()
    }

    /// Begins to read anew where the hindmost instance is; the others skip what they have.
    pub(super) fn feed_anew(&mut self) {
        let hindmost = self.instances.iter().filter_map(Instance::runs_at).min();
        self.feed = None;
        self.fed = hindmost.flatten();
        if hindmost.is_none() {
            return;
        }
        match Feed::start(Arc::clone(&self.store), self.fed, self.runtime.clone(), 1) {
            Ok((feed, mut chunks)) => self.feed = chunks.pop().map(|chunks| (feed, chunks)),
            Err(error) => {
                tracing::error!(%error, "no thread can be started for the projections");
            }
        }
    }

    /// The next chunk; `None` when there was none for a while and a transaction waits for being committed.
    pub(super) async fn next(&mut self) -> Option<Chunk> {
        let uncommitted = self.uncommitted().is_some();
        let Some((_, chunks)) = &mut self.feed else {
            return std::future::pending().await;
        };
        if !uncommitted {
            return Some(feed::next(chunks).await);
        }
        let next = tokio::time::timeout(PATIENCE, feed::next(chunks));
        next.await.ok()
    }

    /// A chunk that is there already.
    pub(super) fn ready(&mut self) -> Option<Chunk> {
        let (_, chunks) = self.feed.as_mut()?;
        chunks.try_recv().ok()
    }

    /// Applies a chunk to every projection. Does not commit.
    pub(super) fn apply(&mut self, chunk: &Facts) -> Vec<Hindrance> {
        self.fed = chunk.end.or(self.fed);
        self.each(|instance| instance.apply(chunk))
    }

    /// Commits what was applied, each projection together with its checkpoint.
    pub(super) fn commit(&mut self) -> Vec<Hindrance> {
        self.each(Instance::commit)
    }

    /// The present is reached.
    pub(super) fn catch_up(&mut self) -> Vec<Hindrance> {
        let mut hindrances = self.commit();
        self.caught_up = true;
        hindrances.extend(self.each(|instance| instance.fit_cache(true)));
        hindrances
    }

    /// Events that are not committed yet; `None`: there is no transaction.
    pub(super) fn uncommitted(&self) -> Option<usize> {
        self.instances
            .iter()
            .filter_map(Instance::uncommitted)
            .max()
    }

    fn each(
        &mut self,
        mut work: impl FnMut(&mut Instance) -> rusqlite::Result<()>,
    ) -> Vec<Hindrance> {
        let failed = |instance: &mut Instance| {
            let error = work(instance).err()?;
            Some((instance.name(), error))
        };
        self.instances.iter_mut().filter_map(failed).collect()
    }
}
