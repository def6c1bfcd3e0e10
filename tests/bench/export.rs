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

mod exporting;
mod rows;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use carnet::export::detect::{Counts, Profile, Redactor};
use carnet::export::encode::{HashKey, RowEncoder};
use carnet::export::source::{Cell, Row};
use carnet_events::ids::TenantId;

use exporting::{
    Best, COLUMNS, catalog, export, exporter, print_comparison, print_memory, run_again, runtime,
    verify,
};
use rows::{Chance, database};

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
                let factor = u64::to_string(&factor);
                run_again(&["--rows".into(), rows.to_string(), "--memory".into(), factor]);
            }
        }
        factor => print_memory(&url(&database), &query(factor)),
    }
}

fn url(database: &Path) -> String {
    format!("sqlite:{}", database.display())
}

/// The rows, so many times.
fn query(factor: u64) -> String {
    if factor == 1 {
        return format!("select {COLUMNS} from tickets where tenant = :tenant order by id");
    }
    format!(
        "with recursive copy(n) as (select 0 union all select n + 1 from copy where n < {}) \
         select {COLUMNS} from copy cross join tickets where tenant = :tenant",
        factor - 1
    )
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

    let catalog = catalog("sqlite:none", "select :tenant");
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

fn compare(database: &Path, rows: u64, rounds: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = runtime();
    let exporter = runtime.block_on(exporter(&url(database), &query(1), directory.path()));
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
            best.add_peer(peer_command(database, peer, &output), &output);
        }
    }
    let artifact = checked.expect("a round");
    verify(directory.path(), &artifact);
    println!(
        "{rows} rows, {:.0} MB of JSON",
        artifact.json_bytes as f64 / 1e6
    );
    print_comparison(
        &[
            ("carnet", ours),
            ("sqlite3 -json | pigz", pigz),
            ("sqlite3 -json | gzip", gzip),
        ],
        3.0,
    );
}

fn peer_command(database: &Path, compressor: &str, output: &Path) -> Command {
    let script = format!(
        "sqlite3 -readonly -json '{}' \"select {COLUMNS} from tickets where tenant = 'acme' order by id\" | {compressor} > '{}' && sync '{}'",
        database.display(),
        output.display(),
        output.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    command
}
