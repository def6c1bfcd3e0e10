//! `memory:` — the contract in its simplest honest form; for tests, and the yardstick for the other backends.
//!
//! Everything is one vector behind one lock, which makes every promise of the contract easy to see. Nothing is durable
//! beyond the value itself, and nothing is ever freed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use tokio::sync::watch;
use uuid::Uuid;

use super::concurrency::{Verdict, judge};
use super::queue::{judge_reseal, refuse_sealed};
use super::{
    Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom, StoreError,
    StoreHealth, validate,
};
use crate::envelope::{NewEvent, Position, Recorded};
use crate::stream::{StreamKind, StreamName};

/// How many events a subscription looks at before it says how far it has come.
const PAGE: usize = 256;

/// An event store in memory. Clones share their contents.
#[derive(Clone)]
pub struct MemoryStore {
    log: Arc<Mutex<Log>>,
    /// The number of events ever written, for those who wait for more.
    written: watch::Sender<usize>,
}

#[derive(Default)]
struct Log {
    /// In total order; the position of an event is its index plus one. Erased events leave `None`.
    events: Vec<Option<Recorded>>,
    streams: HashMap<StreamName, Stream>,
    /// Why nothing more is taken: every reason there ever was, the last one counts.
    seals: Vec<String>,
}

#[derive(Default)]
struct Stream {
    /// The indices of its events, by revision.
    events: Vec<usize>,
    /// The revisions of its events, by id.
    ids: HashMap<Uuid, u64>,
    erased: bool,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self {
            log: Arc::default(),
            written: watch::Sender::new(0),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Every change is made in one go after all checks, so a panicking holder leaves nothing half done.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next page of the total order after `index` events, and the index it ends at.
    fn page(&self, index: usize, end: usize, filter: &Filter) -> (Vec<Recorded>, usize) {
        let log = self.log();
        let end = end.min(log.events.len()).min(index.saturating_add(PAGE));
        let page = log.events.get(index..end).unwrap_or_default();
        let wanted = page
            .iter()
            .flatten()
            .filter(|event| filter.admits(&event.stream, &event.kind));
        (wanted.cloned().collect(), end.max(index))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Log {
    fn head(&self, name: &StreamName) -> Option<u64> {
        let count = self.streams.get(name)?.events.len();
        (count as u64).checked_sub(1)
    }

    fn writable(&self) -> Result<(), StoreError> {
        let sealed = self.seals.last();
        sealed.map_or(Ok(()), |why| Err(refuse_sealed(why)))
    }

    fn append(
        &mut self,
        name: &StreamName,
        expected: Expected,
        batch: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        self.writable()?;
        let head = self.head(name);
        let stream = self.streams.entry(name.clone()).or_default();
        if stream.erased {
            return Err(StoreError::refused(format!("{name} was erased")));
        }
        let found: Vec<Option<u64>> = batch
            .iter()
            .map(|event| stream.ids.get(&event.id).copied())
            .collect();
        match judge(expected, head, &found) {
            Verdict::Append => {}
            Verdict::Conflict => {
                let stream = name.clone();
                return Err(StoreError::Conflict {
                    stream,
                    expected,
                    actual: head,
                });
            }
            Verdict::Replay { first } => {
                let last = first + batch.len() as u64 - 1;
                let index = stream
                    .events
                    .get(index_of(last))
                    .copied()
                    .unwrap_or_default();
                let position = Position::single(index as u64 + 1);
                return Ok(Appended {
                    first_revision: first,
                    last_revision: last,
                    position,
                    replayed: true,
                });
            }
        }

        let first_revision = stream.events.len() as u64;
        for event in batch {
            let index = self.events.len();
            let revision = stream.events.len() as u64;
            stream.ids.insert(event.id, revision);
            self.events.push(Some(Recorded {
                stream: name.clone(),
                revision,
                position: Position::single(index as u64 + 1),
                id: event.id,
                kind: event.kind,
                data: event.data,
                metadata: event.metadata,
            }));
            stream.events.push(index);
        }
        Ok(Appended {
            first_revision,
            last_revision: stream.events.len() as u64 - 1,
            position: Position::single(self.events.len() as u64),
            replayed: false,
        })
    }

    fn read(
        &self,
        name: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> Vec<Recorded> {
        let Some(stream) = self.streams.get(name) else {
            return Vec::new();
        };
        let count = stream.events.len();
        let event = |index: &usize| self.events.get(*index).cloned().flatten();
        match direction {
            Direction::Forwards => {
                let start = match from {
                    ReadFrom::Start => 0,
                    ReadFrom::Revision(revision) => index_of(revision),
                    ReadFrom::End => count,
                };
                stream
                    .events
                    .iter()
                    .skip(start)
                    .take(max)
                    .filter_map(event)
                    .collect()
            }
            Direction::Backwards => {
                let end = match from {
                    ReadFrom::Start => 1,
                    ReadFrom::Revision(revision) => index_of(revision).saturating_add(1),
                    ReadFrom::End => count,
                };
                stream
                    .events
                    .iter()
                    .take(end)
                    .rev()
                    .take(max)
                    .filter_map(event)
                    .collect()
            }
        }
    }
}

/// How many events stand at or before a position.
fn index_after(after: Option<Position>) -> usize {
    after.map_or(0, |position| index_of(position.commit))
}

fn index_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        validate::batch(&events)?;
        let mut log = self.log();
        let appended = log.append(stream, expected, events)?;
        self.written.send_replace(log.events.len());
        Ok(appended)
    }

    fn read(
        &self,
        stream: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded> {
        let (store, name) = (self.clone(), stream.clone());
        stream::once(async move { stream::iter(store.log().read(&name, from, direction, max)) })
            .flatten()
            .map(Ok)
            .boxed()
    }

    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        Ok(self.log().head(stream))
    }

    fn read_all(
        &self,
        after: Option<Position>,
        filter: Filter,
        max: usize,
    ) -> EventStream<Recorded> {
        let store = self.clone();
        stream::once(async move {
            let end = store.log().events.len();
            stream::unfold(index_after(after), move |index| {
                let (page, next) = store.page(index, end, &filter);
                async move { (next > index).then_some((stream::iter(page), next)) }
            })
        })
        .flatten()
        .flatten()
        .take(max)
        .map(Ok)
        .boxed()
    }

    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery> {
        let subscription = Subscription {
            store: self.clone(),
            written: self.written.subscribe(),
            filter,
            index: index_after(after),
            behind: true,
        };
        stream::unfold(subscription, |mut subscription| async move {
            let deliveries = subscription.next().await;
            Some((stream::iter(deliveries), subscription))
        })
        .flatten()
        .map(Ok)
        .boxed()
    }

    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError> {
        if stream.kind() != StreamKind::Directory {
            return Err(StoreError::refused(format!(
                "{stream} is not a directory: its events stay"
            )));
        }
        let mut guard = self.log();
        let log = &mut *guard;
        log.writable()?;
        let erased = log.streams.entry(stream.clone()).or_default();
        erased.erased = true;
        erased.ids.clear();
        for index in erased.events.drain(..) {
            if let Some(event) = log.events.get_mut(index) {
                *event = None;
            }
        }
        Ok(())
    }

    async fn seal(&self, why: &str) -> Result<(), StoreError> {
        let mut log = self.log();
        if log.seals.is_empty() {
            log.seals.push(why.to_owned());
        }
        Ok(())
    }

    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        let mut log = self.log();
        if judge_reseal(log.seals.last().map(String::as_str), was, why)? {
            log.seals.push(why.to_owned());
        }
        Ok(())
    }

    async fn seals(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.log().seals.clone())
    }

