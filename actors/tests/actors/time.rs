//! What is done because its time has come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use carnet_actors::ports::{Clock, RandomIds};
use carnet_actors::{Error, System, apply_keys, log_id, record_storages};
use carnet_events::codec::decode;
use carnet_events::domain::export::{Deletion, Status};
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::ids::{Digest, ExportId, NodeId};
use carnet_events::store::{Direction, ReadFrom};
use carnet_events::stream::StreamName;
use futures::TryStreamExt;
use uuid::Uuid;

use crate::faulty::FaultyStore;
use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

async fn completed(system: &System) -> (ExportId, String) {
    let export = accepted(system, request("acme", "ada")).await;
    let view = until_status(system, export, Status::Completed).await;
    until_released(system, "acme").await;
    let key = view.export.published().unwrap().artifact.key.clone();
    (export, key)
}

async fn is_deleted(system: &System, export: ExportId) -> bool {
    let view = system.export(export).await.unwrap().unwrap();
    matches!(view.export.deletion, Deletion::Done { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_expires_after_its_window_and_is_deleted_an_hour_later() {
    let world = World::new();
    let system = world.start(1).await;
    let (export, key) = completed(&system).await;
    world.pass(7 * DAY - SECOND, DAY).await;
    assert_eq!(status_of(&system, export).await, Some(Status::Completed));
    let expired = || async { status_of(&system, export).await == Some(Status::Expired) };
    world.advance_until(SECOND, expired).await;
    world.pass(HOUR - 10 * MINUTE, 10 * MINUTE).await;
    assert!(world.runner.has(&key));
    world
        .advance_until(10 * SECOND, || is_deleted(&system, export))
        .await;
    assert!(!world.runner.has(&key));
    assert_eq!(
        world.kinds(export).await[3..],
        ["expired", "deletion_started", "artifact_deleted"]
    );
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_stops_deletion_but_not_expiry() {
    let world = World::new();
    let system = world.start(1).await;
    let (export, key) = completed(&system).await;
    let hold = |on| system.hold(export, on, order());
    assert!(hold(true).await.unwrap().is_some());
    let expired = || async { status_of(&system, export).await == Some(Status::Expired) };
    world.pass(7 * DAY, DAY).await;
    world.advance_until(MINUTE, expired).await;
    world.pass(3 * HOUR, 10 * MINUTE).await;
    assert!(world.runner.has(&key));
    hold(false).await.unwrap();
    world
        .advance_until(MINUTE, || is_deleted(&system, export))
        .await;
    assert!(!world.runner.has(&key));
    assert!(matches!(hold(true).await, Err(Error::Illegal { .. })));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_fails_is_repeated_until_it_is_done() {
    let world = World::new();
    let system = world.start(1).await;
    let (export, key) = completed(&system).await;
    *world.runner.delete_fails.lock().unwrap() = true;
    world.pass(7 * DAY + HOUR, DAY).await;
    let begun = || async {
        world
            .kinds(export)
            .await
            .iter()
            .any(|kind| kind == "deletion_started")
    };
    world.advance_until(MINUTE, begun).await;
    world.pass(5 * MINUTE, MINUTE).await;
    assert!(world.runner.has(&key));
    // Another process goes on where this one stopped.
    stop(system).await;
    *world.runner.delete_fails.lock().unwrap() = false;
    let next = world.start(1).await;
    until(|| is_deleted(&next, export)).await;
    let kinds = world.kinds(export).await;
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| *kind == "deletion_started")
            .count(),
        1
    );
    stop(next).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_removes_only_what_can_never_be_published() {
    let world = World::new();
    let system = world.start(1).await;
    let (export, key) = completed(&system).await;
    let void = format!("acme/{export}/1-00000000-0000-0000-0000-000000000000.json.gz");
    let unknown = format!("acme/{}/1-0.json.gz", Uuid::from_u128(77));
    world.runner.store(&void);
    world.runner.store(&unknown);
    world
        .advance_until(HOUR, || async { !world.runner.has(&void) })
        .await;
    assert!(world.runner.has(&key));
    assert!(world.runner.has(&unknown));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_are_the_same_node_the_older_stops_deciding() {
    let world = World::new();
    let digest = Digest::from_bytes([1; 32]);
    let older = world.start(1).await;
    older
        .configuration_applied(digest, "0.1.0", &BTreeMap::new())
        .await
        .unwrap();
    completed(&older).await;
    let newer = world.start(1).await;
    world.pass(3 * SECOND, SECOND).await;
    assert!(!older.is_superseded(), "the newer one doesn't serve yet");
    newer
        .configuration_applied(digest, "0.1.0", &BTreeMap::new())
        .await
        .unwrap();
    world
        .advance_until(SECOND, || async { older.is_superseded() })
        .await;
    let refused = ask(&older, request("acme", "ben")).await;
    assert_eq!(refused, Err(Error::Superseded));
    completed(&newer).await;
    assert!(!newer.is_superseded());
    stop(older).await;
    stop(newer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_wrong_clock_decides_nothing() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    let system = world
        .start_on(
            1,
            Arc::clone(&store) as _,
            Arc::clone(&world.runner) as _,
            |_| {},
        )
        .await;
    *store.skew_ms.lock().unwrap() = Some(-5_001);
    world
        .advance_until(SECOND, || async { system.clock_skew() == Some(-5_001) })
        .await;
    let refused = ask(&system, request("acme", "ada")).await;
    assert_eq!(refused, Err(Error::ClockSkewed { skew_ms: -5_001 }));
    *store.skew_ms.lock().unwrap() = Some(4_000);
    world
        .advance_until(SECOND, || async { system.clock_skew().is_none() })
        .await;
    completed(&system).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_between_two_looks_at_the_stores_dates_nothing() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    *store.skew_ms.lock().unwrap() = Some(-1_000);
    let system = world
        .start_on(
            1,
            Arc::clone(&store) as _,
            Arc::clone(&world.runner) as _,
            |_| {},
        )
        .await;
    let (export, _) = completed(&system).await;
    // No time passes, so nobody has asked the store again.
    for (ahead, skew_ms) in [(8 * 24 * 3_600_000, -691_201_000), (-7_000, 6_000)] {
        world.clock.set_ahead(ahead);
        let refused = ask(&system, request("acme", "ada")).await;
        assert_eq!(refused, Err(Error::ClockSkewed { skew_ms }));
    }
    assert_eq!(status_of(&system, export).await, Some(Status::Completed));
    world.clock.set_ahead(3_000);
    completed(&system).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_not_seen_the_stores_clock_decides_nothing() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    log_id(store.as_ref(), &RandomIds, &world.clock)
        .await
        .unwrap();
    store.mute();
    let system = world
        .start_on(
            1,
            Arc::clone(&store) as _,
            Arc::clone(&world.runner) as _,
            |_| {},
        )
        .await;
    let refused = ask(&system, request("acme", "ada")).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    store.mend();
    world
        .advance_until(SECOND, || async {
            ask(&system, request("acme", "ada")).await.is_ok()
        })
        .await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_with_a_wrong_clock_records_as_it_starts_is_dated_by_the_stores() {
    let world = World::new();
    let right = world.clock.now();
    let store = FaultyStore::new(Arc::clone(&world.store));
    world.clock.set_ahead(3_600_000);
    *store.skew_ms.lock().unwrap() = Some(-3_600_000);
    let (ids, keys) = (RandomIds, [Digest::from_bytes([1; 32])]);
    let node = NodeId::from_uuid(Uuid::from_u128(1));
    log_id(store.as_ref(), &ids, &world.clock).await.unwrap();
    apply_keys(store.as_ref(), &ids, &world.clock, node, &keys, false)
        .await
        .unwrap();
    let storages = [Digest::from_bytes([2; 32])].into();
    record_storages(store.as_ref(), &ids, &world.clock, node, &storages)
        .await
        .unwrap();
    let runner = Arc::clone(&world.runner) as _;
    let system = world
        .start_on(1, Arc::clone(&store) as _, runner, |_| {})
        .await;
    system
        .configuration_applied(keys[0], "0.1.0", &BTreeMap::new())
        .await
        .unwrap();
    assert_eq!(system.clock_skew(), Some(-3_600_000));
    stop(system).await;
    let platform = StreamName::platform();
    let events = world
        .store
        .read(&platform, ReadFrom::Start, Direction::Forwards, 10);
    let events: Vec<_> = events.try_collect().await.unwrap();
    let at = events
        .iter()
        .map(|event| decode::<PlatformEvent>(event).unwrap().1.at);
    assert_eq!(at.collect::<Vec<_>>(), [right; 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_storage_that_doesnt_answer_are_left_until_it_does() {
    let world = World::new();
    let system = world.start(1).await;
    let (export, key) = completed(&system).await;
    *world.runner.answers.lock().unwrap() = false;
    let expired = || async {
        world
            .kinds(export)
            .await
            .iter()
            .any(|kind| kind == "expired")
    };
    world.pass(7 * DAY, DAY).await;
    world.advance_until(MINUTE, expired).await;
    world.pass(3 * HOUR, 10 * MINUTE).await;
    assert!(
        !world
            .kinds(export)
            .await
            .iter()
            .any(|kind| kind == "deletion_started")
    );
    assert!(world.runner.has(&key));
    // One that is full isn't verified, and is emptied all the same.
    *world.runner.verified.lock().unwrap() = false;
    *world.runner.answers.lock().unwrap() = true;
    world
        .advance_until(MINUTE, || is_deleted(&system, export))
        .await;
    stop(system).await;
}
