//! Moving a log from store to store, broken off wherever it may be.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod crash;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use carnet_events::codec::decode;
use carnet_events::conformance::{batch, read, stream};
use carnet_events::copy::{CopyError, Move, Report, Stage, copy, unfinished};
use carnet_events::domain::platform::{CopyAbandoned, PlatformEvent};
use carnet_events::envelope::{NewEvent, Position, Recorded};
use carnet_events::ids::{TenantId, Timestamp};
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{EventStore, Expected, Filter};
use carnet_events::stream::StreamName;
use futures::{FutureExt, TryStreamExt};
use proptest::prelude::*;

const GOAL: Move<'static> = Move {
    to: "elsewhere:1",
    instead_of: None,
    now: Timestamp::from_millis(1_767_323_045_678),
};
const WHY: &str = "it was moved to elsewhere:1";

fn directory(tenant: &str) -> StreamName {
    StreamName::directory(&TenantId::new(tenant).unwrap())
}

/// Events of several types, with data and metadata of their own, which need not be JSON.
fn varied(from: usize, count: usize) -> Vec<NewEvent> {
    let mut events = batch(from, count);
    for (index, event) in events.iter_mut().enumerate() {
        let n = from + index;
        event.kind = ["said", "heard", "über"][n % 3].into();
        event.metadata = match n % 4 {
            0 => Bytes::new(),
            1 => Bytes::from(vec![0xff, 0x00, n.to_le_bytes()[0]]),
            _ => Bytes::from(format!("{{ \"n\":{n} }}")),
        };
    }
    events
}

/// A log of interleaved streams with an erased directory in the middle and one at the end.
async fn filled(events: usize) -> MemoryStore {
    let store = MemoryStore::new();
    for n in 0..events {
        let name = match n % 10 {
            3 => directory("acme"),
            7 => directory("umbrella"),
            _ => stream(&format!("s-{}", n % 17)),
        };
        store
            .append(&name, Expected::Any, varied(n, 1 + n % 4))
            .await
            .unwrap();
        if n == events / 2 {
            store.erase(&directory("never-written")).await.unwrap();
        }
    }
    store.erase(&directory("umbrella")).await.unwrap();
    store
}

/// Everything of the events but their positions.
async fn identities(store: &dyn EventStore) -> Vec<Recorded> {
    let all: Vec<Recorded> = store
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    all.into_iter()
        .map(|event| Recorded {
            position: Position::single(0),
            ..event
        })
        .collect()
}

async fn quietly(source: &dyn EventStore, target: &dyn EventStore) -> Result<Report, CopyError> {
    copy(source, target, GOAL, &|_| {}).await
}

#[tokio::test]
async fn a_log_goes_to_another_store_and_back_unchanged() {
    let (source, files) = (filled(500).await, tempfile::tempdir().unwrap());
    let before = identities(&source).await;
    let file = SqliteStore::open(files.path().join("events.db")).unwrap();
    let there = quietly(&source, &file).await.unwrap();
    assert_eq!(identities(&file).await, before);
    assert_eq!((there.events, there.resumed), (before.len() as u64, 0));
    assert_eq!(there.erased, 2);
    assert_eq!(source.sealed().await.unwrap().as_deref(), Some(WHY));
    assert_eq!(file.sealed().await.unwrap(), None);
    // It lives on there, and what was erased stays so.
    file.append(&stream("s-1"), Expected::Exists, batch(0, 1))
        .await
        .unwrap();
    file.append(&directory("umbrella"), Expected::Any, batch(0, 1))
        .await
        .unwrap_err();

    let back = MemoryStore::new();
    let report = quietly(&file, &back).await.unwrap();
    assert_eq!(identities(&back).await, identities(&file).await);
    assert_eq!(report.events, there.events + 1);
    assert_ne!(report.digest, there.digest);
    // Done already: the same again, and nothing changes.
    let again = quietly(&file, &back).await.unwrap();
    assert_eq!(
        (again.resumed, again.digest),
        (report.events, report.digest)
    );
}

