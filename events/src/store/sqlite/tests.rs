//! What can only be seen from within: the writer's own connection, and what becomes of everyone when it fails.

#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use uuid::Uuid;

use super::*;

fn event(size: usize) -> Vec<NewEvent> {
    vec![NewEvent {
        id: Uuid::new_v4(),
        kind: "said".into(),
        data: vec![7; size].into(),
        metadata: Bytes::new(),
    }]
}

fn directory(tenant: &str) -> StreamName {
    StreamName::directory(&crate::ids::TenantId::new(tenant).unwrap())
}

#[test]
fn the_writer_reads_back_that_commits_are_synced() {
    let directory = tempfile::tempdir().unwrap();
    let conn = schema::open_writer(&directory.path().join("events.db")).unwrap();
    assert_eq!(schema::synchronous(&conn).unwrap(), 2);
}

/// A stand-in for a full disk: a database that may not grow. Erasing a directory is what makes space.
#[tokio::test]
async fn a_full_database_applies_nothing_and_goes_on_when_there_is_space() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("events.db");
    let conn = schema::open_writer(&path).unwrap();
    conn.pragma_update(None, "max_page_count", 400).unwrap();
    let store = SqliteStore::start(&path, conn, Lock::acquire(&path).unwrap()).unwrap();
    store
        .append(&directory("large"), Expected::NoStream, event(900_000))
        .await
        .unwrap();

    let name: StreamName = "full".parse().unwrap();
    let mut count = 0;
    let error = loop {
        match store.append(&name, Expected::Any, event(50_000)).await {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, StoreError::Unavailable { reason } if reason.contains("full")),
        "{error:?}"
    );
    assert_eq!(store.head(&name).await.unwrap(), Some(count - 1));

    store.erase(&directory("large")).await.unwrap();
    let appended = store
        .append(&name, Expected::Exact(count - 1), event(50_000))
        .await
        .unwrap();
    assert_eq!(appended.first_revision, count);
}

/// The file is taken away under the writer's feet: an error, not a hang, and the others go on.
#[tokio::test]
async fn a_connection_that_fails_is_opened_anew() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("events.db");
    let conn = schema::open_writer(&path).unwrap();
    let store = SqliteStore::start(&path, conn, Lock::acquire(&path).unwrap()).unwrap();
    let name: StreamName = "busy".parse().unwrap();
    store
        .append(&name, Expected::NoStream, event(10))
        .await
        .unwrap();

    // Another tool holds the write lock for longer than the writer waits.
    let foreign = Connection::open(&path).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store
        .append(&name, Expected::Exact(0), event(10))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(store.head(&name).await.unwrap(), Some(0));
    foreign.execute_batch("ROLLBACK").unwrap();
    store
        .append(&name, Expected::Exact(0), event(10))
        .await
        .unwrap();
}
