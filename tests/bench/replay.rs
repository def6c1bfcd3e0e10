//! Replaying a log into all projections, from zero. Promise: at least 300,000 events a second.
//!
//! `cargo bench -p carnet-projections --bench replay` writes a log of a million events (`CARNET_BENCH_EVENTS` for another
//! number) into an SQLite event store under `target/`, once, and then measures how long projections that know nothing of it
//! take to be up to date, indices included. Five runs (`CARNET_BENCH_RUNS` for another number); the median counts.
//! Then the same, without a promise, from a PostgreSQL of the bench's own and from KurrentDB or its stand-in, a fifth of the events each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench"
)]

#[path = "replay/history.rs"]
#[allow(
    dead_code,
    reason = "the other bench that has a history counts exports, not events"
)]
mod history;
mod kurrentdb;
#[path = "../support/postgres/mod.rs"]
mod postgres;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carnet_events::ids::Timestamp;
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{Access, EventStore, open};
use carnet_projections::{Options, ProjectionStatus, Projections, RunState};

use kurrentdb::KurrentDb;
use postgres::Postgres;

const PROMISE: f64 = 300_000.0;
const SETTING: history::Setting = history::Setting {
    tenants: 200,
    begin: Timestamp::from_millis(1_790_000_000_000),
};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(bench());
}

async fn bench() {
    let (events, runs) = (
        number("CARNET_BENCH_EVENTS", 1_000_000),
        number("CARNET_BENCH_RUNS", 5),
    );
    let directory = directory();
    let store = log(&directory, events).await;
    println!("replay of {events} events into exports, audit_log, operations, worklist");
    let median = replay(&store, &directory, events, runs).await;
    let verdict = if median >= PROMISE {
        "kept"
    } else {
        "not kept"
    };
    println!("median {median:.0} events/s; promised {PROMISE:.0}: {verdict}");

    let (server, cluster) = (Postgres::start(&[]), KurrentDb::start().await);
    let others = [
        (
            "PostgreSQL",
            server.map(|server| (server.url("postgres"), Some(server))),
        ),
        (cluster.name(), Ok((cluster.log(), None))),
    ];
    let events = events / 5;
    for (name, url) in others {
        match url {
            Ok((url, _server)) => {
                println!("replay of {events} events from {name}");
                let store = open(&url, Access::ReadWrite).await.expect("a store");
                history::write(&*store, SETTING, events).await;
                let median = replay(&store, &directory, events, runs).await;
                println!("median {median:.0} events/s");
            }
            Err(reason) => println!("{name}: not measured: {reason}"),
        }
    }
}

/// Replays the log so many times, and tells the median of events a second.
async fn replay(store: &Arc<dyn EventStore>, directory: &Path, events: usize, runs: usize) -> f64 {
    let mut speeds = Vec::new();
    for run in 1..=runs {
        let folder = directory.join("projections");
        let _ = std::fs::remove_dir_all(&folder);
        let path = folder.join("projections.db");
        let (began, cpu) = (Instant::now(), cpu_time());
        let projections = Projections::start(Arc::clone(store), Options::new(&path))
            .await
            .expect("projections");
        projections.wait_until_current().await.expect("replayed");
        let status = projections.status(Timestamp::EPOCH).await;
        let live = |one: &ProjectionStatus| one.state == RunState::Live;
        let all = status.projections.iter().all(live);
        assert!(all, "a projection stopped: {status:?}");
        let (took, cpu) = (began.elapsed(), cpu_time().saturating_sub(cpu));
        projections.shutdown().await;
        let speed = events as f64 / took.as_secs_f64();
        let each = cpu.as_secs_f64() * 1e6 / events as f64;
        println!(
            "run {run}: {took:.2?}, {speed:.0} events/s ({each:.2} µs of processor time each)"
        );
        speeds.push(speed);
    }
    speeds.sort_by(f64::total_cmp);
    speeds.get(runs / 2).copied().unwrap_or_default()
}

fn number(variable: &str, otherwise: usize) -> usize {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn directory() -> PathBuf {
    let target = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    target.join("carnet-replay")
}

/// The store with the log, filled if it is not there yet.
async fn log(directory: &Path, events: usize) -> Arc<dyn EventStore> {
    let (path, done) = (
        directory.join(format!("events-{events}.db")),
        directory.join(format!("events-{events}.done")),
    );
    if !done.exists() {
        remove(&path);
        let store = SqliteStore::open(&path).expect("a store");
        let began = Instant::now();
        history::write(&store, SETTING, events).await;
        drop(store);
        std::fs::write(&done, "").expect("a mark that the log is whole");
        println!("wrote the log in {:.1?}", began.elapsed());
    }
    Arc::new(SqliteStore::open(&path).expect("the log"))
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
}

/// Processor time of this process so far, where `/proc` tells it.
fn cpu_time() -> Duration {
    let ticks = std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|stat| {
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
            Some(ticks(11)? + ticks(12)?)
        });
    Duration::from_millis(ticks.unwrap_or(0) * 10)
}
