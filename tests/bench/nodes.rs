//! Small exports on one, two and three nodes that share an event store: how throughput grows, and what it costs beside SQLite.
//!
//! Nodes are the built program; all of them, the store, and the clients share this machine's processors. So there are two
//! kinds of exports: *busy* ones, of rows that are there at once, use those up with one node already, and show what a node's
//! company costs; *waiting* ones, whose source takes a while to answer without computing anything, show how throughput grows
//! with nodes. The PostgreSQL is a real one of the bench's own, with `fsync` on; KurrentDB is its stand-in unless
//! `CARNET_TEST_ESDB` names a real one.
//!
//! `cargo bench --bench nodes`; `CARNET_BENCH_SECONDS` is the time each figure is measured for (5), `TMPDIR` the disk.
#![allow(
    missing_docs,
    clippy::print_stdout,
    reason = "a program that prints figures"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it has nobody to hand an error to"
)]

mod kurrentdb;
#[path = "../support/postgres/mod.rs"]
mod postgres;
mod service;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Client;

use kurrentdb::KurrentDb;
use postgres::Postgres;
use service::{CATEGORIES, Process, ROWS, TENANTS, export, make_site, token};

/// Tenants that export at once, in turn on all nodes.
const CLIENTS: usize = 32;

/// How often a client looks whether its export is completed. Much more often, and asking would be what is measured.
const LOOK: Duration = Duration::from_millis(50);

/// Exports each node runs at once, of either kind.
const WORKERS: usize = 2;

/// How long the source of a waiting export takes.
const WAIT: &str = "0.2";

const BUSY: &[&str] = &CATEGORIES;
const WAITING: &[&str] = &["waiting"];

fn main() {
    let seconds = std::env::var("CARNET_BENCH_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let server = match Postgres::start(&["max_connections = 200"]) {
        Ok(server) => server,
        Err(reason) => panic!("no PostgreSQL to measure with: {reason}"),
    };
    let kurrentdb = runtime.block_on(KurrentDb::start());
    println!(
        "exports of {CLIENTS} tenants at once, {WORKERS} a node, completed a second; busy: {} rows; waiting: a source that takes {WAIT} s",
        ROWS * CATEGORIES.len()
    );
    println!("KurrentDB is {}", kurrentdb.name());
    println!(
        "{:>12} {:>6} {:>10} {:>10}",
        "store", "nodes", "busy", "waiting"
    );
    let in_postgres = |run: &str| format!("{}?schema={run}", server.url("postgres"));
    for (store, most) in [("SQLite", 1), ("PostgreSQL", 3), ("KurrentDB", 3)] {
        for count in 1..=most {
            let [busy, waiting] = [BUSY, WAITING].map(|categories| {
                let folder = tempfile::tempdir().unwrap();
                make_site(folder.path());
                add_waiting(folder.path(), &server.url("postgres"));
                let url = match store {
                    "PostgreSQL" => Some(in_postgres(&format!("{}_{count}", categories[0]))),
                    "KurrentDB" => Some(kurrentdb.log()),
                    _ => None,
                };
                if url.is_some() {
                    make_keys(folder.path());
                }
                let nodes: Vec<Process> = (0..count)
                    .map(|node| start(folder.path(), node, url.as_deref()))
                    .collect();
                runtime.block_on(throughput(folder.path(), &nodes, categories, seconds))
            });
            println!("{store:>12} {count:>6} {busy:>10.0} {waiting:>10.0}");
        }
    }
}

/// A category whose rows a server gives after a while.
fn add_waiting(folder: &Path, server: &str) {
    let category = format!(
        r#"
[[source]]
name = "waiting"
url = "{server}"
[[category]]
id = "waiting"
title = "waiting"
source = "waiting"
tenant_column = "tenant"
query = "select :tenant::text as tenant, 1 as id from (select pg_sleep({WAIT})) as slept order by id"
[category.columns]
id = {{ type = "integer" }}
tenant = {{ type = "text", rule = "drop" }}
"#
    );
    let file = folder.join("carnet.toml");
    let config = std::fs::read_to_string(&file).unwrap() + &category;
    std::fs::write(file, config).unwrap();
}

fn make_keys(folder: &Path) {
    let made = Command::new(env!("CARGO_BIN_EXE_carnet"))
        .args(["keys", "new", "data/keys"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success());
}

fn start(folder: &Path, node: usize, store: Option<&str>) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carnet"));
    command
        .args(["serve", "--config", "carnet.toml"])
        .current_dir(folder)
        .env("CARNET_LOG", "warn")
        .env("CARNET__WORKERS__MAX_RUNNING", WORKERS.to_string());
    if let Some(url) = store {
        command.env("CARNET__STORE__URL", url).env(
            "CARNET__PROJECTIONS__PATH",
            format!("node-{node}/projections.db"),
        );
    }
    Process::start(&mut command)
}

/// Exports completed a second, after a second of warming up.
async fn throughput(
    folder: &Path,
    nodes: &[Process],
    categories: &'static [&'static str],
    seconds: u64,
) -> f64 {
    let tokens: Vec<_> = (0..CLIENTS.min(TENANTS))
        .map(|tenant| token(folder, tenant))
        .collect();
    let begun = Instant::now();
    let (from, to) = (
        begun + Duration::from_secs(1),
        begun + Duration::from_secs(1 + seconds),
    );
    let clients = tokens.into_iter().enumerate().map(|(number, token)| {
        let (http, base) = (Client::new(), nodes[number % nodes.len()].address.clone());
        tokio::spawn(async move {
            let mut count = 0u32;
            while Instant::now() < to {
                export(&http, &base, &token, categories, LOOK).await;
                let now = Instant::now();
                count += u32::from(now >= from && now < to);
            }
            count
        })
    });
    let mut count = 0;
    for client in clients.collect::<Vec<_>>() {
        count += client.await.unwrap();
    }
    f64::from(count) / seconds as f64
}
