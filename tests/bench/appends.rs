//! Durable appends with 1, 64 and 512 writers, in SQLite, in PostgreSQL and in KurrentDB, against PostgreSQL inserting one row
//! per event in the same run, on the same server.
//!
//! All keep the same: events of the same size in streams of ten, as an export leaves them, each acknowledged only when
//! it is on disk, unique by stream and revision and by stream and id. A writer is a client that waits for its answer
//! before it asks again; in PostgreSQL each has a connection of its own and a prepared statement.
//!
//! `cargo bench --bench appends`; `CARNET_BENCH_SECONDS` is the time of a round (5), `TMPDIR` the disk. Where a
//! sync takes milliseconds, 64 clients who wait for each other's answers can't have more than 64 events per sync, however
//! little each costs: the ratio is then that of the groups.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    reason = "a program that prints figures"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it has nobody to hand an error to"
)]

mod kurrentdb;
#[path = "../support/postgres/mod.rs"]
mod postgres;

use std::sync::Arc;
use std::time::{Duration, Instant};

use carnet_events::envelope::NewEvent;
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{Access, EventStore, Expected, open};
use carnet_events::stream::StreamName;
use futures::future::join_all;
use uuid::Uuid;

use kurrentdb::KurrentDb;
use postgres::Postgres;

const WRITERS: [usize; 3] = [1, 64, 512];
const ROUNDS: usize = 3;
const EVENTS_PER_STREAM: u64 = 10;
const KIND: &str = "progressed";
const DATA: &str = r#"{"attempt":1,"phase":"reading","category":"support_tickets","rows":120000,"bytes":48211393}"#;
const METADATA: &str = concat!(
    r#"{"recorded_at":1794650523000,"tenant":"acme","principal":"2f7c1a9be0d84c55","#,
    r#""correlation":"0198c7a1-7b0c-7abc-8def-0123456789ab","schema":1}"#
);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let seconds = std::env::var("CARNET_BENCH_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(5);
    let peer = {
        let connections = WRITERS.into_iter().max().unwrap_or(1) + 10;
        Postgres::start(&[&format!("max_connections = {connections}")])
    };
    if let Err(reason) = &peer {
        println!("no peer: {reason}");
    }
    let kurrentdb = KurrentDb::start().await;
    println!(
        "durable appends per second, one event each; medians of {ROUNDS} rounds of {seconds} s, by turns"
    );
    println!("esdb:// is {}", kurrentdb.name());
    println!(
        "{:>7} {:>10} {:>10} {:>7} {:>14} {:>10} {:>7} {:>10} {:>7} {:>10}",
        "writers",
        "sqlite:",
        "per commit",
        "ratio",
        "postgres://",
        "per commit",
        "ratio",
        "esdb://",
        "ratio",
        "inserts"
    );
    for writers in WRITERS {
        let (mut sqlite, mut group) = (Vec::new(), 0.0);
        let (mut shared, mut shared_group) = (Vec::new(), 0.0);
        let (mut esdb, mut inserts) = (Vec::new(), Vec::new());
        let time = Duration::from_secs(seconds);
        for _ in 0..ROUNDS {
            let (appends, per_commit) = in_sqlite(writers, time).await;
            sqlite.push(appends);
            group = per_commit;
            if let Ok(peer) = &peer {
                let (appends, per_commit) = in_postgres(peer, writers, time).await;
                shared.push(appends);
                shared_group = per_commit;
            }
            esdb.push(in_kurrentdb(&kurrentdb, writers, time).await);
            match peer.as_ref().map(|peer| theirs(peer, writers, seconds)) {
                Ok(Ok(second)) => inserts.push(second),
                Ok(Err(reason)) => println!("a round without the peer: {reason}"),
                Err(_) => {}
            }
        }
        let (sqlite, shared, esdb, inserts) = (
            median(sqlite),
            median(shared),
            median(esdb),
            median(inserts),
        );
        println!(
            "{writers:>7} {sqlite:>10.0} {group:>10.1} {:>6.1}× {shared:>14.0} {shared_group:>10.1} {:>6.1}× \
             {esdb:>10.0} {:>6.1}× {inserts:>10.0}",
            sqlite / inserts,
            shared / inserts,
            esdb / inserts
        );
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Appends per second, and how many of them shared a commit.
async fn in_sqlite(writers: usize, time: Duration) -> (f64, f64) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = Arc::new(SqliteStore::open(directory.path().join("events.db")).expect("a store"));
    let (appends, second) = ours(store.clone(), writers, time).await;
    (second, appends / store.commits() as f64)
}

/// The same in a new schema on the peer's server.
async fn in_postgres(peer: &Postgres, writers: usize, time: Duration) -> (f64, f64) {
    let schema = format!("s_{}", Uuid::now_v7().simple());
    let url = format!("{}?schema={schema}", peer.url("postgres"));
    let store = PostgresStore::open(&url, Access::ReadWrite).await;
    let store = Arc::new(store.expect("a store"));
    let (appends, second) = ours(store.clone(), writers, time).await;
    (second, appends / store.commits() as f64)
}

/// Appends per second. Each is a request of its own: the protocol has no group of appends to several streams.
async fn in_kurrentdb(server: &KurrentDb, writers: usize, time: Duration) -> f64 {
    let store = open(&server.log(), Access::ReadWrite).await;
    ours(store.expect("a store"), writers, time).await.1
}

/// How many appends were made, and how many a second.
async fn ours<S: EventStore + ?Sized + 'static>(
    store: Arc<S>,
    writers: usize,
    time: Duration,
) -> (f64, f64) {
    let begun = Instant::now();
    let writers = (0..writers).map(|_| tokio::spawn(write(store.clone(), begun, time)));
    let appends: u64 = join_all(writers)
        .await
        .into_iter()
        .map(|writer| writer.expect("a writer"))
        .sum();
    let appends = appends as f64;
    (appends, appends / begun.elapsed().as_secs_f64())
}

