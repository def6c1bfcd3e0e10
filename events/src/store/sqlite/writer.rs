//! The writer: one thread that owns the one connection that writes, behind the [`Queue`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::watch;

use super::heads::Heads;
use super::lock::Lock;
use super::thread::Thread;
use crate::store::StoreError;
use crate::store::queue::Queue;

/// The writer as everyone else sees it. Dropping it waits until what was queued is written and the file is let go.
#[derive(Debug)]
pub(super) struct Writer {
    /// There until it is dropped.
    queue: Option<Queue>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread. `last` is the last position given out so far, and from then on the last one committed.
    pub(super) fn start(
        path: &Path,
        conn: Connection,
        lock: Lock,
        heads: Arc<Heads>,
        last: watch::Sender<i64>,
    ) -> Result<Self, StoreError> {
        let (queue, requests) = Queue::new();
        let commits = Arc::new(AtomicU64::new(0));
        let thread = Thread::new(path, conn, lock, heads, last, commits.clone());
        let thread = std::thread::Builder::new()
            .name("events-writer".into())
            .spawn(move || thread.run(requests))
            .map_err(|error| {
                StoreError::unavailable(format!("the writer can't be started: {error}"))
            })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            commits,
        })
    }

    /// Where to ask it.
    pub(super) fn queue(&self) -> Result<&Queue, StoreError> {
        let stopped = || StoreError::unavailable("the event store is closed");
        self.queue.as_ref().ok_or_else(stopped)
    }

    /// How many transactions were committed since the start.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the event store's writer had panicked");
        }
    }
}
