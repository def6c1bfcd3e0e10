//! The store's server: the reference store behind a door that can be shut, with the checker looking on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use carnet_events::envelope::{NewEvent, Recorded};
use carnet_events::ids::{Incarnation, NodeId};
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{
    Appended, Direction, EventStore, Expected, Filter, ReadFrom, StoreError,
};
use carnet_events::stream::{StreamKind, StreamName};
use futures::TryStreamExt;
use tokio::sync::Notify;

use crate::chance::Chance;
use crate::checker::Checker;
use crate::mutation::Mutation;
use crate::time::Time;
use crate::trace::Trace;

/// A process, as it signs its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub number: usize,
    pub node: NodeId,
    pub incarnation: Incarnation,
}

impl Process {
    /// What the trace calls it.
    pub fn name(&self) -> String {
        format!("node {}", self.number)
    }
}

pub struct Server {
    pub store: MemoryStore,
    pub checker: Arc<Mutex<Checker>>,
    pub time: Time,
    pub chance: Chance,
    pub trace: Trace,
    pub mutation: Mutation,
    /// It takes some repeated appends for new ones, as EventStoreDB may once it has written much else.
    pub forgetful: bool,
    /// Told of every event; who waits is woken in the order of waiting.
    pub more: Notify,
    /// It is being restarted.
    pub down: AtomicBool,
}

impl Server {
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Makes an append, and has it checked if it is a new one.
    pub async fn append(
        &self,
        by: Process,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        let kinds: Vec<_> = events.iter().map(|event| event.kind.to_string()).collect();
        let answer = self.make(stream, expected, events).await;
        let said = match &answer {
            Ok(appended) if appended.replayed => "was there".to_owned(),
            Ok(appended) => format!("made, r{}", appended.last_revision),
            Err(StoreError::Conflict { actual, .. }) => format!("conflict, head {actual:?}"),
            Err(error) => error.to_string(),
        };
        let kinds = kinds.join(" ");
        let line = format!("{} {expected:?} [{kinds}]: {said}", short(stream));
        self.trace.line(&by.name(), &line);
        if let Ok(appended) = &answer
            && !appended.replayed
        {
            self.check(by, stream, appended).await;
        }
        answer
    }

    async fn make(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        let decides = matches!(stream.kind(), StreamKind::Export | StreamKind::Tenant);
        match self.mutation {
            Mutation::StoreIgnoresExpected if decides => {
                self.store.append(stream, Expected::Any, events).await
            }
            Mutation::StoreForgets if decides && self.chance.percent(3) => {
                let first = match expected {
                    Expected::Exact(revision) => revision + 1,
                    Expected::Any | Expected::NoStream | Expected::Exists => 0,
                };
                Ok(Appended {
                    first_revision: first,
                    last_revision: first + events.len() as u64 - 1,
                    position: self.store.last_position().await?.unwrap(),
                    replayed: true,
                })
            }
            _ => {
                let answer = self.store.append(stream, expected, events).await?;
                if answer.replayed && decides && self.forgetful && self.chance.percent(30) {
                    return Err(StoreError::Conflict {
                        stream: stream.clone(),
                        expected,
                        actual: self.store.head(stream).await?,
                    });
                }
                Ok(answer)
            }
        }
    }

    async fn check(&self, by: Process, stream: &StreamName, appended: &Appended) {
        let from = ReadFrom::Revision(appended.first_revision);
        let batch = self.read(stream, from, Direction::Forwards, usize::MAX);
        let batch = batch.await;
        let mut checker = self.checker.lock().unwrap();
        for event in &batch {
            self.trace.event(event);
        }
        checker.appended(by, self.time.elapsed(), &batch);
        self.more.notify_waiters();
    }

    pub async fn read(
        &self,
        stream: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> Vec<Recorded> {
        let events = self.store.read(stream, from, direction, max);
        events.try_collect().await.unwrap()
    }

    pub async fn head(&self, stream: &StreamName) -> Option<u64> {
        self.store.head(stream).await.unwrap()
    }

    pub async fn all_after(
        &self,
        after: Option<carnet_events::envelope::Position>,
    ) -> Vec<Recorded> {
        let all = self.store.read_all(after, Filter::all(), usize::MAX);
        all.try_collect().await.unwrap()
    }
}

/// A stream's name, short enough to be read: exports by the end of their ids.
pub fn short(stream: &StreamName) -> String {
    match stream.export_id() {
        Some(export) => brief(export),
        None => stream.to_string(),
    }
}

/// An export's id, short enough to be read.
pub fn brief(export: carnet_events::ids::ExportId) -> String {
    let id = export.to_string();
    format!("export …{}", &id[id.len() - 6..])
}
