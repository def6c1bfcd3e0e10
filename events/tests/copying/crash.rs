//! A copy that ends between any two of its writes, made or not: nobody ever serves from half of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use carnet_events::codec::{Context, encode};
use carnet_events::conformance::{batch, stream};
use carnet_events::copy::{CopyError, Move, copy, unfinished};
use carnet_events::domain::platform::{LogCreated, PlatformEvent};
use carnet_events::envelope::{NewEvent, Position, Recorded};
use carnet_events::ids::{TenantId, Timestamp};
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{
    Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom, StoreError,
    StoreHealth,
};
use carnet_events::stream::StreamName;
use futures::{FutureExt, TryStreamExt};
use uuid::Uuid;

use super::given_up;

/// How many writes the process still makes, in whichever store; and whether the one it dies at is made.
#[derive(Clone)]
struct Life {
    left: Arc<AtomicUsize>,
    last_is_made: bool,
}

impl Life {
    /// Whether the write is made that is about to be; the process dies here, or after it.
    async fn write<T>(&self, write: impl Future<Output = T>) -> T {
        let dies = self.left.fetch_sub(1, Ordering::SeqCst) == 0;
        assert!(!dies || self.last_is_made, "the process died");
        let written = write.await;
        assert!(!dies, "the process died");
        written
    }
}

/// A store as a process sees it that may die at any write.
struct Seen(MemoryStore, Life);

#[async_trait]
impl EventStore for Seen {
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        let append = self.0.append(stream, expected, events);
        self.1.write(append).await
    }

    fn read(
        &self,
        stream: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded> {
        self.0.read(stream, from, direction, max)
    }

    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        self.0.head(stream).await
    }

    fn read_all(
        &self,
        after: Option<Position>,
        filter: Filter,
        max: usize,
    ) -> EventStream<Recorded> {
        self.0.read_all(after, filter, max)
    }

    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery> {
        self.0.subscribe(after, filter)
    }

    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError> {
        self.1.write(self.0.erase(stream)).await
    }

    async fn seal(&self, why: &str) -> Result<(), StoreError> {
        self.1.write(self.0.seal(why)).await
    }

    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        self.1.write(self.0.reseal(was, why)).await
    }

    async fn seals(&self) -> Result<Vec<String>, StoreError> {
        self.0.seals().await
    }

    async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        self.0.erased().await
    }

    /// Run by run, so that it can end between two of them.
    async fn import(&self, events: Vec<Recorded>) -> Result<(), StoreError> {
        for event in events {
            self.1.write(self.0.import(vec![event])).await?;
        }
        Ok(())
    }

    async fn last_position(&self) -> Result<Option<Position>, StoreError> {
        self.0.last_position().await
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        self.0.probe().await
    }
}

const FIRST: &str = "elsewhere:1";
const SECOND: &str = "elsewhere:2";

fn why(place: &str) -> String {
    format!("it was moved to {place}")
}

const fn way<'a>(to: &'a str, instead_of: Option<&'a str>) -> Move<'a> {
    Move {
        to,
        instead_of,
        now: Timestamp::from_millis(1_000),
    }
}

async fn quietly(
    source: &dyn EventStore,
    target: &dyn EventStore,
    way: Move<'_>,
) -> Result<(), CopyError> {
    copy(source, target, way, &|_| {}).await.map(drop)
}

/// A log with an id, streams, and an erased directory.
async fn log() -> MemoryStore {
    let store = MemoryStore::new();
    let log = Uuid::new_v4();
    let created = PlatformEvent::LogCreated(LogCreated { log });
    let now = Timestamp::from_millis(2_000);
    let created = encode(Uuid::new_v4(), now, &created, &Context::default()).unwrap();
    let directory = StreamName::directory(&TenantId::new("acme").unwrap());
    for (name, events) in [
        (StreamName::platform(), vec![created]),
        (stream("a"), batch(0, 2)),
        (directory.clone(), batch(0, 1)),
        (stream("b"), batch(2, 1)),
    ] {
        store
            .append(&name, Expected::NoStream, events)
            .await
            .unwrap();
    }
    store.erase(&directory).await.unwrap();
    store
}

