//! The feed: a thread that follows the event store, decodes, and hands over chunks of facts.
//!
//! Decoding costs about as much as writing, so it has a thread of its own; the queue between the two is bounded in
//! events and bytes.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use carnet_events::envelope::Position;
use carnet_events::store::{Delivery, EventStore, StoreError};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::fact::{self, Fact};

/// The most events of a chunk.
const CHUNK_EVENTS: usize = 1024;
/// Size of a chunk, in bytes of the log, at which it is full.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Chunks decoded ahead.
const CHUNKS: usize = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the feed hands over.
pub(super) enum Chunk {
    /// Facts, up to `end`.
    Facts(Facts),
    /// The store can't be followed for now; the feed tries again by itself.
    Trouble(StoreError),
}

/// Facts in the log's order.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) facts: Vec<Fact>,
    /// Everything up to here that any projection wants is in this chunk or in those before.
    pub(super) end: Option<Position>,
    /// The present was reached.
    pub(super) caught_up: bool,
    /// Sum of the facts' sizes.
    bytes: usize,
}

impl Facts {
    fn push(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Event(recorded) => {
                self.end = Some(recorded.position);
                self.bytes += recorded.data.len() + recorded.metadata.len();
                self.facts.push(fact::read(&recorded));
            }
            Delivery::Checkpoint(position) => self.end = Some(position),
            Delivery::CaughtUp => self.caught_up = true,
        }
    }

    fn is_full(&self) -> bool {
        self.facts.len() >= CHUNK_EVENTS || self.bytes >= CHUNK_BYTES
    }
}

/// The thread, and the queue it fills. Dropping it ends the thread.
pub(super) struct Feed {
    chunks: mpsc::Receiver<Chunk>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Starts to follow `store` after a position.
    pub(super) fn start(
        store: Arc<dyn EventStore>,
        after: Option<Position>,
        runtime: Handle,
    ) -> std::io::Result<Self> {
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let thread = std::thread::Builder::new()
            .name("projections-feed".to_owned())
            .spawn(move || runtime.block_on(follow(store, after, sender)))?;
        Ok(Self {
            chunks,
            thread: Some(thread),
        })
    }

    /// The next chunk; never, once the thread has ended.
    pub(super) async fn next(&mut self) -> Chunk {
        match self.chunks.recv().await {
            Some(chunk) => chunk,
            None => std::future::pending().await,
        }
    }

    /// A chunk that is there already.
    pub(super) fn ready(&mut self) -> Option<Chunk> {
        self.chunks.try_recv().ok()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.chunks.close();
        while self.chunks.try_recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            // It ends at its next wait, and waits for nothing but the store. If it panicked, that was told.
            let _ = thread.join();
        }
    }
}

async fn follow(
    store: Arc<dyn EventStore>,
    mut after: Option<Position>,
    chunks: mpsc::Sender<Chunk>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut deliveries = store.subscribe(after, fact::filter());
        let error = loop {
            // The end is looked at first: after it the runtime may be gone, and its timers must not be touched.
            let next = tokio::select! {
                biased;
                () = chunks.closed() => return,
                next = deliveries.next() => next,
            };
            let mut chunk = Facts::default();
            let mut error = None;
            match next {
                Some(Ok(delivery)) => chunk.push(delivery),
                Some(Err(failed)) => break Some(failed),
                None => break None,
            }
            // What is ready without waiting comes along.
            while !chunk.is_full() {
                match futures::poll!(deliveries.next()) {
                    std::task::Poll::Ready(Some(Ok(delivery))) => chunk.push(delivery),
                    std::task::Poll::Ready(Some(Err(failed))) => {
                        error = Some(failed);
                        break;
                    }
                    std::task::Poll::Ready(None) | std::task::Poll::Pending => break,
                }
            }
            after = chunk.end.or(after);
            pause = FIRST_PAUSE;
            if chunks.send(Chunk::Facts(chunk)).await.is_err() {
                return;
            }
            if error.is_some() {
                break error;
            }
        };
        let error = error.unwrap_or_else(|| StoreError::Unavailable {
            reason: "the subscription ended".to_owned(),
        });
        if chunks.send(Chunk::Trouble(error)).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = chunks.closed() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
