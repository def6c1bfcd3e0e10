//! Small exports on one, two and three nodes that share an event store: how throughput grows, and what it costs beside SQLite.
//!
//! Nodes are the built program; all of them, the store, and the clients share this machine's processors, so growth ends where
//! those are used up. The PostgreSQL is a real one of the bench's own, with `fsync` on.
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

#[path = "../support/postgres/mod.rs"]
mod postgres;
mod service;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Client;

use postgres::Postgres;
use service::{CATEGORIES, Process, ROWS, TENANTS, export, make_site, token};

/// Tenants that export at once, in turn on all nodes.
const CLIENTS: usize = 32;

/// How often a client looks whether its export is completed. Much more often, and asking would be what is measured.
const LOOK: Duration = Duration::from_millis(50);

/// Exports each node runs at once.
const WORKERS: [usize; 2] = [2, 8];

fn main() {
    let seconds = std::env::var("CARNET_BENCH_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!(
        "small exports ({} rows), {CLIENTS} tenants at once, completed a second",
        ROWS * CATEGORIES.len()
    );
    println!(
        "{:>12} {:>6} {:>10} {:>10}",
        "store", "nodes", "2 workers", "8 workers"
    );
    let figures = WORKERS.map(|workers| {
        let folder = tempfile::tempdir().unwrap();
        make_site(folder.path());
        let node = start(folder.path(), 0, workers, None);
        runtime.block_on(throughput(folder.path(), &[node], seconds))
    });
    print("SQLite", 1, figures);
    for nodes in 1..=3 {
        let figures = WORKERS.map(|workers| {
            let server = match Postgres::start(&["max_connections = 200"]) {
                Ok(server) => server,
                Err(reason) => panic!("no PostgreSQL to measure with: {reason}"),
            };
            let folder = tempfile::tempdir().unwrap();
            make_site(folder.path());
            let made = Command::new(env!("CARGO_BIN_EXE_carnet"))
                .args(["keys", "new", "data/keys"])
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(made.status.success());
            let url = server.url("postgres");
            let nodes: Vec<Process> = (0..nodes)
                .map(|node| start(folder.path(), node, workers, Some(&url)))
                .collect();
            runtime.block_on(throughput(folder.path(), &nodes, seconds))
        });
        print("PostgreSQL", nodes, figures);
    }
}

fn print(store: &str, nodes: usize, [two, eight]: [f64; 2]) {
    println!("{store:>12} {nodes:>6} {two:>10.0} {eight:>10.0}");
}

fn start(folder: &Path, node: usize, workers: usize, store: Option<&str>) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carnet"));
    command
        .args(["serve", "--config", "carnet.toml"])
        .current_dir(folder)
        .env("CARNET_LOG", "warn")
        .env("CARNET__WORKERS__MAX_RUNNING", workers.to_string());
    if let Some(url) = store {
        command.env("CARNET__STORE__URL", url).env(
            "CARNET__PROJECTIONS__PATH",
            format!("node-{node}/projections.db"),
        );
    }
    Process::start(&mut command)
}

/// Exports completed a second, after a second of warming up.
async fn throughput(folder: &Path, nodes: &[Process], seconds: u64) -> f64 {
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
                export(&http, &base, &token, LOOK).await;
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
