//! The same data gives the same bytes: twice, and from either kind of database.

use std::fmt::Write as _;

use crate::desk::{Desk, Schema, category};

const QUERY: &str = "select id, big, price, ratio, active, name, note, meta, uid, at, day, data from t where tenant = :tenant order by id";
const COLUMNS: &str = "id = { type = 'integer' }
big = { type = 'bigint' }
price = { type = 'decimal' }
ratio = { type = 'float' }
active = { type = 'bool' }
name = { type = 'text', rule = 'hash' }
note = { type = 'text' }
meta = { type = 'json' }
uid = { type = 'uuid' }
at = { type = 'timestamp' }
day = { type = 'date', rule = 'mask', keep_last = 2 }
data = { type = 'bytes' }";

/// Rows of `acme` and some of somebody else's, as literals that both databases read alike.
fn rows() -> String {
    let mut rows = String::from("insert into t values ");
    for n in 0..300_i64 {
        let tenant = if n % 10 == 9 { "globex" } else { "acme" };
        let ratio = f64::from(u32::try_from(n * 7919 % 1000).unwrap()) / 128.0;
        let note = ["plain", "call +1 415 555 2671", "=cmd()", "it''s ünï 😀"]
            [usize::try_from(n % 4).unwrap()];
        let separator = if n == 0 { "" } else { ", " };
        let micros = if n % 3 == 0 {
            format!(".{:06}", n * 37)
        } else {
            String::new()
        };
        let _ = write!(
            rows,
            "{separator}({n}, '{tenant}', {}, '{}.{:02}', {ratio:?}, {}, 'name {n}', '{note}', '{{\"n\": {n}, \"a\": [1.50, \"x\"]}}', '550e8400-e29b-41d4-a716-{n:012}', '2024-01-15 10:{:02}:30{micros}', '2024-02-{:02}', BLOB{n:08x}BLOB)",
            n * 90_071_992_547_409,
            n * 31,
            n % 100,
            if n % 2 == 0 { "true" } else { "false" },
            n % 60,
            n % 28 + 1,
        );
    }
    rows
}

fn blobs(rows: &str, before: &str, after: &str) -> String {
    // The first of a pair opens, the second closes.
    let mut parts = rows.split("BLOB");
    let mut text = parts.next().unwrap().to_owned();
    for (at, part) in parts.enumerate() {
        text += if at % 2 == 0 { before } else { after };
        text += part;
    }
    text
}

#[tokio::test]
async fn sqlite_and_postgresql_give_the_same_bytes_every_time() {
    let rows = rows();
    let schema = Schema::new(
        "create table t (id int, tenant text, big bigint, price numeric, ratio float8, active bool, name varchar, note text, meta jsonb, uid uuid, at timestamptz, day date, data bytea)",
    );
    schema.sql(&format!(
        "set timezone = 'UTC'; {}",
        blobs(&rows, r"'\x", "'")
    ));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(&format!(
            "create table t (id integer, tenant text, big integer, price text, ratio real, active integer, name text, note text, meta text, uid text, at text, day text, data blob); {}",
            blobs(&rows, "x'", "'")
        ))
        .unwrap();

    let categories = category("c", QUERY, COLUMNS);
    let postgres = Desk::new(&schema.url(), &categories).await;
    let sqlite = Desk::new(&format!("sqlite:{}", path.display()), &categories).await;
    let first = postgres.bytes(&["c"]).await.unwrap();
    assert!(first == postgres.bytes(&["c"]).await.unwrap());
    let other = sqlite.bytes(&["c"]).await.unwrap();
    assert_eq!(crate::desk::rows(&first, "c").len(), 270);
    assert_eq!(
        crate::desk::rows(&first, "c"),
        crate::desk::rows(&other, "c")
    );
    assert!(first == other);
}

#[tokio::test]
async fn parameters_are_read_as_what_they_are_compared_with() {
    let schema = Schema::new(
        "create table t (tenant text, team int, n int); insert into t values ('acme', 1, 1), ('acme', 2, 2), ('x', 1, 3), (E'a\\'; drop table t; --', 1, 4)",
    );
    let query = "select n, ':tenant'::text as quoted, (array[10, 20])[1:2] as two -- :scope\n from t where tenant = :tenant and (:scope::int is null or team = :scope) order by n;";
    let columns = "n = { type = 'integer' }\nquoted = { type = 'text' }\ntwo = { type = 'json' }";
    let desk = Desk::new(&schema.url(), &category("c", query, columns)).await;
    let row = |n: i32| serde_json::json!({ "n": n, "quoted": ":tenant", "two": [10, 20] });
    assert_eq!(desk.rows("c").await.unwrap(), [row(1), row(2)]);
    assert_eq!(desk.rows_within("c", "2").await, [row(2)]);
}
