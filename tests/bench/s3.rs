//! Storing in a bucket while the export goes on: the same export into a directory and into a bucket, in turns, each in a process of its own.
//!
//! `cargo bench --bench s3`. `-- --rows N` for another size, `-- --rounds N` for more rounds, `-- --late MS` for how late every answer of the bucket
//! comes (20 ms: a bucket in another building). Two cases:
//! - *the source is the bottleneck*: every row costs the database some work. Storing in the bucket must then cost no wall time: at most 1.05 times the
//!   directory's, and the memory of an export stays within 64 MiB above idle. What the server takes to copy the parts into one file at the end
//!   is its own, and taken off; a bucket that is not a directory does nothing of the kind.
//! - *the source is as fast as can be*: then reading, compressing, signing and the server, which runs on the same processors, share them. Shown
//!   for what it is; nothing is promised.
//!
//! The server (`s3s-fs`) checks signatures and writes to the same disk, so it has its own share of the processors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark stops at the first surprise and prints what it measured"
)]

#[allow(dead_code, reason = "the other benches compare with peers")]
mod exporting;
mod rows;
#[allow(dead_code, reason = "tests need more of it")]
#[path = "../carnet/support/s3/mod.rs"]
mod s3;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use carnet::export::artifact::{Location, S3Access, S3Credentials};
use carnet::export::run::Exporter;
use exporting::{MOST_MEMORY, compiled, directory_below, export, exporter_into, runtime, status};
use s3::{Buckets, Fault};

const BUCKET: &str = "bench";

/// What storing may cost while the source is the bottleneck.
const MOST_RATIO: f64 = 1.05;

const CATALOG: &str = r#"
[[category]]
id = "tickets"
title = "Tickets"
source = "main"
tenant_column = "tenant"
query = "select id, tenant, uid, name, email, subject, body, created_at from tickets where tenant = :tenant WORK order by id"
[category.columns]
id = { type = "integer" }
tenant = { type = "text", rule = "drop" }
uid = { type = "uuid" }
name = { type = "text" }
email = { type = "text" }
subject = { type = "text" }
body = { type = "text" }
created_at = { type = "text" }
"#;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| arguments[at + 1].parse().unwrap())
    };
    let text = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map(|at| arguments[at + 1].clone())
    };
    let rows = number("--rows", 1_000_000);
    if let Some(place) = text("--into") {
        return one_export(rows, number("--work", 0), &place);
    }
    let (rounds, late) = (number("--rounds", 3), number("--late", 20));
    let _ = rows::database(rows);
    let server = Buckets::start(&[BUCKET]);
    server.fault(Fault::Late(late), usize::MAX, |_| true);
    println!("{rows} rows, {rounds} rounds, answers of the bucket {late} ms late");
    for (case, work) in [
        ("the source is the bottleneck", 25),
        ("the source is as fast as can be", 0),
    ] {
        let (mut directory, mut bucket) = (Best::default(), Best::default());
        for _ in 0..rounds {
            directory.add(&run(rows, work, "directory"));
            let before = server.joining();
            let [seconds, megabytes, memory] = run(rows, work, &server.endpoint());
            let joining = (server.joining() - before).as_secs_f64();
            bucket.add(&[seconds - joining, megabytes, memory]);
            println!(
                "  a round in the bucket: {seconds:.2} s, {joining:.2} s of them the server's joining of parts"
            );
        }
        let ratio = bucket.seconds / directory.seconds;
        println!("{case}:");
        for (name, best) in [("directory", &directory), ("bucket", &bucket)] {
            println!(
                "  {name:<10} {:>6.2} s, {:>6.1} MB stored, {:>5.1} MiB above idle",
                best.seconds, best.megabytes, best.memory
            );
        }
        println!("  bucket / directory: {ratio:.3}");
        if work > 0 {
            let held = ratio <= MOST_RATIO && bucket.memory <= MOST_MEMORY;
            println!(
                "  promised: at most {MOST_RATIO} times and {MOST_MEMORY} MiB: {}",
                if held { "held" } else { "NOT HELD" }
            );
        }
    }
}

/// The fastest of some rounds, and the most memory of any.
struct Best {
    seconds: f64,
    megabytes: f64,
    memory: f64,
}

impl Default for Best {
    fn default() -> Self {
        Self {
            seconds: f64::INFINITY,
            megabytes: 0.0,
            memory: 0.0,
        }
    }
}

impl Best {
    fn add(&mut self, [seconds, megabytes, memory]: &[f64; 3]) {
        self.seconds = self.seconds.min(*seconds);
        self.megabytes = *megabytes;
        self.memory = self.memory.max(*memory);
    }
}

/// One export in a process of its own: seconds, megabytes stored, MiB above idle.
fn run(rows: u64, work: u64, place: &str) -> [f64; 3] {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--rows",
            &rows.to_string(),
            "--work",
            &work.to_string(),
            "--into",
            place,
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    figures.try_into().unwrap()
}

fn one_export(rows: u64, work: u64, place: &str) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = runtime();
    let location = location(place, folder.path());
    let exporter = runtime.block_on(exporter(&rows::database(rows), location, work));
    let idle = status("VmRSS");
    let begun = Instant::now();
    let artifact = runtime.block_on(export(&exporter, 1));
    let took: Duration = begun.elapsed();
    println!(
        "{} {} {}",
        took.as_secs_f64(),
        artifact.bytes as f64 / 1e6,
        (status("VmHWM") - idle) / 1024.0
    );
}

fn location(place: &str, folder: &Path) -> Location {
    if place == "directory" {
        return directory_below(folder);
    }
    Location {
        url: format!("s3://{BUCKET}/bench"),
        s3: S3Access {
            endpoint: Some(place.to_owned()),
            credentials: Some(S3Credentials {
                access_key_id: format!("{BUCKET}-id"),
                secret_access_key: format!("{BUCKET}-secret").into(),
            }),
            allow_http: true,
            ..S3Access::default()
        },
    }
}

async fn exporter(database: &Path, location: Location, work: u64) -> Exporter {
    // Counts up to `work` for every row anew: the number depends on the row, if only as far as the planner can tell.
    let slow = format!(
        "and (with recursive n(i) as (select 1 union all select i + 1 from n where i < {work} + (tickets.id & 0)) select max(i) from n) > 0"
    );
    let categories = CATALOG.replace("WORK", if work > 0 { &slow } else { "" });
    let url = format!("sqlite:{}", database.display());
    exporter_into(location, compiled(&url, &categories)).await
}
