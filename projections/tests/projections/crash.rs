//! Interruptions at any moment: nothing is lost, nothing counted twice, and no checkpoint is ahead of its tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{EventStore, Filter};
use carnet_projections::{Error, Options, Projections};
use futures::TryStreamExt;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::flaky::Flaky;
use crate::history::{self, FATES};
use crate::seen::{Seen, assert_same, look};

/// Events of a transaction where transactions are counted.
const STEP: usize = 40;

/// Lets everything through.
const ALL: usize = 1 << 20;

/// A history of all fates in some order, and how many events it has.
async fn written(chapters: usize) -> (Arc<MemoryStore>, usize) {
    let store = Arc::new(MemoryStore::new());
    for number in 0..chapters {
        let fate = (number * 7 + number / 11) % usize::from(FATES);
        history::write(store.as_ref(), number, u8::try_from(fate).unwrap()).await;
    }
    let all = store.read_all(None, Filter::all(), usize::MAX);
    let events: Vec<_> = all.try_collect().await.unwrap();
    (store, events.len())
}

fn options(path: &Path) -> Options {
    Options {
        batch_events: 50,
        ..Options::new(path)
    }
}

async fn uninterrupted(store: &Arc<MemoryStore>, folder: &Path) -> Seen {
    let store: Arc<dyn EventStore> = Arc::clone(store) as _;
    let projections = Projections::start(store, options(&folder.join("uninterrupted.db")));
    let projections = projections.await.unwrap();
    let seen = look(&projections).await;
    projections.shutdown().await;
    seen
}

