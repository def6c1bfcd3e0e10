//! Calls to the event store: none is waited for without end, and no append is left in doubt without need.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use carnet_events::envelope::{NewEvent, Position, Recorded};
use carnet_events::store::{
    Appended, Direction, EventStore, EventStream, Expected, ReadFrom, StoreError, StoreHealth,
};
use carnet_events::stream::StreamName;
use futures::StreamExt;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::error::Error;
use crate::options::Options;

/// First and longest wait before an append is repeated.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Events that one just written is looked for among: others write, too, but not that fast.
const LOOKED_THROUGH: usize = 1000;

/// The store, with deadlines. These run on the runtime's timers: they guard I/O and decide nothing.
#[derive(Clone)]
pub(crate) struct Calls {
    store: Arc<dyn EventStore>,
    store_deadline: Duration,
    command_deadline: Duration,
}

impl Calls {
    pub(crate) fn new(store: Arc<dyn EventStore>, options: &Options) -> Self {
        Self {
            store,
            store_deadline: options.store_deadline,
            command_deadline: options.command_deadline,
        }
    }

    /// Until when a command that begins now is tried.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.command_deadline
    }

    /// Whether the store can be written, and how its clock stands to ours.
    pub(crate) async fn probe(&self) -> Result<StoreHealth, Error> {
        self.within(self.store.probe()).await
    }

    /// The place of the last event of all.
    pub(crate) async fn last_position(&self) -> Result<Option<Position>, Error> {
        self.within(self.store.last_position()).await
    }

    /// The head revision of a stream.
    pub(crate) async fn head(&self, stream: &StreamName) -> Result<Option<u64>, Error> {
        self.within(self.store.head(stream)).await
    }

    /// The events of a stream from the first one on, or from the one after `revision`.
    pub(crate) fn read_after(
        &self,
        stream: &StreamName,
        revision: Option<u64>,
    ) -> EventStream<Recorded> {
        let from = match revision {
            None => ReadFrom::Start,
            Some(revision) => ReadFrom::Revision(revision.saturating_add(1)),
        };
        self.store
            .read(stream, from, Direction::Forwards, usize::MAX)
    }

    /// The events of a stream from the last one back.
    pub(crate) fn read_back(&self, stream: &StreamName) -> EventStream<Recorded> {
        self.store
            .read(stream, ReadFrom::End, Direction::Backwards, usize::MAX)
    }

    /// Erases a directory for good.
    pub(crate) async fn erase(&self, directory: &StreamName) -> Result<(), Error> {
        self.within(self.store.erase(directory)).await
    }

    /// The next event of a reading.
    pub(crate) async fn next(
        &self,
        events: &mut EventStream<Recorded>,
    ) -> Result<Option<Recorded>, Error> {
        self.within(async { events.next().await.transpose() }).await
    }

    /// An event by its id, among the newest of its stream.
    pub(crate) async fn find(
        &self,
        stream: &StreamName,
        id: Uuid,
    ) -> Result<Option<Recorded>, Error> {
        let mut newest =
            self.store
                .read(stream, ReadFrom::End, Direction::Backwards, LOOKED_THROUGH);
        while let Some(recorded) = self.next(&mut newest).await? {
            if recorded.id == id {
                return Ok(Some(recorded));
            }
        }
        Ok(None)
    }

    /// Appends a batch; while the answer is `Unknown`, repeats the identical append until it is definite or the deadline
    /// has passed.
    pub(crate) async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        batch: Vec<NewEvent>,
        deadline: Instant,
    ) -> Result<Appended, StoreError> {
        let mut pause = PAUSE.0;
        let mut doubtful = false;
        loop {
            let call = self.store.append(stream, expected, batch.clone());
            let answer = timeout(self.store_deadline, call).await;
            let answer = answer.unwrap_or_else(|_| {
                Err(StoreError::Unknown {
                    reason: "it did not answer in time".to_owned(),
                })
            });
            doubtful |= matches!(answer, Err(StoreError::Unknown { .. }));
            match answer {
                Err(StoreError::Unknown { reason } | StoreError::Unavailable { reason })
                    if doubtful =>
                {
                    if Instant::now() + pause >= deadline {
                        return Err(StoreError::Unknown { reason });
                    }
                }
                definite => return definite,
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Appends records that decide nothing.
    pub(crate) async fn record(
        &self,
        stream: &StreamName,
        expected: Expected,
        batch: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        self.append(stream, expected, batch, self.deadline()).await
    }

    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Error> {
        match timeout(self.store_deadline, call).await {
            Ok(answer) => answer.map_err(Error::from),
            Err(_) => Err(Error::unavailable("it did not answer in time")),
        }
    }
}
