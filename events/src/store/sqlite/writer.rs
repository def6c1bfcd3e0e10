//! The writer: one thread that owns the one connection that writes.
//!
//! Requests wait in a bounded queue. Whatever waits there when the writer is free becomes one group: one transaction,
//! one sync to disk, however many appends are in it. Each is judged on its own; answers go out after the commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::heads::Heads;
use super::lock::Lock;
use super::request::{Asked, Request};
use super::thread::Thread;
use crate::envelope::NewEvent;
use crate::store::{Appended, Expected, StoreError};
use crate::stream::StreamName;

/// How many requests wait at most; those beyond wait for their place.
const QUEUE: usize = 4096;

/// How many KiB of events wait at most.
const ROOM_KIB: usize = 64 * 1024;

/// The writer as everyone else sees it. Dropping it waits until what was queued is written and the file is let go.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Request>>,
    room: Arc<Semaphore>,
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
        let (queue, requests) = mpsc::channel(QUEUE);
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
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            thread: Some(thread),
            commits,
        })
    }

    pub(super) async fn append(
        &self,
        stream: StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
        size: usize,
    ) -> Result<Appended, StoreError> {
        // The limit on one append keeps this far below the room there is.
        let kib = u32::try_from(size / 1024 + 1).unwrap_or(u32::MAX);
        let room = self
            .room
            .clone()
            .acquire_many_owned(kib)
            .await
            .map_err(|_| stopped())?;
        self.ask(|asked| Request::Append {
            stream,
            expected,
            events,
            asked,
            _room: room,
        })
        .await
    }

    pub(super) async fn erase(&self, stream: StreamName) -> Result<(), StoreError> {
        self.ask(|asked| Request::Erase { stream, asked }).await
    }

    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        self.ask(|asked| Request::Probe { asked }).await
    }

    /// How many transactions were committed since the start.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    async fn ask<T>(&self, request: impl FnOnce(Asked<T>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue
            .send(request(Asked::new(reply)))
            .await
            .map_err(|_| stopped())?;
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::unknown("the writer stopped before it answered")))
    }
}

fn stopped() -> StoreError {
    StoreError::unavailable("the writer has stopped; restart the service")
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    /// A writer whose thread does what is asked of it here.
    fn writer(run: impl FnOnce(mpsc::Receiver<Request>) + Send + 'static) -> Writer {
        let (queue, requests) = mpsc::channel(1);
        Writer {
            queue: Some(queue),
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            thread: Some(std::thread::spawn(move || run(requests))),
            commits: Arc::default(),
        }
    }

    #[tokio::test]
    async fn a_writer_that_dies_over_a_request_leaves_it_unknown() {
        let writer = writer(|mut requests| {
            let _request = requests.blocking_recv();
            panic!("for the test");
        });
        let error = writer.probe().await.unwrap_err();
        assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_writer_that_is_dead_takes_no_request() {
        let mut writer = writer(drop);
        writer.thread.take().unwrap().join().unwrap();
        for _ in 0..3 {
            let error = writer.erase(StreamName::platform()).await.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
    }
}
