//! SQLite to a verified `.json.gz`, a million rows, against `sqlite3 -json … | gzip` and `| pigz` in the same run; and the memory that an
//! export takes at one and at ten million rows.
//!
//! `cargo bench --bench export` (needs `sqlite3`, `gzip` and `pigz` on the path). `-- --rows N` for another size, `-- --rounds N` for more
//! rounds: rounds are interleaved and the fastest of each counts, so that a busy machine slows all of them alike.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark stops at the first surprise and prints what it measured"
)]

mod rows;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carnet::export::catalog::{Catalog, CategoryConfig, SourceConfig};
use carnet::export::detect::{Counts, Profile, Redactor};
use carnet::export::encode::{HashKey, RowEncoder};
use carnet::export::run::{Exporter, Parts};
use carnet::export::source::{Cell, Row};
use carnet::export::storages::Storages;
use carnet::export::verify::{Limits, Verdict, verify_file};
use carnet::keys::KeyRing;
use carnet_actors::ports::{Job, Runner, SystemClock};
use carnet_events::domain::export::{Progress, PublishedArtifact};
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request};
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use rows::{Chance, database};

const COLUMNS: &str = "id, tenant, uid, name, email, subject, body, amount, created_at, active";

const CATALOG: &str = r#"
[[category]]
id = "tickets"
title = "Tickets"
source = "main"
tenant_column = "tenant"
query = "QUERY"
[category.columns]
id = { type = "integer" }
tenant = { type = "text", rule = "keep", why = "the tenant's own id" }
uid = { type = "uuid" }
name = { type = "text", rule = "keep", why = "names" }
email = { type = "text", rule = "keep", why = "the peers keep it too" }
subject = { type = "text" }
body = { type = "text" }
amount = { type = "decimal" }
created_at = { type = "timestamp" }
active = { type = "bool" }
"#;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
            .map_or(default, |value| value.parse().expect("a number"))
    };
    let rows = number("--rows", 1_000_000);
    let database = database(rows);
    match number("--memory", 0) {
        0 => {
            measure_core();
            compare(&database, rows, number("--rounds", 3));
            for factor in [1, 10] {
                measure_memory(rows, factor);
            }
        }
        factor => print_memory(&database, factor),
    }
}

/// What one core does by itself: looking through clean text, and encoding rows of ten columns, two of them scanned.
fn measure_core() {
    let mut chance = Chance(7);
    let texts: Vec<String> = (0..4096).map(|_| chance.words(16)).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut redactor = Redactor::default();
    let (mut counts, mut out) = (Counts::default(), String::new());
    let rounds = 200;
    let start = Instant::now();
    for text in texts.iter().cycle().take(texts.len() * rounds) {
        redactor.redact(
            text,
            Profile::of(text.as_bytes()),
            false,
            &mut counts,
            &mut out,
        );
    }
    println!(
        "detectors: {:.0} MB/s on clean text",
        (bytes * rounds) as f64 / 1e6 / start.elapsed().as_secs_f64()
    );

    let file: File = toml::from_str(CATALOG).unwrap();
    let source = SourceConfig::new("main", "sqlite:none");
    let file = File {
        category: file
            .category
            .into_iter()
            .map(|category| CategoryConfig {
                query: "select :tenant".into(),
                ..category
            })
            .collect(),
    };
    let catalog = Catalog::compile(&[source], &file.category).unwrap();
    let hash = HashKey::new("bench", &[0; 32]);
    let names: Vec<&str> = COLUMNS.split(", ").collect();
    let rules = &catalog.get("tickets").unwrap().rules;
    let mut encoder =
        RowEncoder::new(rules, &names, &TenantId::new("acme").unwrap(), None, &hash).unwrap();
    let row = OneRow(vec![
        Cell::Integer(123_456),
        Cell::Text(b"acme"),
        Cell::Text(b"550e8400-e29b-41d4-a716-446655440000"),
        Cell::Text(b"Barbara Liskov"),
        Cell::Text(b"barbara.liskov123@example.com"),
        Cell::Text(b"payment failed twice"),
        Cell::Text(b"customer waiting for a refund of the second invoice since the first letter"),
        Cell::Double(123.45),
        Cell::Text(b"2024-01-15 10:15:30"),
        Cell::Integer(1),
    ]);
    let mut out = Vec::new();
    let rows = 1_000_000;
    let mut written = 0;
    let start = Instant::now();
    for _ in 0..rows {
        out.clear();
        encoder.encode(&row, &mut out).unwrap();
        written += out.len();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "encoding: {:.2} M rows/s of {} bytes",
        rows as f64 / 1e6 / seconds,
        written / rows
    );
}

struct OneRow(Vec<Cell<'static>>);

impl Row for OneRow {
    fn cell(&self, column: usize) -> Cell<'_> {
        self.0.get(column).copied().unwrap_or(Cell::Null)
    }
}

#[derive(serde::Deserialize)]
struct File {
    category: Vec<CategoryConfig>,
}

