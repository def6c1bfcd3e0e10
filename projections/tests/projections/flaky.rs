//! An event store whose subscriptions break off, or wait to be let on.

use std::sync::Arc;

use async_trait::async_trait;
use carnet_events::envelope::{NewEvent, Position, Recorded};
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{
    Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom, StoreError,
    StoreHealth,
};
use carnet_events::stream::StreamName;
use futures::StreamExt;
use tokio::sync::Semaphore;

/// A store in memory with subscriptions that are not what one would wish for.
pub(crate) struct Flaky {
    pub(crate) store: Arc<MemoryStore>,
    /// Every subscription fails after so many deliveries.
    pub(crate) breaks_after: usize,
    /// Every event that is delivered takes a permit.
    pub(crate) gate: Arc<Semaphore>,
}

impl Flaky {
    /// One whose subscriptions deliver only what is permitted.
    pub(crate) fn gated(store: Arc<MemoryStore>) -> Self {
        Self {
            store,
            breaks_after: usize::MAX,
            gate: Arc::new(Semaphore::new(0)),
        }
    }
}

#[async_trait]
impl EventStore for Flaky {
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        self.store.append(stream, expected, events).await
    }

    fn read(
        &self,
        stream: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded> {
        self.store.read(stream, from, direction, max)
    }

    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        self.store.head(stream).await
    }

    fn read_all(
        &self,
        after: Option<Position>,
        filter: Filter,
        max: usize,
    ) -> EventStream<Recorded> {
        self.store.read_all(after, filter, max)
    }

    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery> {
        let deliveries = self.store.subscribe(after, filter);
        let broken = StoreError::Unavailable {
            reason: "the test breaks it off".to_owned(),
        };
        let end = futures::stream::once(async { Err(broken) });
        let gate = Arc::clone(&self.gate);
        let permitted = deliveries.then(move |delivery| {
            let gate = Arc::clone(&gate);
            async move {
                if matches!(delivery, Ok(Delivery::Event(_))) {
                    gate.acquire().await.unwrap().forget();
                }
                delivery
            }
        });
        permitted.take(self.breaks_after).chain(end).boxed()
    }

    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError> {
        self.store.erase(stream).await
    }

    async fn seal(&self, why: &str) -> Result<(), StoreError> {
        self.store.seal(why).await
    }

    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        self.store.reseal(was, why).await
    }

    async fn seals(&self) -> Result<Vec<String>, StoreError> {
        self.store.seals().await
    }

    async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        self.store.erased().await
    }

    async fn last_position(&self) -> Result<Option<Position>, StoreError> {
        self.store.last_position().await
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        self.store.probe().await
    }
}
