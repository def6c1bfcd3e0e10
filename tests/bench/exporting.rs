//! An export of the bench's rows, from whichever source, and how it compares.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carnet::export::artifact::Location;
use carnet::export::catalog::{Catalog, CategoryConfig, SourceConfig};
use carnet::export::run::{Exporter, Parts};
use carnet::export::storages::Storages;
use carnet::export::verify::{Limits, Verdict, verify_file};
use carnet::keys::KeyRing;
use carnet_actors::ports::{Job, Runner, SystemClock};
use carnet_events::domain::export::{Progress, PublishedArtifact};
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request};
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const COLUMNS: &str =
    "id, tenant, uid, name, email, subject, body, amount, created_at, active";

const CATEGORY: &str = r#"
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

#[derive(serde::Deserialize)]
struct File {
    category: Vec<CategoryConfig>,
}

/// A catalog of one category, `tickets`, that reads `query` from the source at `url`.
pub(crate) fn catalog(url: &str, query: &str) -> Catalog {
    compiled(url, &CATEGORY.replace("QUERY", query))
}

/// A catalog of these categories, as they are configured, over the source at `url`.
pub(crate) fn compiled(url: &str, categories: &str) -> Catalog {
    let file: File = toml::from_str(categories).unwrap();
    Catalog::compile(&[SourceConfig::new("main", url)], &file.category).unwrap()
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// An exporter that stores below `directory`.
pub(crate) async fn exporter(url: &str, query: &str, directory: &Path) -> Exporter {
    exporter_into(directory_below(directory), catalog(url, query)).await
}

/// A storage below `directory`.
pub(crate) fn directory_below(directory: &Path) -> Location {
    Location::from(&format!("file:{}", artifacts(directory).display()))
}

/// An exporter that stores at `location`.
pub(crate) async fn exporter_into(location: Location, catalog: Catalog) -> Exporter {
    let storages = Storages::open(location, &BTreeMap::new(), "bench").await;
    let parts = Parts {
        storages: Arc::new(storages.unwrap()),
        keys: Arc::new(KeyRing::ephemeral().unwrap()),
        clock: Arc::new(SystemClock::new()),
        compress_threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    Exporter::new(Arc::new(catalog), parts).unwrap()
}

fn artifacts(directory: &Path) -> PathBuf {
    directory.join("artifacts")
}

pub(crate) async fn export(exporter: &Exporter, id: u128) -> PublishedArtifact {
    let tenant = TenantId::new("acme").unwrap();
    let categories = vec!["tickets".to_owned()];
    let policy_digests = exporter.current_digests(&categories).unwrap();
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
        ttl: None,
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

/// Verifies what was exported below `directory`, and says how long that took.
pub(crate) fn verify(directory: &Path, artifact: &PublishedArtifact) {
    let file = artifacts(directory).join(&artifact.key);
    let start = Instant::now();
    match verify_file(&file, Limits::default(), &mut |_| {}).unwrap() {
        Verdict::Intact(summary) => println!(
            "verified in {:.2} s: {}",
            start.elapsed().as_secs_f64(),
            summary.stored_sha256
        ),
        Verdict::NotIntact(finding) => panic!("not intact: {finding:?}"),
    }
}

/// The fastest of several rounds.
#[derive(Clone, Copy)]
pub(crate) struct Best {
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
    pub(crate) fn add(&mut self, time: Duration, bytes: u64) {
        self.time = self.time.min(time);
        self.bytes = bytes;
    }

    /// One more round of a peer, a pipeline that writes to `output`.
    pub(crate) fn add_peer(&mut self, mut command: Command, output: &Path) {
        let start = Instant::now();
        assert!(command.status().unwrap().success());
        self.add(start.elapsed(), std::fs::metadata(output).unwrap().len());
    }
}

/// How much larger than its peer's a file may be.
const MOST_SIZE: f64 = 1.15;

/// What an export may take above idle, in MiB.
pub(crate) const MOST_MEMORY: f64 = 64.0;

pub(crate) const fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "NOT KEPT" }
}

/// Prints how the first of `all` compares with each, and whether it is `promised` times as fast as the second.
pub(crate) fn print_comparison(all: &[(&str, Best)], promised: f64) {
    let ours = all.first().expect("our own").1;
    let (peer, its) = all[1];
    let kept = its.time.as_secs_f64() >= promised * ours.time.as_secs_f64()
        && ours.bytes as f64 <= MOST_SIZE * its.bytes as f64;
    for (name, best) in all {
        println!(
            "{name:<28} {:>6.2} s  {:>7.1} MB  carnet is {:>5.2}x as fast, its file {:.3}x as large",
            best.time.as_secs_f64(),
            best.bytes as f64 / 1e6,
            best.time.as_secs_f64() / ours.time.as_secs_f64(),
            ours.bytes as f64 / best.bytes as f64,
        );
    }
    println!(
        "promised against {peer}: {promised:.1}x as fast, at most {MOST_SIZE:.2}x as large: {}",
        verdict(kept)
    );
}

/// Runs this program again, for something that wants a process of its own.
pub(crate) fn run_again(arguments: &[String]) {
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
pub(crate) fn print_memory(url: &str, query: &str) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = runtime();
    let exporter = runtime.block_on(exporter(url, query, directory.path()));
    let idle = status("VmRSS");
    let start = Instant::now();
    let artifact = runtime.block_on(export(&exporter, 1));
    let peak = status("VmHWM");
    let above = (peak - idle) / 1024.0;
    println!(
        "memory at {:>5.0} MB of JSON: {:.1} MiB idle, peak {above:.1} MiB above ({:.1} s); promised {MOST_MEMORY:.0}: {}",
        artifact.json_bytes as f64 / 1e6,
        idle / 1024.0,
        start.elapsed().as_secs_f64(),
        verdict(above <= MOST_MEMORY)
    );
}

/// A line of this process's status, in KiB.
pub(crate) fn status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