    async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        let log = self.log();
        let erased = log.streams.iter().filter(|(_, stream)| stream.erased);
        Ok(erased.map(|(name, _)| name.clone()).collect())
    }

    async fn last_position(&self) -> Result<Option<Position>, StoreError> {
        let count = self.log().events.len() as u64;
        Ok((count > 0).then(|| Position::single(count)))
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        self.log().writable()?;
        Ok(StoreHealth {
            clock_skew_ms: None,
        })
    }
}

struct Subscription {
    store: MemoryStore,
    written: watch::Receiver<usize>,
    filter: Filter,
    index: usize,
    behind: bool,
}

impl Subscription {
    async fn next(&mut self) -> Vec<Delivery> {
        loop {
            let written = *self.written.borrow_and_update();
            let (page, next) = self.store.page(self.index, written, &self.filter);
            let scanned = next > self.index;
            self.index = self.index.max(next);
            let mut deliveries: Vec<Delivery> = page.into_iter().map(Delivery::Event).collect();
            let here = Position::single(self.index as u64);
            let told =
                matches!(deliveries.last(), Some(Delivery::Event(event)) if event.position == here);
            if scanned && !told {
                deliveries.push(Delivery::Checkpoint(here));
            }
            if self.index < written {
                self.behind = true;
            } else if std::mem::take(&mut self.behind) {
                deliveries.push(Delivery::CaughtUp);
            }
            if !deliveries.is_empty() {
                return deliveries;
            }
            // The store is alive as long as `self.store` is, and with it the sender.
            let _ = self.written.changed().await;
        }
    }
}
