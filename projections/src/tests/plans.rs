//! How SQLite goes about a query, and how much it does for one: neither may depend on how many rows there are.
//!
//! Plans are asked of empty tables: without statistics, which nobody gathers here, they are the same for full ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use crate::database::tables;
use crate::projection::ALL;

/// The tables of every projection, empty, with their indices.
pub(crate) fn tables() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for blueprint in ALL {
        tables::create(&connection, "main", blueprint).unwrap();
        for index in blueprint.indices {
            tables::index(&connection, "main", index).unwrap();
        }
    }
    connection
}

/// The steps of a query's plan.
pub(crate) fn plan(tables: &Connection, sql: &str) -> Vec<String> {
    let mut explain = tables
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
    let steps = explain.raw_query().mapped(|row| row.get(3));
    steps.collect::<Result<_, _>>().unwrap()
}

/// A query must find its rows by keys, and in the order that it gives them in.
pub(crate) fn assert_searched(tables: &Connection, sql: &str) {
    let plan = plan(tables, sql);
    assert!(!plan.is_empty(), "{sql}");
    for step in &plan {
        // `k` is a page of keys, found in the lines before.
        let goes_through = step.starts_with("SCAN") && step != "SCAN k";
        let sorts = step.contains("TEMP B-TREE");
        assert!(!goes_through && !sorts, "{plan:#?}\n{sql}");
    }
}

/// A query that goes through an index in its order, and must end soon: it has a limit.
pub(crate) fn assert_ordered(tables: &Connection, sql: &str) {
    let plan = plan(tables, sql);
    for step in &plan {
        let goes_through = step.starts_with("SCAN") && !step.contains("USING");
        let sorts = step.contains("TEMP B-TREE");
        assert!(!goes_through && !sorts, "{plan:#?}\n{sql}");
    }
    assert!(sql.contains("LIMIT"), "{sql}");
}

/// What `ask` answers, and how many steps SQLite's machine takes for it, to the hundred.
pub(crate) fn steps<T>(tables: &mut Connection, ask: impl FnOnce(&Connection) -> T) -> (T, u64) {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    tables.progress_handler(100, Some(count)).unwrap();
    let answer = ask(tables);
    tables.progress_handler(100, None::<fn() -> bool>).unwrap();
    (answer, steps.load(Ordering::Relaxed) * 100)
}