fn compare(database: &Path, rows: u64, rounds: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = runtime();
    let exporter = runtime.block_on(exporter(database, directory.path(), 1));
    let mut ours = Best::default();
    let mut gzip = Best::default();
    let mut pigz = Best::default();
    let mut checked = None;
    for round in 0..rounds {
        let start = Instant::now();
        let artifact = runtime.block_on(export(&exporter, u128::from(round)));
        ours.add(start.elapsed(), artifact.bytes);
        checked = Some(artifact);
        for (peer, best) in [("pigz", &mut pigz), ("gzip", &mut gzip)] {
            if peer == "gzip" && round > 0 {
                continue;
            }
            let output = directory.path().join(format!("peer.{peer}.gz"));
            let start = Instant::now();
            run_peer(database, peer, &output);
            best.add(start.elapsed(), std::fs::metadata(&output).unwrap().len());
        }
    }
    let artifact = checked.expect("a round");
    let file = directory.path().join("artifacts").join(&artifact.key);
    let start = Instant::now();
    match verify_file(&file, Limits::default(), &mut |_| {}).unwrap() {
        Verdict::Intact(summary) => println!(
            "verified in {:.2} s: {}",
            start.elapsed().as_secs_f64(),
            summary.stored_sha256
        ),
        Verdict::NotIntact(finding) => panic!("not intact: {finding:?}"),
    }
    println!(
        "{rows} rows, {:.0} MB of JSON",
        artifact.json_bytes as f64 / 1e6
    );
    for (name, best) in [
        ("carnet", ours),
        ("sqlite3 -json | pigz", pigz),
        ("sqlite3 -json | gzip", gzip),
    ] {
        println!(
            "{name:<22} {:>6.2} s  {:>7.1} MB  carnet is {:>5.2}x as fast, its file {:.3}x as large",
            best.time.as_secs_f64(),
            best.bytes as f64 / 1e6,
            best.time.as_secs_f64() / ours.time.as_secs_f64(),
            ours.bytes as f64 / best.bytes as f64,
        );
    }
}

/// The fastest of several rounds.
#[derive(Clone, Copy)]
struct Best {
    time: Duration,
    bytes: u64,
}

impl Default for Best {
    fn default() -> Self {
        Self {
            time: Duration::MAX,
            bytes: 0,
        }
    }
}

impl Best {
    fn add(&mut self, time: Duration, bytes: u64) {
        self.time = self.time.min(time);
        self.bytes = bytes;
    }
}

fn run_peer(database: &Path, compressor: &str, output: &Path) {
    let command = format!(
        "sqlite3 -readonly -json '{}' \"select {COLUMNS} from tickets where tenant = 'acme' order by id\" | {compressor} > '{}' && sync '{}'",
        database.display(),
        output.display(),
        output.display()
    );
    assert!(
        Command::new("sh")
            .args(["-c", &command])
            .status()
            .unwrap()
            .success()
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// An exporter for the database; with a factor above 1, of that many times its rows.
async fn exporter(database: &Path, directory: &Path, factor: u64) -> Exporter {
    let query = if factor == 1 {
        format!("select {COLUMNS} from tickets where tenant = :tenant order by id")
    } else {
        format!(
            "with recursive copy(n) as (select 0 union all select n + 1 from copy where n < {}) \
             select {COLUMNS} from copy cross join tickets where tenant = :tenant",
            factor - 1
        )
    };
    let file: File = toml::from_str(&CATALOG.replace("QUERY", &query)).unwrap();
    let source = SourceConfig::new("main", &format!("sqlite:{}", database.display()));
    let catalog = Arc::new(Catalog::compile(&[source], &file.category).unwrap());
    let url = format!("file:{}", directory.join("artifacts").display());
    let parts = Parts {
        storages: Arc::new(
            Storages::open(&url, &BTreeMap::new(), "bench")
                .await
                .unwrap(),
        ),
        keys: Arc::new(KeyRing::ephemeral().unwrap()),
        clock: Arc::new(SystemClock::new()),
        compress_threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    Exporter::new(catalog, parts).unwrap()
}

async fn export(exporter: &Exporter, id: u128) -> PublishedArtifact {
    let tenant = TenantId::new("acme").unwrap();
    let categories = vec!["tickets".to_owned()];
    let policy_digests = exporter.current_digests(&tenant, &categories).unwrap();
    let job = Job {
        export: ExportId::from_uuid(Uuid::from_u128(id)),
        request: Request {
            tenant,
            principal: PrincipalId::new("p").unwrap(),
            origin: Origin::User,
            kind: ExportKind::Account,
            categories,
            scope: None,
            format: Format::Json,
            layers: vec![Layer::Gzip],
            policy_digests: policy_digests.clone(),
            retry_of: None,
        },
        attempt: 1,
        claim: Uuid::new_v4(),
        policy_digests,
        started_at: Timestamp::EPOCH,
        expires_at: None,
    };
    exporter
        .run(
            job,
            watch::channel(Progress::START).0,
            CancellationToken::new(),
        )
        .await
        .unwrap()
        .artifact
}

fn measure_memory(rows: u64, factor: u64) {
    let arguments = [
        "--rows".to_owned(),
        rows.to_string(),
        "--memory".to_owned(),
        factor.to_string(),
    ];
    let output = Command::new(std::env::current_exe().unwrap())
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

/// In a process of its own: the peak over the whole export, above what the idle process had.
fn print_memory(database: &Path, factor: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = runtime();
    let exporter = runtime.block_on(exporter(database, directory.path(), factor));
    let idle = status("VmRSS");
    let start = Instant::now();
    let artifact = runtime.block_on(export(&exporter, 1));
    let peak = status("VmHWM");
    println!(
        "memory at {:>5.0} MB of JSON: {:.1} MiB idle, peak {:.1} MiB above ({:.1} s)",
        artifact.json_bytes as f64 / 1e6,
        idle / 1024.0,
        (peak - idle) / 1024.0,
        start.elapsed().as_secs_f64()
    );
}

/// A line of this process's status, in KiB.
fn status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
