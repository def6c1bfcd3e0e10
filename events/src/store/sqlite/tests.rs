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

/// What does not fit fails alone, though others waited with it.
#[tokio::test]
async fn one_that_is_too_large_takes_nobody_with_it() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("events.db");
    let conn = schema::open_writer(&path).unwrap();
    conn.pragma_update(None, "max_page_count", 150).unwrap();
    let store = SqliteStore::start(&path, conn, Lock::acquire(&path).unwrap()).unwrap();
    let names: Vec<StreamName> = (0..5).map(|n| format!("s-{n}").parse().unwrap()).collect();
    let size = |n: usize| if n == 2 { 900_000 } else { 1_000 };
    let appends = names
        .iter()
        .enumerate()
        .map(|(n, name)| store.append(name, Expected::NoStream, event(size(n))));
    let results = futures::future::join_all(appends).await;
    for (n, (name, result)) in names.iter().zip(results).enumerate() {
        assert_eq!(
            matches!(result, Err(StoreError::Unavailable { .. })),
            n == 2,
            "{result:?}"
        );
        assert_eq!(store.head(name).await.unwrap(), (n != 2).then_some(0));
    }
}

/// Rows are written many at a time; whoever comes later in a group counts on those before all the same.
#[tokio::test]
async fn appends_of_one_group_see_each_other() {
    let temporary = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(temporary.path().join("events.db")).unwrap();
    let names: Vec<StreamName> = (0..20).map(|n| format!("s-{n}").parse().unwrap()).collect();
    let appends = names.iter().flat_map(|name| {
        let second = event(10);
        [
            store.append(name, Expected::NoStream, event(10)),
            store.append(name, Expected::Exact(0), second.clone()),
            store.append(name, Expected::Any, second),
            store.append(name, Expected::Exact(0), event(10)),
        ]
    });
    // Unconstrained: the runtime lets nobody wait for a second turn, so they are queued in this order.
    let results = tokio::task::unconstrained(futures::future::join_all(appends)).await;
    for results in results.chunks(4) {
        let [first, second, again, late] = results else {
            unreachable!("in fours")
        };
        assert_eq!(first.as_ref().unwrap().first_revision, 0);
        let second = second.as_ref().unwrap();
        assert_eq!((second.first_revision, second.replayed), (1, false));
        let again = again.as_ref().unwrap();
        assert_eq!((again.first_revision, again.replayed), (1, true));
        assert_eq!(again.position, second.position);
        assert!(
            matches!(
                late,
                Err(StoreError::Conflict {
                    actual: Some(1),
                    ..
                })
            ),
            "{late:?}"
        );
    }
}

/// Another tool holds the file: an error, not a hang, and it goes on afterwards.
#[tokio::test]
async fn a_file_held_by_another_tool_is_an_error_until_it_lets_go() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("events.db");
    let conn = schema::open_writer(&path).unwrap();
    let store = SqliteStore::start(&path, conn, Lock::acquire(&path).unwrap()).unwrap();
    let name: StreamName = "busy".parse().unwrap();
    store
        .append(&name, Expected::NoStream, event(10))
        .await
        .unwrap();

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

/// A program that keeps to no lock adds to the log: what the store knew of it is out of date, but only once.
#[tokio::test]
async fn what_another_tool_added_to_the_log_is_counted_after_one_error() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("events.db");
    let store = SqliteStore::open(&path).unwrap();
    let name: StreamName = "shared".parse().unwrap();
    store
        .append(&name, Expected::NoStream, event(10))
        .await
        .unwrap();

    let foreign = Connection::open(&path).unwrap();
    let added = "insert into events select position + 1, stream, revision + 1, randomblob(16), kind, data, metadata from events";
    foreign.execute(added, []).unwrap();
    let error = store
        .append(&name, Expected::Any, event(10))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let appended = store.append(&name, Expected::Any, event(10)).await.unwrap();
    assert_eq!(appended.first_revision, 2);
}
