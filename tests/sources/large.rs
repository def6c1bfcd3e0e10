//! Rows that are too large to be held: they fail the export by name, and are never taken in.

use std::fs;

use carnet_actors::ports::RunFailure;

use crate::desk::{Desk, Schema, category};
use crate::server::shared;

/// What an export may take above idle, in KiB.
const PROMISED: u64 = 64 * 1024;

/// The most memory this process has held since it was last forgotten, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// Exports the category `c`, which must fail within the promise. Other tests of this process would count as well: each has one of its own.
async fn failing(desk: &Desk) -> RunFailure {
    // Forgets the peak.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    let failure = desk.rows("c").await.unwrap_err();
    let taken = peak() - before;
    assert!(taken < PROMISED, "{taken} KiB");
    failure
}

fn blamed(failure: &RunFailure, column: &str) {
    assert_eq!(failure.code, "cell_too_large", "{failure:?}");
    assert!(!failure.retryable);
    assert_eq!(failure.parameters["category"], "c");
    assert_eq!(failure.parameters["column"], column);
}

#[tokio::test]
async fn a_row_of_200_mb_is_refused_by_name_before_postgresql_has_sent_it() {
    let schema = Schema::new(
        "create table t (tenant text, n int); insert into t values ('acme', 1), ('acme', 2)",
    );
    // By name, by address alone, and over a Unix socket.
    let port = shared::port();
    let ways = [
        schema.url(),
        schema.url_at(&format!("hostaddr=127.0.0.1&port={port}")),
        schema.url_at(&format!("host={}&port={port}", shared::socket().display())),
    ];
    // Within the first row; after rows that are small; over many columns, none of which is too large by itself.
    let large = "select n, repeat('x', 200000000) as pad from t where tenant = :tenant order by n";
    let later = "select n, repeat('x', case n when 1 then 1000 else 200000000 end) as pad from t where tenant = :tenant order by n";
    for (url, query) in ways.iter().flat_map(|url| [(url, large), (url, later)]) {
        let columns = "n = { type = 'integer' }\npad = { type = 'text' }";
        let desk = Desk::new(url, &category("c", query, columns)).await;
        blamed(&failing(&desk).await, "pad");
    }
    let (mut list, mut columns) = (String::new(), String::new());
    for at in 0..20 {
        list += &format!(", repeat('x', 10000000) as c{at}");
        // Whether they are exported or not.
        columns += &format!("\nc{at} = {{ type = 'text', rule = 'drop' }}");
    }
    let query = format!("select n{list} from t where tenant = :tenant order by n");
    let columns = format!("n = {{ type = 'integer' }}{columns}");
    let desk = Desk::new(&schema.url(), &category("c", &query, &columns)).await;
    blamed(&failing(&desk).await, "c3");
}

#[tokio::test]
async fn a_value_of_200_mb_in_sqlite_is_refused_by_name_and_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenants.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            "create table t (tenant text, n integer, pad blob);
             insert into t values ('acme', 1, zeroblob(1000)), ('acme', 2, zeroblob(200000000))",
        )
        .unwrap();
    drop(database);
    for order in ["", " order by n"] {
        let query = format!("select n, pad from t where tenant = :tenant{order}");
        let columns = "n = { type = 'integer' }\npad = { type = 'bytes' }";
        let url = format!("sqlite:{}", path.display());
        let desk = Desk::new(&url, &category("c", &query, columns)).await;
        blamed(&failing(&desk).await, "pad");
    }
}

/// A database of its own whose table has a row of small values before one with blobs of these sizes.
fn sqlite(sizes: &[usize]) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenants.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    let list = |form: &dyn Fn(usize) -> String| -> String {
        (0..sizes.len()).map(form).collect::<Vec<_>>().join(", ")
    };
    let columns = list(&|at| format!("c{at} blob"));
    let small = list(&|_| "x'61'".to_owned());
    let large = list(&|at| format!("zeroblob({})", sizes[at]));
    database
        .execute_batch(&format!(
            "create table t (tenant text, n integer, {columns});
             insert into t values ('acme', 1, {small}), ('acme', 2, {large})"
        ))
        .unwrap();
    (directory, format!("sqlite:{}", path.display()))
}

/// A category over it. All but the first are dropped, which doesn't make them smaller in the source.
fn blobs(columns: usize, order: &str) -> String {
    let list: Vec<String> = (0..columns).map(|at| format!("c{at}")).collect();
    let query = format!(
        "select n, {} from t where tenant = :tenant{order}",
        list.join(", ")
    );
    let mut rules = "n = { type = 'integer' }\nc0 = { type = 'bytes' }".to_owned();
    for name in &list[1..] {
        rules += &format!("\n{name} = {{ type = 'bytes', rule = 'drop' }}");
    }
    category("c", &query, &rules)
}

#[tokio::test]
async fn a_row_of_many_large_values_in_sqlite_is_refused_by_name_and_not_read() {
    let (_directory, url) = sqlite(&[10_000_000; 20]);
    for order in ["", " order by n", " order by n desc;"] {
        let desk = Desk::new(&url, &blobs(20, order)).await;
        blamed(&failing(&desk).await, "c3");
        // Its source knows by now.
        blamed(&failing(&desk).await, "c3");
    }
}

#[tokio::test]
async fn a_row_of_large_values_in_sqlite_within_the_bound_is_exported_once() {
    const MIB: usize = 1 << 20;
    // Each above its share of a row, and all together as much as a row may be: beside the number, which counts for one byte.
    let (_directory, url) = sqlite(&[MIB, 15 * MIB, 16 * MIB - 1]);
    let (_other, beyond) = sqlite(&[MIB, 15 * MIB, 16 * MIB]);
    // The last can't be measured, and is read all the same.
    for order in ["", " order by n", "; -- ended"] {
        let desk = Desk::new(&url, &blobs(3, order)).await;
        for _ in 0..2 {
            let rows = desk.rows("c").await.unwrap();
            let numbers: Vec<_> = rows.iter().map(|row| row["n"].as_i64()).collect();
            assert_eq!(numbers, [Some(1), Some(2)]);
            assert_eq!(rows[1]["c0"].as_str().unwrap().len(), MIB.div_ceil(3) * 4);
        }
        if !order.contains("--") {
            let desk = Desk::new(&beyond, &blobs(3, order)).await;
            blamed(&failing(&desk).await, "c2");
        }
    }
}