async fn all(store: &dyn EventStore) -> Vec<Recorded> {
    let all = store.read_all(None, Filter::all(), usize::MAX);
    all.try_collect().await.unwrap()
}

/// Whether it is all of the log, with the records that belong to it.
async fn whole(source: &dyn EventStore, target: &dyn EventStore, places: &[&str]) -> bool {
    let same = |(a, b): (&Recorded, &Recorded)| {
        (&a.stream, a.revision, a.id, &a.data) == (&b.stream, b.revision, b.id, &b.data)
    };
    let (ours, theirs) = (all(source).await, all(target).await);
    let erased = source.erased().await.unwrap();
    theirs.len() == ours.len() + places.len()
        && ours.iter().zip(&theirs).all(same)
        && target
            .erased()
            .await
            .unwrap()
            .iter()
            .filter(|name| erased.contains(name))
            .count()
            == erased.len()
        && given_up(target).await == places
}

/// Lets the copy die at each of its writes in turn, until there are no more; gives how often.
async fn die_everywhere(way: Move<'static>, again: Move<'static>, seals: &[&str]) -> usize {
    let (to, before) = seals.split_last().unwrap();
    let places: Vec<&str> = before.to_vec();
    let seals: Vec<String> = seals.iter().map(|place| why(place)).collect();
    for n in 0.. {
        for last_is_made in [false, true] {
            let (source, target) = (log().await, MemoryStore::new());
            if let Some(lost) = way.instead_of {
                let first = MemoryStore::new();
                quietly(&source, &first, self::way(lost, None))
                    .await
                    .unwrap();
            }
            let left = Arc::new(AtomicUsize::new(n));
            let life = Life { left, last_is_made };
            let (from, into) = (
                Seen(source.clone(), life.clone()),
                Seen(target.clone(), life),
            );
            let copied = AssertUnwindSafe(quietly(&from, &into, way))
                .catch_unwind()
                .await;
            let at = format!("write {n}, made: {last_is_made}");

            // The log is where it was, or the target says that it isn't whole, or it is.
            let half = unfinished(&target).await.unwrap();
            let is_whole = whole(&source, &target, &places).await;
            let named = source.sealed().await.unwrap() == Some(why(to));
            assert!(!named || half || is_whole, "{at}");
            assert!(half || is_whole || all(&target).await.is_empty(), "{at}");
            if let Ok(copied) = copied {
                copied.unwrap();
                assert!(is_whole && !half, "{at}");
                return n;
            }
            // Who goes on needn't know what was given up, once the seal says so.
            let again = if named { again } else { way };
            quietly(&source, &target, again).await.expect(&at);
            assert!(whole(&source, &target, &places).await, "{at}");
            assert!(!unfinished(&target).await.unwrap(), "{at}");
            assert_eq!(source.seals().await.unwrap(), seals, "{at}");
            quietly(&source, &target, again).await.expect(&at);
            assert!(whole(&source, &target, &places).await, "{at}");
        }
    }
    unreachable!("a copy ends")
}

#[tokio::test]
async fn a_copy_that_dies_at_any_write_is_not_served_before_it_is_whole() {
    let plain = way(FIRST, None);
    // Mark, seal, making sure of the mark, four events, the erasure, the mark taken away.
    let deaths = die_everywhere(plain, plain, &[FIRST]).await;
    assert_eq!(deaths, 9);
}

#[tokio::test]
async fn a_copy_in_the_place_of_a_lost_one_that_dies_at_any_write_says_so_in_the_end() {
    let instead = way(SECOND, Some(FIRST));
    // Seal, mark, the seal's other reason, four events, the erasure, the record, the mark taken away.
    for again in [instead, way(SECOND, None)] {
        let deaths = die_everywhere(instead, again, &[FIRST, SECOND]).await;
        assert_eq!(deaths, 10);
    }
}
