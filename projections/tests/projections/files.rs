//! The files: whose they are, what becomes of damaged ones, and what a projection that can't go on leaves readable.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carnet_events::envelope::NewEvent;
use carnet_events::ids::Timestamp;
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{EventStore, Expected};
use carnet_events::stream::StreamName;
use carnet_projections::{
    Error, Options, ProjectionName, Projections, RunState, StoredStatus, stored_status,
};
use rusqlite::Connection;
use uuid::Uuid;

use crate::history::{self, export};
use crate::seen::{Seen, assert_same, look};

async fn written() -> Arc<dyn EventStore> {
    let store = MemoryStore::new();
    for number in 0..30_u8 {
        history::write(&store, usize::from(number), number % history::FATES).await;
    }
    Arc::new(store)
}

async fn start(store: &Arc<dyn EventStore>, path: &Path) -> Projections {
    let started = Projections::start(Arc::clone(store), Options::new(path));
    started.await.unwrap()
}

/// Starts, looks, and ends.
async fn seen(store: &Arc<dyn EventStore>, path: &Path) -> Seen {
    let projections = start(store, path).await;
    let seen = look(&projections).await;
    projections.shutdown().await;
    seen
}

fn generation(path: &Path, name: ProjectionName) -> u32 {
    let stored = stored_status(path).unwrap();
    let found = stored.iter().find(|one| one.name == name.as_str());
    found.unwrap().generation
}

fn file(path: &Path, name: ProjectionName, generation: u32) -> PathBuf {
    path.with_file_name(format!("projections-{name}-{generation}.db"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_or_unfinished_files_are_filled_anew_and_the_others_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("projections.db");
    let store = written().await;
    let expected = seen(&store, &path).await;
    let exports = file(&path, ProjectionName::Exports, 1);
    fs::write(&exports, "no database").unwrap();
    let leftover = file(&path, ProjectionName::Worklist, 2).with_extension("db.filling");
    fs::write(&leftover, "half a database").unwrap();
    assert_same(&seen(&store, &path).await, &expected, "after damage");
    let damaged = exports.with_extension("db.damaged");
    assert_eq!(fs::read(damaged).unwrap(), b"no database");
    assert!(!leftover.exists());
    for name in ProjectionName::ALL {
        let anew = name == ProjectionName::Exports;
        assert_eq!(generation(&path, name), 1 + u32::from(anew), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_file_of_earlier_builds_is_removed_and_a_strangers_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("projections.db");
    let store = written().await;
    let make = |application_id: i32| {
        let database = Connection::open(&path).unwrap();
        database
            .execute_batch("CREATE TABLE IF NOT EXISTS t (a)")
            .unwrap();
        let set = database.pragma_update(None, "application_id", application_id);
        set.unwrap();
    };
    make(7);
    let refused = Projections::start(Arc::clone(&store), Options::new(&path)).await;
    assert!(matches!(refused, Err(Error::NotOurs { .. })));
    assert!(path.exists());
    make(0x4350_524a);
    let first = seen(&store, &path).await;
    assert!(!path.exists());
    assert_same(&seen(&store, &path).await, &first, "the second time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_projection_holds_stays_readable_and_a_rebuild_says_why_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("projections.db");
    let store = written().await;
    let before = seen(&store, &path).await;
    let nonsense = NewEvent {
        id: Uuid::from_u128(99),
        kind: "requested".into(),
        data: "{}".into(),
        metadata: r#"{"recorded_at":1,"tenant":"acme","schema":1}"#.into(),
    };
    let stream = StreamName::export(export(1000));
    let appended = store.append(&stream, Expected::NoStream, vec![nonsense]);
    appended.await.unwrap();
    for when in ["followed", "started again", "and again"] {
        let projections = start(&store, &path).await;
        projections.wait_until_current().await.unwrap();
        let status = projections.status(Timestamp::EPOCH).await;
        for one in &status.projections {
            let stopped = matches!(one.state, RunState::Stopped { .. });
            assert!(stopped, "{when}: {one:?}");
        }
        assert_same(&look(&projections).await, &before, when);
        let rebuilt = projections.rebuild(&[ProjectionName::Exports]).await;
        assert!(matches!(rebuilt, Err(Error::BadRow { .. })), "{rebuilt:?}");
        assert_same(&look(&projections).await, &before, when);
        // Whoever looks later sees it, too; of the others none was tried.
        let status = projections.status(Timestamp::EPOCH).await;
        for one in &status.projections {
            let tried = one.name == ProjectionName::Exports;
            let why = one.rebuild_failed.as_deref();
            assert_eq!(why.is_some(), tried, "{when}: {one:?}");
            assert!(why.is_none_or(|why| !why.is_empty()));
        }
        let failed = |stored: Vec<StoredStatus>| {
            let of_it = stored.into_iter().find(|one| one.name == "exports");
            of_it.unwrap().rebuild_failed
        };
        let told = status.projections[0].rebuild_failed.clone();
        assert_eq!(status.projections[0].name, ProjectionName::Exports);
        assert_eq!(failed(stored_status(&path).unwrap()), told);
        projections.shutdown().await;
        assert_eq!(failed(stored_status(&path).unwrap()), told);
    }
}
