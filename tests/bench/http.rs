//! The service over HTTP: small exports from request to completion, and status reads beside a bare actix-web route.
//!
//! The service is the built program, on a disk of its own making; it and the bare route run as processes with the same number of
//! threads and are asked in turn. `wrk` asks for statuses (Debian package `wrk`).
//!
//! `cargo bench --bench http`; `CARNET_BENCH_SECONDS` is the time each figure is measured for (5), `TMPDIR` the disk.
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

mod service;

use std::process::Command;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use reqwest::Client;

use service::{CATEGORIES, Process, ROWS, TENANTS, export, make_site, token};

/// The bare route answers with as many bytes as a job has.
const BARE: &str = "CARNET_BENCH_BARE_BYTES";

fn main() {
    if let Ok(bytes) = std::env::var(BARE) {
        return bare(bytes.parse().unwrap());
    }
    let seconds = std::env::var("CARNET_BENCH_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let seconds = seconds.unwrap_or(5);
    let folder = tempfile::tempdir().unwrap();
    make_site(folder.path());
    let service = Process::start(
        Command::new(env!("CARGO_BIN_EXE_carnet"))
            .args(["serve", "--config", "carnet.toml"])
            .current_dir(folder.path())
            .env("CARNET_LOG", "warn"),
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let tokens: Vec<String> = (0..TENANTS)
        .map(|tenant| token(folder.path(), tenant))
        .collect();
    let id = runtime.block_on(small_exports(&service.address, &tokens, seconds));
    status_reads(&service.address, &tokens[0], &id, seconds);
}

/// How often a client looks whether its export is completed.
const LOOK: Duration = Duration::from_millis(1);

/// Prints latency and throughput; gives the id of an export of the first tenant.
async fn small_exports(base: &str, tokens: &[String], seconds: u64) -> String {
    let http = Client::new();
    let mut took = Vec::new();
    let mut id = String::new();
    // The first ones warm up caches and connections.
    for round in 0..220 {
        let begun = Instant::now();
        id = export(&http, base, &tokens[0], &CATEGORIES, LOOK).await;
        if round >= 20 {
            took.push(begun.elapsed());
        }
    }
    took.sort();
    let millis = |at: usize| took[at].as_secs_f64() * 1e3;
    println!(
        "small exports ({} rows), one client: median {:.1} ms, 95 % within {:.1} ms, request to completed",
        ROWS * CATEGORIES.len(),
        millis(took.len() / 2),
        millis(took.len() * 95 / 100)
    );
    let end = Instant::now() + Duration::from_secs(seconds);
    let begun = Instant::now();
    let clients = tokens.iter().take(32).map(|token| {
        let (http, base, token) = (http.clone(), base.to_owned(), token.clone());
        tokio::spawn(async move {
            let mut count = 0u64;
            while Instant::now() < end {
                export(&http, &base, &token, &CATEGORIES, LOOK).await;
                count += 1;
            }
            count
        })
    });
    let mut count = 0;
    for client in clients.collect::<Vec<_>>() {
        count += client.await.unwrap();
    }
    println!(
        "small exports, 32 tenants at once: {:.0} a second for {:.1} s",
        count as f64 / begun.elapsed().as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    id
}

fn status_reads(base: &str, token: &str, id: &str, seconds: u64) {
    let url = format!("{base}/api/account-exports/{id}");
    let header = format!("authorization: Bearer {token}");
    let job = Command::new("curl")
        .args(["-s", "-H", &header, &url])
        .output()
        .unwrap()
        .stdout;
    let peer = Process::start(
        Command::new(std::env::current_exe().unwrap()).env(BARE, job.len().to_string()),
    );
    let bare = format!("{}/api/account-exports/{id}", peer.address);
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let (Some(ours), Some(theirs)) =
            (wrk(&url, &header, seconds), wrk(&bare, &header, seconds))
        else {
            println!("status reads: `wrk` is not installed, NOT measured");
            return;
        };
        println!(
            "status reads: {ours:.0} a second; a bare route of {} bytes: {theirs:.0}",
            job.len()
        );
        ratios.push(ours / theirs);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "status reads against the bare route: median ratio {:.2} (promise: 0.60)",
        ratios[2]
    );
}

fn wrk(url: &str, header: &str, seconds: u64) -> Option<f64> {
    let duration = format!("{seconds}s");
    let output = Command::new("wrk")
        .args(["-t1", "-c32", "-d", &duration, "-H", header, url])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx"), "{text}");
    let figure = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))?;
    figure.trim().parse().ok()
}

/// The peer: one route, a constant answer.
fn bare(bytes: usize) {
    let body = "x".repeat(bytes);
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            let body = body.clone();
            let answer = move |_: web::Path<String>| {
                let body = body.clone();
                async move {
                    HttpResponse::Ok()
                        .content_type("application/json")
                        .body(body)
                }
            };
            App::new().route("/api/account-exports/{id}", web::get().to(answer))
        });
        let server = server.bind("127.0.0.1:0").unwrap();
        println!("http://{}", server.addrs()[0]);
        server.run().await.unwrap();
    });
}
