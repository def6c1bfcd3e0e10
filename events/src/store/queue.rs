//! The queue before a writer, shared by the backends that commit in groups: what it is asked, and where answers go.
//!
//! Requests wait in a bounded queue. Whatever waits there when the writer is free becomes one group: one transaction,
//! one sync to disk, however many appends are in it. Each is judged on its own; answers go out after the commit.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::import::Run;
use super::{Appended, Expected, StoreError};
use crate::envelope::NewEvent;
use crate::stream::StreamName;

/// How many requests wait at most; those beyond wait for their place.
const REQUESTS: usize = 4096;

/// How many KiB of events wait at most.
const ROOM_KIB: usize = 64 * 1024;

/// How many requests one group takes at most.
pub(crate) const GROUP: usize = 1024;

/// Where an answer goes, and the answer while its commit is not made yet.
#[derive(Debug)]
pub(crate) struct Asked<T> {
    /// There until it is answered.
    reply: Option<oneshot::Sender<Result<T, StoreError>>>,
    answer: Option<Result<T, StoreError>>,
}

impl<T> Asked<T> {
    /// Keeps the answer until it is known whether the commit is made.
    pub(crate) fn keep(&mut self, answer: Result<T, StoreError>) {
        self.answer = Some(answer);
    }

    fn settle(&mut self, commit: &Result<(), StoreError>) {
        let answer = match commit {
            Ok(()) => self.answer.take(),
            Err(error) => Some(Err(error.clone())),
        };
        if let (Some(reply), Some(answer)) = (self.reply.take(), answer) {
            // Whoever asked may have gone away.
            let _ = reply.send(answer);
        }
    }
}

/// One request to the writer.
#[derive(Debug)]
pub(crate) enum Request {
    Append {
        stream: StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
        asked: Asked<Appended>,
        /// Given back when the request is done with.
        _room: OwnedSemaphorePermit,
    },
    Erase {
        stream: StreamName,
        asked: Asked<()>,
    },
    /// Runs of events of another log, to be written in this order.
    Import {
        runs: Vec<Run>,
        asked: Asked<()>,
        /// Given back when the request is done with.
        _room: OwnedSemaphorePermit,
    },
    Seal {
        why: String,
        asked: Asked<()>,
    },
    /// Another reason for the seal, in the place of the one it has.
    Reseal {
        was: String,
        why: String,
        asked: Asked<()>,
    },
    /// Answered with how far the store's clock is ahead of ours, in milliseconds, where it has one.
    Probe {
        asked: Asked<Option<i64>>,
    },
}

impl Request {
    /// Sends the answer, when the commit is made; otherwise the error that befell it.
    pub(crate) fn settle(&mut self, commit: &Result<(), StoreError>) {
        match self {
            Self::Append { asked, .. } => asked.settle(commit),
            Self::Erase { asked, .. }
            | Self::Import { asked, .. }
            | Self::Seal { asked, .. }
            | Self::Reseal { asked, .. } => asked.settle(commit),
            Self::Probe { asked } => asked.settle(commit),
        }
    }
}

/// The queue as those see it who ask. The writer ends when this is dropped and what was queued is done.
#[derive(Debug)]
pub(crate) struct Queue {
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
}

impl Queue {
    /// An empty one, and the end that the writer takes from.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Request>) {
        Self::with_capacity(REQUESTS)
    }

    fn with_capacity(capacity: usize) -> (Self, mpsc::Receiver<Request>) {
        let (requests, taken) = mpsc::channel(capacity);
        let room = Arc::new(Semaphore::new(ROOM_KIB));
        (Self { requests, room }, taken)
    }

    pub(crate) async fn append(
        &self,
        stream: StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
        size: usize,
    ) -> Result<Appended, StoreError> {
        // The limit on one append keeps this far below the room there is.
        let room = self.room(size).await?;
        self.ask(|asked| Request::Append {
            stream,
            expected,
            events,
            asked,
            _room: room,
        })
        .await
    }

    /// Room for so many bytes.
    async fn room(&self, size: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let kib = (size / 1024 + 1).min(ROOM_KIB);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(kib).await;
        room.map_err(|_| stopped())
    }

    pub(crate) async fn import(&self, runs: Vec<Run>) -> Result<(), StoreError> {
        let size = runs.iter().flat_map(|run| &run.events);
        let room = self.room(size.map(NewEvent::size).sum()).await?;
        self.ask(|asked| Request::Import {
            runs,
            asked,
            _room: room,
        })
        .await
    }

    pub(crate) async fn seal(&self, why: &str) -> Result<(), StoreError> {
        let why = why.to_owned();
        self.ask(|asked| Request::Seal { why, asked }).await
    }

    pub(crate) async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        let (was, why) = (was.to_owned(), why.to_owned());
        self.ask(|asked| Request::Reseal { was, why, asked }).await
    }

    pub(crate) async fn erase(&self, stream: StreamName) -> Result<(), StoreError> {
        self.ask(|asked| Request::Erase { stream, asked }).await
    }

    pub(crate) async fn probe(&self) -> Result<Option<i64>, StoreError> {
        self.ask(|asked| Request::Probe { asked }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Asked<T>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            reply: Some(reply),
            answer: None,
        };
        let sent = self.requests.send(request(asked)).await;
        sent.map_err(|_| stopped())?;
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::unknown("the writer stopped before it answered")))
    }
}

/// What is asked of a sealed log.
pub(crate) fn refuse_sealed(why: &str) -> StoreError {
    StoreError::refused(format!("the log is sealed: {why}"))
}

/// Whether a log that is sealed for the reason `now` is to be given the reason `why` in the place of `was`; or it has it
/// already, or must not be.
pub(crate) fn judge_reseal(now: Option<&str>, was: &str, why: &str) -> Result<bool, StoreError> {
    match now {
        Some(now) if now == why => Ok(false),
        Some(now) if now == was => Ok(true),
        Some(now) => Err(refuse_sealed(now)),
        None => Err(StoreError::refused("the log is not sealed")),
    }
}

fn stopped() -> StoreError {
    StoreError::unavailable("the writer has stopped; restart the service")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_that_dies_over_a_request_leaves_it_unknown() {
        let (queue, mut requests) = Queue::with_capacity(1);
        tokio::spawn(async move { drop(requests.recv().await) });
        let error = queue.probe().await.unwrap_err();
        assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_writer_that_is_dead_takes_no_request() {
        let (queue, requests) = Queue::with_capacity(1);
        drop(requests);
        for _ in 0..3 {
            let error = queue.erase(StreamName::platform()).await.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
    }
}