/// Two copies of one log would live on as two logs with one id.
#[tokio::test]
async fn a_log_that_was_moved_goes_nowhere_else_unless_that_copy_is_lost() {
    let (source, first, second) = (filled(30).await, MemoryStore::new(), MemoryStore::new());
    quietly(&source, &first).await.unwrap();
    let other = Move {
        to: "elsewhere:2",
        ..GOAL
    };
    let to_second = async |way| copy(&source, &second, way, &|_| {}).await;
    let elsewhere = Err(CopyError::Elsewhere(WHY.to_owned()));
    assert_eq!(to_second(other).await, elsewhere);
    let instead_of = |place| Move {
        instead_of: Some(place),
        ..other
    };
    for place in ["elsewhere:3", "elsewhere:2"] {
        assert_eq!(to_second(instead_of(place)).await, elsewhere);
    }
    assert_eq!(second.last_position().await.unwrap(), None);
    // Nor is it said to be where it can't go.
    let used = filled(3).await;
    let refused = copy(&source, &used, instead_of("elsewhere:1"), &|_| {}).await;
    assert!(
        matches!(refused, Err(CopyError::NotEmpty(_))),
        "{refused:?}"
    );
    assert_eq!(source.seals().await.unwrap(), [WHY]);

    to_second(instead_of("elsewhere:1")).await.unwrap();
    assert_eq!(given_up(&second).await, ["elsewhere:1"]);
    // The seal names where it is; the way to the place that was given up is closed.
    let since = "it was moved to elsewhere:2";
    assert_eq!(source.seals().await.unwrap(), [WHY, since]);
    let elsewhere = Err(CopyError::Elsewhere(since.to_owned()));
    assert_eq!(quietly(&source, &first).await, elsewhere);
    // Made again it is the same, whether or not the option is given.
    for way in [instead_of("elsewhere:1"), other] {
        let again = to_second(way).await.unwrap();
        assert_eq!(again.resumed, again.events);
    }
    assert_eq!(given_up(&second).await, ["elsewhere:1"]);
    // Where nothing was moved yet, nothing is given up.
    let (third, way) = (MemoryStore::new(), instead_of("elsewhere:1"));
    let early = copy(&second, &third, way, &|_| {}).await;
    assert_eq!(early, Err(CopyError::NothingToAbandon));
    assert_eq!(second.sealed().await.unwrap(), None);
}

/// The places that were given up, as the log says.
async fn given_up(store: &dyn EventStore) -> Vec<String> {
    let said = read(store, &StreamName::platform()).await;
    let place = |event| match decode::<PlatformEvent>(event).unwrap().1.what {
        PlatformEvent::CopyAbandoned(CopyAbandoned { place }) => Some(place),
        _ => None,
    };
    said.iter().filter_map(place).collect()
}

/// Each place that was ever given up is named once, in the order that they were.
#[tokio::test]
async fn a_log_whose_copies_are_lost_again_and_again_names_them_all() {
    let source = filled(30).await;
    let places = ["elsewhere:1", "elsewhere:2", "elsewhere:3"];
    let mut last = MemoryStore::new();
    for (n, to) in places.into_iter().enumerate() {
        last = MemoryStore::new();
        let instead_of = n.checked_sub(1).map(|before| places[before]);
        let way = Move {
            to,
            instead_of,
            ..GOAL
        };
        copy(&source, &last, way, &|_| {}).await.unwrap();
    }
    assert_eq!(given_up(&last).await, places[..2]);
    // It moves on, to the very address that was lost once: another copy, lost in its turn.
    for (to, instead_of) in [("elsewhere:1", None), ("elsewhere:4", Some("elsewhere:1"))] {
        let target = MemoryStore::new();
        let way = Move {
            to,
            instead_of,
            ..GOAL
        };
        copy(&last, &target, way, &|_| {}).await.unwrap();
        let mut expected = vec!["elsewhere:1", "elsewhere:2"];
        expected.extend(instead_of);
        assert_eq!(given_up(&target).await, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Stopped dead after any number of steps, any number of times, it goes on where it stopped.
    #[test]
    fn a_copy_broken_off_anywhere_goes_on(stops in prop::collection::vec(0_u64..4000, 1..4)) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let (source, target) = (filled(900).await, MemoryStore::new());
            for stop in stops {
                let steps = AtomicU64::new(0);
                let (broken, wait) = (tokio::sync::Notify::new(), &steps);
                let stepped = |_: Stage| {
                    if wait.fetch_add(1, Ordering::Relaxed) == stop / 2 {
                        broken.notify_one();
                    }
                };
                tokio::select! {
                    biased;
                    () = broken.notified() => {}
                    done = copy(&source, &target, GOAL, &stepped) => { done.unwrap(); }
                }
            }
            let report = quietly(&source, &target).await.unwrap();
            assert_eq!(identities(&target).await, identities(&source).await);
            assert_eq!(report.events, identities(&source).await.len() as u64);
        });
    }
}

