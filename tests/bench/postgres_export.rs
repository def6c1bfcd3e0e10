//! PostgreSQL to a verified `.json.gz`, a million rows, against `psql -c "copy (select row_to_json(…)) to stdout" | pigz` in the same run;
//! and the memory that an export takes at one and at ten million rows.
//!
//! `cargo bench --bench postgres_export` (needs PostgreSQL's programs, `sqlite3` and `pigz`). `-- --rows N` for another size, `-- --rounds N`
//! for more rounds: rounds are interleaved and the fastest of each counts. Both go through the server's socket, and the server runs
//! with its defaults.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark stops at the first surprise and prints what it measured"
)]

mod exporting;
#[path = "../support/postgres/mod.rs"]
mod postgres;
#[allow(dead_code, reason = "the other bench looks at single rows too")]
mod rows;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use exporting::{
    Best, COLUMNS, export, exporter, print_comparison, print_memory, run_again, runtime, verify,
};
use postgres::{Postgres, USER};

const TABLE: &str = "create table tickets (id bigint primary key, tenant text, uid uuid, name text, email text, subject text,
    body text, amount numeric, created_at timestamptz, active boolean)";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, default: u64| {
        value(name).map_or(default, |value| value.parse().expect("a number"))
    };
    if let Some(url) = value("--url") {
        return print_memory(&url, &query(number("--memory", 1)));
    }
    let rows = number("--rows", 1_000_000);
    let server = Postgres::start(&[]).unwrap();
    load(&server, &rows::database(rows));
    compare(&server, rows, number("--rounds", 3));
    for factor in [1, 10] {
        let factor = u64::to_string(&factor);
        run_again(&["--url".into(), url(&server), "--memory".into(), factor]);
    }
}

/// The server's socket, where it trusts.
fn url(server: &Postgres) -> String {
    format!(
        "postgres://{USER}@/postgres?host={}&port={}",
        socket(server).display(),
        server.port()
    )
}

fn socket(server: &Postgres) -> std::path::PathBuf {
    server.data().parent().expect("a directory").to_owned()
}

/// The rows, so many times.
fn query(factor: u64) -> String {
    if factor == 1 {
        return format!("select {COLUMNS} from tickets where tenant = :tenant order by id");
    }
    format!(
        "select {COLUMNS} from generate_series(1, {factor}) cross join tickets where tenant = :tenant"
    )
}

/// Copies the rows of the SQLite database into the server.
fn load(server: &Postgres, database: &Path) {
    server.execute(TABLE).unwrap();
    shell(
        server,
        &format!(
            "sqlite3 -readonly -csv '{}' 'select {COLUMNS} from tickets' | psql -X -q -c \"copy tickets from stdin csv\"",
            database.display()
        ),
    );
    server.execute("vacuum (analyze, freeze) tickets").unwrap();
}

fn shell(server: &Postgres, script: &str) {
    assert!(command(server, script).status().unwrap().success());
}

fn command(server: &Postgres, script: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .env("PGHOST", socket(server))
        .env("PGPORT", server.port().to_string())
        .env("PGUSER", USER)
        .env("PGDATABASE", "postgres")
        .env("PGTZ", "UTC");
    command
}

fn compare(server: &Postgres, rows: u64, rounds: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = runtime();
    let exporter = runtime.block_on(exporter(&url(server), &query(1), directory.path()));
    let output = directory.path().join("peer.gz");
    let script = format!(
        "psql -X -q -c \"copy (select row_to_json(t) from (select {COLUMNS} from tickets where tenant = 'acme' order by id) t) to stdout\" | pigz > '{0}' && sync '{0}'",
        output.display()
    );
    let (mut ours, mut peer) = (Best::default(), Best::default());
    let mut checked = None;
    for round in 0..rounds {
        let start = Instant::now();
        let artifact = runtime.block_on(export(&exporter, u128::from(round)));
        ours.add(start.elapsed(), artifact.bytes);
        checked = Some(artifact);
        peer.add_peer(command(server, &script), &output);
    }
    let artifact = checked.expect("a round");
    verify(directory.path(), &artifact);
    println!(
        "{rows} rows, {:.0} MB of JSON",
        artifact.json_bytes as f64 / 1e6
    );
    let all = [("carnet", ours), ("psql copy row_to_json | pigz", peer)];
    print_comparison(&all, 2.5);
}
