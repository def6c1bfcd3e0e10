//! Filling projections from the log's first event: each by a thread of its own, into a new file that nobody reads yet.
//!
//! Those that begin together share one feed. One that can't go on begins anew, with a feed of its own.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use carnet_events::store::EventStore;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::feed::{Chunk, Feed};
use super::folding::Folding;
use super::instance::Instance;
use super::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::database::meta::Checkpoint;
use crate::database::{Filling, Folder, Trouble};
use crate::projection::{ApplyError, Blueprint};
use crate::status::{Progress, Rebuilding, RunState};
use crate::{Error, Options, ProjectionName};

/// Chunks between two reports of how far a filler is.
const CHUNKS_A_REPORT: u32 = 32;

/// What is to be filled, and what that takes.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) blueprint: &'static Blueprint,
    pub(super) generation: u32,
    pub(super) log: Option<Uuid>,
    pub(super) options: Options,
    pub(super) folder: Arc<Folder>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) runtime: Handle,
    /// Becomes true, or loses its sender, when the filler is to end.
    pub(super) closing: watch::Receiver<bool>,
    pub(super) news: mpsc::Sender<(ProjectionName, News)>,
}

/// What a filler tells.
pub(super) enum News {
    /// How far it is.
    Progress(Rebuilding),
    /// What is in its way for now; it tries again by itself.
    Trouble(String),
    /// The new file is whole, and the projection in it where the present was. The last news.
    Done(Box<Instance>),
}

/// A thread that fills one projection.
pub(super) struct Filler {
    pub(super) name: ProjectionName,
    pub(super) at: Rebuilding,
    version: u32,
    generation: u32,
    thread: Option<JoinHandle<()>>,
}

/// Starts to fill projections, all from one feed.
///
/// # Errors
/// When no thread can be started.
pub(super) fn start(orders: Vec<Order>) -> std::io::Result<(Feed, Vec<Filler>)> {
    let Some(first) = orders.first() else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let store = Arc::clone(&first.store);
    let (feed, chunks) = Feed::start(store, None, first.runtime.clone(), orders.len())?;
    let fillers = orders.into_iter().zip(chunks).map(|(order, chunks)| {
        let (name, generation) = (order.blueprint.name, order.generation);
        let version = order.blueprint.version;
        let thread = std::thread::Builder::new()
            .name(format!("fill-{name}"))
            .spawn(move || order.run(chunks))?;
        Ok(Filler {
            name,
            at: Rebuilding::default(),
            version,
            generation,
            thread: Some(thread),
        })
    });
    let fillers = fillers.collect::<std::io::Result<Vec<_>>>()?;
    Ok((feed, fillers))
}

impl Filler {
    /// How the projection stands while there is no other.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            name: self.name,
            version: self.version,
            generation: self.generation,
            state: RunState::CatchingUp,
            // Readers see nothing of it yet.
            position: None,
            newest_event_at: None,
            events: self.at.events,
            rebuilding: None,
            rebuild_failed: None,
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // If it panicked, that was told.
            let _ = thread.join();
        }
    }
}

/// How an attempt at filling ended.
enum Ended {
    Done(Box<Instance>),
    /// The service is to end.
    Closing,
}

impl Order {
    fn run(self, mut chunks: mpsc::Receiver<Chunk>) {
        let mut pause = FIRST_PAUSE;
        // Of its own, once it has left the common one.
        let mut own: Option<Feed> = None;
        let filled = loop {
            match self.fill(&mut chunks) {
                Ok(Ended::Done(instance)) => break instance,
                Ok(Ended::Closing) => return,
                Err(error) => {
                    tracing::warn!(projection = %self.blueprint.name, %error, "a projection can't be filled for now");
                    self.tell(News::Trouble(error.to_string()));
                }
            }
            // What is left in the queue comes after what was taken back.
            chunks.close();
            drop(own.take());
            let Some((feed, anew)) = self.feed_anew(&mut pause) else {
                return;
            };
            (own, chunks) = (Some(feed), anew);
        };
        drop(own);
        // If nobody is there to take it, the service ends.
        let news = (self.blueprint.name, News::Done(filled));
        let _ = self.news.blocking_send(news);
    }