/// Broken off in the midst of it, it is marked, and nobody takes it for the log; found equal, it isn't any more.
#[tokio::test]
async fn a_copy_is_marked_as_unfinished_until_it_was_found_equal() {
    let source = filled(2000).await;
    for stop in [Stage::Copying(1000), Stage::Verifying(10)] {
        let target = MemoryStore::new();
        // As if the process died there.
        let stepped = |stage: Stage| assert_ne!(stage, stop);
        let died = AssertUnwindSafe(copy(&source, &target, GOAL, &stepped)).catch_unwind();
        died.await.unwrap_err();
        assert!(unfinished(&target).await.unwrap(), "{stop:?}");
        let error = quietly(&target, &MemoryStore::new()).await.unwrap_err();
        assert_eq!(error, CopyError::Unfinished);
        quietly(&source, &target).await.unwrap();
        assert!(!unfinished(&target).await.unwrap());
        assert_eq!(identities(&target).await, identities(&source).await);
    }
}

/// A target that was refused is left as it was.
#[tokio::test]
async fn what_is_no_begun_copy_is_not_marked() {
    let (source, other) = (filled(30).await, filled(5).await);
    source.seal(WHY).await.unwrap();
    quietly(&source, &other).await.unwrap_err();
    assert!(!unfinished(&other).await.unwrap());
}

/// A target cut off at each event of its beginning is the beginning of a copy.
#[tokio::test]
async fn every_beginning_of_a_copy_is_recognised() {
    let source = filled(30).await;
    source.seal(WHY).await.unwrap();
    let all: Vec<Recorded> = source
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    for cut in 0..=all.len() {
        let target = MemoryStore::new();
        target.import(all[..cut].to_vec()).await.unwrap();
        let report = quietly(&source, &target).await.unwrap();
        assert_eq!(
            (report.resumed, report.events),
            (cut as u64, all.len() as u64)
        );
    }
}

#[tokio::test]
async fn a_target_that_is_not_empty_is_refused_and_the_source_not_sealed() {
    let (source, target) = (filled(30).await, filled(5).await);
    let error = quietly(&source, &target).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty(_)), "{error:?}");
    // Itself, named in another way.
    let error = quietly(&source, &source.clone()).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty(_)), "{error:?}");
    assert_eq!(source.sealed().await.unwrap(), None);
    let erased = MemoryStore::new();
    erased.erase(&directory("acme")).await.unwrap();
    let error = quietly(&source, &erased).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty(_)), "{error:?}");
    let error = quietly(&MemoryStore::new(), &MemoryStore::new()).await;
    assert_eq!(error, Err(CopyError::Empty));
    assert_eq!(source.sealed().await.unwrap(), None);
}

#[tokio::test]
async fn a_begun_copy_that_was_used_or_is_of_another_log_is_refused() {
    let source = filled(30).await;
    let target = MemoryStore::new();
    quietly(&source, &target).await.unwrap();
    target
        .append(&stream("own"), Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    let error = quietly(&source, &target).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::NotEmpty(why) if why.contains("revision 0 of own")),
        "{error:?}"
    );
    let error = quietly(&source, &filled(3).await).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty(_)), "{error:?}");
    let error = quietly(&source, &source.clone()).await.unwrap_err();
    assert!(matches!(error, CopyError::TargetSealed(_)), "{error:?}");
}

/// A target that takes nothing: nothing is sealed for it.
#[tokio::test]
async fn a_target_that_can_not_be_written_is_found_before_the_source_is_sealed() {
    let (source, files) = (filled(30).await, tempfile::tempdir().unwrap());
    let path = files.path().join("events.db");
    drop(SqliteStore::open(&path).unwrap());
    let target = SqliteStore::open_read_only(&path).unwrap();
    let error = quietly(&source, &target).await.unwrap_err();
    assert!(matches!(error, CopyError::Target(_)), "{error:?}");
    assert_eq!(source.sealed().await.unwrap(), None);
    assert!(!read(&source, &stream("s-1")).await.is_empty());
}
