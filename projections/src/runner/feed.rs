//! The feed: a thread that follows the event store, decodes, and hands over chunks of facts, to one reader or to several.
//!
//! Decoding costs about as much as writing, so it has a thread of its own; the queues between it and its readers are bounded
//! in events and bytes. Readers of one feed share its chunks: the slowest of them sets the pace.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use carnet_events::envelope::Position;
use carnet_events::ids::Timestamp;
use carnet_events::store::{Delivery, EventStore, StoreError};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::fact::{self, Fact, Ids};

/// The most events of a chunk.
const CHUNK_EVENTS: usize = 1024;
/// Size of a chunk, in bytes of the log, at which it is full.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Chunks decoded ahead: enough that the others have something to do while one reader writes down what it gathered.
const CHUNKS: usize = 16;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the feed hands over.
#[derive(Clone)]
pub(super) enum Chunk {
    /// Facts, up to their `end`.
    Facts(Arc<Facts>),
    /// The store can't be followed for now, and why; the feed tries again by itself.
    Trouble(Arc<str>),
}

/// Facts in the log's order.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) facts: Vec<Fact>,
    /// Everything up to here that any projection wants is in this chunk or in those before.
    pub(super) end: Option<Position>,
    /// The present was reached.
    pub(super) caught_up: bool,
    /// When the newest of them was recorded.
    pub(super) newest: Option<Timestamp>,
    /// Which of them can't be read. Every projection looks for these first.
    pub(super) unreadable: Vec<usize>,
    /// Sum of the facts' sizes.
    bytes: usize,
}

impl Facts {
    fn push(&mut self, delivery: Delivery, ids: &mut Ids) {
        match delivery {
            Delivery::Event(recorded) => {
                self.end = Some(recorded.position);
                self.bytes += recorded.data.len() + recorded.metadata.len();
                let fact = fact::read(&recorded, ids);
                match &fact.what {
                    Ok(known) => self.newest = self.newest.max(Some(known.at)),
                    Err(_) => self.unreadable.push(self.facts.len()),
                }
                self.facts.push(fact);
            }
            Delivery::Checkpoint(position) => self.end = Some(position),
            Delivery::CaughtUp => self.caught_up = true,
        }
    }

    fn is_full(&self) -> bool {
        self.facts.len() >= CHUNK_EVENTS || self.bytes >= CHUNK_BYTES
    }
}

/// Chunks handed over and not dropped yet. They are dropped here, when all readers are done with them: memory that another
/// thread gives back is fought over with the one that takes it.
#[derive(Default)]
struct Lent(VecDeque<Arc<Facts>>);

impl Lent {
    /// Hands a chunk over.
    fn lend(&mut self, facts: Facts) -> Chunk {
        let facts = Arc::new(facts);
        self.0.push_back(Arc::clone(&facts));
        Chunk::Facts(facts)
    }

    /// An empty chunk: one that came back, else a new one.
    fn empty(&mut self) -> Facts {
        let mut back = None;
        while let Some(facts) = self.0.front_mut().and_then(Arc::get_mut) {
            let mut list = std::mem::take(&mut facts.facts);
            list.clear();
            back = Some(list);
            self.0.pop_front();
        }
        Facts {
            facts: back.unwrap_or_default(),
            ..Facts::default()
        }
    }
}

/// The thread. Dropping it ends the thread.
pub(super) struct Feed {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Starts to follow `store` after a position, for so many readers.
    pub(super) fn start(
        store: Arc<dyn EventStore>,
        after: Option<Position>,
        runtime: Handle,
        readers: usize,
    ) -> std::io::Result<(Self, Vec<mpsc::Receiver<Chunk>>)> {
        let (senders, receivers) = (0..readers).map(|_| mpsc::channel(CHUNKS)).unzip();
        let (stop, stopped) = watch::channel(false);
        let out = Out { senders, stopped };
        let thread = std::thread::Builder::new()
            .name("projections-feed".to_owned())
            .spawn(move || {
                // Whether it was stopped or has no reader left: it is over.
                let _ = runtime.block_on(follow(store, after, out));
            })?;
        let feed = Self {
            stop,
            thread: Some(thread),
        };
        Ok((feed, receivers))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It ends at its next wait, and waits for nothing but the store. If it panicked, that was told.
            let _ = thread.join();
        }
    }
}

/// The next chunk; never, once the feed has ended.
pub(super) async fn next(chunks: &mut mpsc::Receiver<Chunk>) -> Chunk {
    match chunks.recv().await {
        Some(chunk) => chunk,
        None => std::future::pending().await,
    }
}

/// Where the chunks go.
struct Out {
    senders: Vec<mpsc::Sender<Chunk>>,
    stopped: watch::Receiver<bool>,
}

/// The feed is stopped, or nobody reads it any more.
struct Over;

impl Out {
    /// What `work` gives, unless the feed is over before. The end is looked at first: after it the runtime may be gone, and
    /// its timers must not be touched.
    async fn unless_over<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Over> {
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => Err(Over),
            done = work => Ok(done),
        }
    }

    /// Hands a chunk to every reader.
    async fn send(&mut self, chunk: Chunk) -> Result<(), Over> {
        let mut senders = std::mem::take(&mut self.senders);
        let sent = async {
            let mut left = Vec::with_capacity(senders.len());
            for sender in senders.drain(..) {
                if sender.send(chunk.clone()).await.is_ok() {
                    left.push(sender);
                }
            }
            left
        };
        self.senders = self.unless_over(sent).await?;
        match self.senders.is_empty() {
            true => Err(Over),
            false => Ok(()),
        }
    }
}

async fn follow(
    store: Arc<dyn EventStore>,
    mut after: Option<Position>,
    mut out: Out,
) -> Result<(), Over> {
    let mut pause = FIRST_PAUSE;
    let (mut ids, mut lent) = (Ids::default(), Lent::default());
    loop {
        let mut deliveries = store.subscribe(after, fact::filter());
        let error = loop {
            let next = out.unless_over(deliveries.next()).await?;
            let mut chunk = lent.empty();
            let mut error = None;
            match next {
                Some(Ok(delivery)) => chunk.push(delivery, &mut ids),
                Some(Err(failed)) => break Some(failed),
                None => break None,
            }
            // What is ready without waiting comes along.
            while !chunk.is_full() {
                match futures::poll!(deliveries.next()) {
                    std::task::Poll::Ready(Some(Ok(delivery))) => chunk.push(delivery, &mut ids),
                    std::task::Poll::Ready(Some(Err(failed))) => {
                        error = Some(failed);
                        break;
                    }
                    std::task::Poll::Ready(None) | std::task::Poll::Pending => break,
                }
            }
            after = chunk.end.or(after);
            pause = FIRST_PAUSE;
            out.send(lent.lend(chunk)).await?;
            if error.is_some() {
                break error;
            }
        };
        let error = error.unwrap_or_else(|| StoreError::Unavailable {
            reason: "the subscription ended".to_owned(),
        });
        out.send(Chunk::Trouble(error.to_string().into())).await?;
        out.unless_over(tokio::time::sleep(pause)).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_taken_back_when_its_last_reader_is_done_with_it() {
        let mut lent = Lent::default();
        let facts = Facts {
            facts: Vec::with_capacity(CHUNK_EVENTS),
            ..Facts::default()
        };
        let first = lent.lend(facts);
        let second = first.clone();
        drop(first);
        assert_eq!(lent.empty().facts.capacity(), 0, "one reader has it still");
        drop(second);
        assert_eq!(lent.empty().facts.capacity(), CHUNK_EVENTS);
        assert!(lent.0.is_empty());
    }
}