/// Starts projections; whoever had the file before may need a moment to leave it.
async fn start(store: &Arc<dyn EventStore>, path: &Path) -> Projections {
    loop {
        match Projections::start(Arc::clone(store), options(path)).await {
            Err(Error::InUse { .. }) => tokio::task::yield_now().await,
            started => return started.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_breaks_off_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, events) = written(60).await;
    let expected = uninterrupted(&store, folder.path()).await;
    for breaks_after in [events / 20, events / 3, events - 1, events] {
        let flaky: Arc<dyn EventStore> = Arc::new(Flaky {
            store: Arc::clone(&store),
            breaks_after,
            gate: Arc::new(Semaphore::new(ALL)),
        });
        let path = folder.path().join(format!("{breaks_after}.db"));
        let projections = start(&flaky, &path).await;
        let when = format!("broken off after every {breaks_after} of {events}");
        assert_same(&look(&projections).await, &expected, &when);
        projections.shutdown().await;
    }
}

/// Files that are whole, and of no event yet: what comes is written into them in transactions.
async fn begin(path: &Path) {
    let nothing: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let projections = start(&nothing, path).await;
    projections.wait_until_current().await.unwrap();
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_or_dropped_at_any_moment_it_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (store, events) = written(200).await;
    let expected = uninterrupted(&store, folder.path()).await;
    for begun in [false, true] {
        let path = folder.path().join(format!("stopped-{begun}.db"));
        if begun {
            begin(&path).await;
        }
        let flaky = Flaky::gated(Arc::clone(&store));
        let gate = Arc::clone(&flaky.gate);
        let flaky: Arc<dyn EventStore> = Arc::new(flaky);
        for round in 0..30 {
            let projections = start(&flaky, &path).await;
            gate.add_permits(round * 31 % 97);
            for _ in 0..round * 17 % 60 {
                tokio::task::yield_now().await;
            }
            match round % 3 {
                0 => drop(projections),
                _ => projections.shutdown().await,
            }
        }
        gate.add_permits(ALL);
        let projections = start(&flaky, &path).await;
        let when = format!("stopped 30 times within {events} events, files there: {begun}");
        assert_same(&look(&projections).await, &expected, &when);
        projections.shutdown().await;
    }
}

const NAMES: [&str; 4] = ["exports", "audit_log", "operations", "worklist"];

/// The file of a projection in its first generation.
fn file_of(path: &Path, name: &str) -> PathBuf {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    path.with_file_name(format!("{stem}-{name}-1.db"))
}

/// The files as a crash at this moment would leave them: those in use with what stands in their logs of writes, those that
/// are being filled with what is there of them. A transaction that reads keeps a log of writes from being begun anew; what
/// is half written at its end is what a crash would leave there, too. Says how many were in use.
fn crash_image(path: &Path, to: &Path) -> usize {
    let with = |path: &Path, suffix: &str| path.with_extension(format!("db{suffix}"));
    let mut whole = 0;
    for name in NAMES {
        let (from, to) = (file_of(path, name), file_of(to, name));
        if let Ok(reader) = Connection::open_with_flags(&from, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            reader.execute_batch("BEGIN").unwrap();
            let count = "SELECT count(*) FROM checkpoint";
            let known: i64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
            assert_eq!(known, 1);
            fs::copy(&from, &to).unwrap();
            fs::copy(with(&from, "-wal"), with(&to, "-wal")).unwrap();
            whole += 1;
        } else if fs::copy(with(&from, ".filling"), with(&to, ".filling")).is_ok() {
            // Cut off anywhere.
            let file = fs::File::options().write(true).open(with(&to, ".filling"));
            file.unwrap().set_len(10_000).unwrap();
        }
    }
    whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_leaves_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (store, events) = written(120).await;
    let expected = uninterrupted(&store, folder.path()).await;
    let whole: Arc<dyn EventStore> = Arc::clone(&store) as _;
    for begun in [false, true] {
        let path = folder.path().join(format!("crashing-{begun}.db"));
        if begun {
            begin(&path).await;
        }
        let flaky = Flaky::gated(Arc::clone(&store));
        let gate = Arc::clone(&flaky.gate);
        let flaky: Arc<dyn EventStore> = Arc::new(flaky);
        let projections = start(&flaky, &path).await;
        for round in 0..7 {
            gate.add_permits(events / 8);
            for _ in 0..round * 13 {
                tokio::task::yield_now().await;
            }
            let image = folder.path().join(format!("image-{begun}-{round}.db"));
            let in_use = crash_image(&path, &image);
            assert_eq!(in_use, if begun { NAMES.len() } else { 0 });
            let after = start(&whole, &image).await;
            let when = format!("after a crash in round {round}, files there: {begun}");
            assert_same(&look(&after).await, &expected, &when);
            after.shutdown().await;
        }
        projections.shutdown().await;
    }
}

/// What stands in the files in one and the same snapshot of each: the position and events of two projections, and their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Snapshot {
    log: Log,
    exports: Exports,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Log {
    at: Option<i64>,
    events: i64,
    entries: i64,
    counted: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Exports {
    at: Option<i64>,
    events: i64,
    all: i64,
    settled: i64,
}

/// A connection that reads all the files.
fn reader(path: &Path) -> Connection {
    let reader = Connection::open_in_memory().unwrap();
    for name in NAMES {
        let file = file_of(path, name);
        let attach = format!("ATTACH ? AS {name}");
        reader.execute(&attach, [file.to_str().unwrap()]).unwrap();
    }
    reader
}

fn snapshot(reader: &mut Connection) -> Snapshot {
    let transaction = reader.transaction().unwrap();
    let checkpoint = |name: &str| -> (Option<i64>, i64) {
        let sql = format!("SELECT at_prepare, events FROM {name}.checkpoint");
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        transaction.query_row(&sql, [], read).unwrap()
    };
    let number = |sql: &str| -> i64 { transaction.query_row(sql, [], |row| row.get(0)).unwrap() };
    let (log_at, log_events) = checkpoint("audit_log");
    let (exports_at, exports_events) = checkpoint("exports");
    Snapshot {
        log: Log {
            at: log_at,
            events: log_events,
            entries: number("SELECT count(*) FROM audit_log"),
            counted: number(
                "SELECT coalesce(sum(count), 0) FROM audit_counts WHERE span = 86400000",
            ),
        },
        exports: Exports {
            at: exports_at,
            events: exports_events,
            all: number("SELECT count(*) FROM exports"),
            settled: number(
                "SELECT coalesce(sum(count), 0) FROM exports_counts WHERE principal = 0 AND status > 1",
            ),
        },
    }
}

/// What there has to be at every position: all by the events up to there alone.
async fn expected(store: &MemoryStore) -> Vec<Snapshot> {
    let all = store.read_all(None, Filter::all(), usize::MAX);
    let events: Vec<_> = all.try_collect().await.unwrap();
    let mut now = Snapshot {
        log: Log {
            at: None,
            events: 0,
            entries: 0,
            counted: 0,
        },
        exports: Exports {
            at: None,
            events: 0,
            all: 0,
            settled: 0,
        },
    };
    let mut expected = vec![now];
    for event in events {
        let at = Some(event.position.prepare.cast_signed());
        (now.log.at, now.exports.at) = (at, at);
        now.log.events += 1;
        now.exports.events += 1;
        let kind = &*event.kind;
        now.exports.all += i64::from(kind == "requested");
        now.exports.settled += i64::from(["completed", "failed", "cancelled"].contains(&kind));
        let silent = [
            "requested",
            "started",
            "progressed",
            "handed_back",
            "configuration_applied",
            "intake_paused",
            "intake_resumed",
            "drain_started",
            "drain_ended",
        ];
        now.log.entries += i64::from(!silent.contains(&kind));
        now.log.counted = now.log.entries;
        expected.push(now);
    }
    expected
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_and_its_tables_are_always_of_the_same_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (store, events) = written(100).await;
    let expected = expected(&store).await;
    let path = folder.path().join("projections.db");
    begin(&path).await;
    let flaky = Flaky::gated(store);
    let gate = Arc::clone(&flaky.gate);
    let flaky: Arc<dyn EventStore> = Arc::new(flaky);
    // As many as are let on together: each step is a transaction, and none is waited for.
    let options = Options {
        batch_events: STEP,
        ..options(&path)
    };
    let projections = Projections::start(flaky, options).await.unwrap();
    let mut reader = reader(&path);
    let mut seen = BTreeSet::new();
    let mut permitted = 0;
    while permitted < events {
        let step = STEP.min(events - permitted);
        permitted += step;
        gate.add_permits(step);
        loop {
            let found = snapshot(&mut reader);
            let done = usize::try_from(found.log.events).unwrap();
            assert_eq!(found.log, expected[done].log, "{done} of {events} events");
            let of = usize::try_from(found.exports.events).unwrap();
            let expected = expected[of].exports;
            assert_eq!(found.exports, expected, "{of} of {events} events");
            seen.insert(found);
            if done == permitted && of == permitted {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert!(seen.len() > events / STEP, "{}", seen.len());
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_committed_in_transactions_as_large_as_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // More than the runner takes before it looks for something more urgent.
    let (store, events) = written(3000).await;
    assert!(events > 8192, "{events}");
    let path = folder.path().join("projections.db");
    begin(&path).await;
    let flaky = Flaky::gated(store);
    let gate = Arc::clone(&flaky.gate);
    let options = Options {
        batch_events: events / 2,
        ..Options::new(&path)
    };
    let projections = Projections::start(Arc::new(flaky), options).await.unwrap();
    gate.add_permits(ALL);
    let mut reader = reader(&path);
    let mut seen = BTreeSet::new();
    while seen.last().copied().unwrap_or(0) < events {
        let done = snapshot(&mut reader).log.events;
        seen.insert(usize::try_from(done).unwrap());
        tokio::task::yield_now().await;
    }
    let after_the_first = seen.iter().find(|done| **done > 0).unwrap();
    assert!(
        *after_the_first >= events / 2,
        "{seen:?} of {events} events"
    );
    projections.shutdown().await;
}