    /// A feed of its own from the log's beginning, after a pause; `None`: it is to end.
    fn feed_anew(&self, pause: &mut Duration) -> Option<(Feed, mpsc::Receiver<Chunk>)> {
        loop {
            if self.wait(*pause) {
                return None;
            }
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match Feed::start(Arc::clone(&self.store), None, self.runtime.clone(), 1) {
                Ok((feed, mut chunks)) => return Some((feed, chunks.pop()?)),
                Err(error) => {
                    tracing::error!(%error, "no thread can be started for the projections");
                }
            }
        }
    }

    /// Waits. `true`: it is to end.
    fn wait(&self, pause: Duration) -> bool {
        let mut closing = self.closing.clone();
        let waited = async {
            tokio::time::timeout(pause, closing.wait_for(|closing| *closing))
                .await
                .is_ok()
        };
        self.runtime.block_on(waited)
    }

    /// Says how it is, if anybody has time for it.
    fn tell(&self, news: News) {
        let _ = self.news.try_send((self.blueprint.name, news));
    }

    /// The next chunk; `None`: it is to end.
    fn next(&self, chunks: &mut mpsc::Receiver<Chunk>) -> Option<Chunk> {
        if let Ok(chunk) = chunks.try_recv() {
            return (!*self.closing.borrow()).then_some(chunk);
        }
        let mut closing = self.closing.clone();
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => None,
                chunk = chunks.recv() => chunk,
            }
        })
    }

    fn folding(&self) -> Folding {
        let at = Checkpoint {
            log: self.log,
            version: self.blueprint.version,
            position: None,
            newest: None,
            events: 0,
            stopped: None,
        };
        Folding::new(self.blueprint, at, &self.options)
    }

    /// Fills a new file up to the present, or up to the first event that stops the projection.
    fn fill(&self, chunks: &mut mpsc::Receiver<Chunk>) -> Result<Ended, Error> {
        let file = Filling::create(&self.folder, self.blueprint, self.generation)?;
        let mut folding = self.folding();
        let mut taken = 0;
        let filled = loop {
            let facts = match self.next(chunks) {
                None => {
                    file.discard();
                    return Ok(Ended::Closing);
                }
                Some(Chunk::Facts(facts)) => facts,
                Some(Chunk::Trouble(reason)) => {
                    self.tell(News::Trouble(reason.to_string()));
                    continue;
                }
            };
            if let Err(error) = folding.apply(&file.connection, &facts) {
                break Err(error);
            }
            if facts.caught_up || folding.stopped().is_some() {
                break folding.flush(&file.connection);
            }
            taken += 1;
            if taken % CHUNKS_A_REPORT == 0 {
                file.write_back();
                self.tell(News::Progress(folding.going_on()));
            }
        };
        let at = match filled {
            Ok(at) => at,
            Err(error) => return self.failed(file, error),
        };
        let file = file.finish(self.blueprint, &at)?;
        folding.committed(at);
        Ok(Ended::Done(Box::new(Instance::new(file, folding, false))))
    }

    /// Judges an error. What can't ever be applied leaves an empty projection, stopped at the log's beginning.
    fn failed(&self, file: Filling, error: ApplyError) -> Result<Ended, Error> {
        file.discard();
        let reason = match error {
            ApplyError::Sql(error) if Trouble::of(&error) != Trouble::Lasting => {
                return Err(error.into());
            }
            error => error.to_string(),
        };
        let mut folding = self.folding();
        folding.stop(reason);
        let file = Filling::create(&self.folder, self.blueprint, self.generation)?;
        let file = file.finish(self.blueprint, &folding.at)?;
        Ok(Ended::Done(Box::new(Instance::new(file, folding, false))))
    }
}