async fn write<S: EventStore + ?Sized>(store: Arc<S>, begun: Instant, time: Duration) -> u64 {
    let mut appends = 0;
    loop {
        let name: StreamName = format!("export-{}", Uuid::now_v7())
            .parse()
            .expect("a name");
        let mut expected = Expected::NoStream;
        for _ in 0..EVENTS_PER_STREAM {
            if begun.elapsed() >= time {
                return appends;
            }
            let event = NewEvent {
                id: Uuid::now_v7(),
                kind: KIND.into(),
                data: DATA.into(),
                metadata: METADATA.into(),
            };
            let appended = store
                .append(&name, expected, vec![event])
                .await
                .expect("an append");
            expected = Expected::Exact(appended.last_revision);
            appends += 1;
        }
    }
}

/// Inserts per second.
fn theirs(peer: &Postgres, clients: usize, seconds: u64) -> Result<f64, String> {
    peer.execute(
        "DROP TABLE IF EXISTS events;
         CREATE TABLE events (position bigserial PRIMARY KEY, stream bigint NOT NULL, revision bigint NOT NULL,
             id uuid NOT NULL, kind text NOT NULL, data bytea NOT NULL, metadata bytea NOT NULL,
             UNIQUE (stream, revision), UNIQUE (stream, id))",
    )?;
    // Each client counts its own events; its streams are numbered, which costs PostgreSQL less than names would.
    let script = format!(
        "\\set n :n + 1\n\\set stream :n / {EVENTS_PER_STREAM} * 1000 + :client_id\n\\set revision :n % {EVENTS_PER_STREAM}\n\
         INSERT INTO events (stream, revision, id, kind, data, metadata) \
         VALUES (:stream, :revision, gen_random_uuid(), '{KIND}', '{DATA}', '{METADATA}');\n"
    );
    peer.bench(&script, clients, seconds)
}
