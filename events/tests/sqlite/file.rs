//! The file: locked, durable, append-only whatever opens it, and recognised before it is touched.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use carnet_events::conformance::{batch, read, stream};
use carnet_events::ids::TenantId;
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{Access, Delivery, EventStore, Expected, Filter, StoreError, open};
use carnet_events::stream::StreamName;
use futures::{StreamExt, TryStreamExt};
use rusqlite::Connection;

use super::Sqlite;

fn directory_stream() -> StreamName {
    StreamName::directory(&TenantId::new("acme").unwrap())
}

async fn filled() -> Sqlite {
    let directory = Sqlite::new();
    let store = directory.store();
    store
        .append(&stream("a"), Expected::NoStream, batch(0, 3))
        .await
        .unwrap();
    store
        .append(&directory_stream(), Expected::NoStream, batch(0, 2))
        .await
        .unwrap();
    directory
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_holds_it() {
    let directory = Sqlite::new();
    let store = directory.store();
    let error = SqliteStore::open(directory.path()).unwrap_err();
    let StoreError::Refused { reason } = &error else {
        panic!("{error:?}")
    };
    assert!(reason.contains("in use by another process"), "{reason}");
    assert!(reason.contains(&std::process::id().to_string()), "{reason}");
    drop(store);
    directory.store();
}

/// A file has one lock, whatever names lead to it, one that will only lead to it included.
#[tokio::test]
async fn a_second_process_is_refused_by_another_name_of_the_file_too() {
    let directory = Sqlite::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link.db");
    std::fs::create_dir_all(directory.path().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(directory.path(), &link).unwrap();
    let store = SqliteStore::open(&link).unwrap();
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    drop(store);
    let store = directory.store();
    let error = SqliteStore::open(&link).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    drop(store);
    let mode = std::fs::metadata(directory.path()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    // Which of two hard links is the name can't be told.
    std::fs::hard_link(directory.path(), elsewhere.path().join("hard.db")).unwrap();
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("hard links"), "{error:?}");
}

#[tokio::test]
async fn dropping_it_ends_subscriptions_with_an_error() {
    let directory = filled().await;
    let store = directory.store();
    let mut subscription = store.subscribe(None, Filter::all());
    while !matches!(
        subscription.try_next().await.unwrap(),
        Some(Delivery::CaughtUp)
    ) {}
    drop(store);
    assert!(matches!(
        subscription.next().await,
        Some(Err(StoreError::Unavailable { .. }))
    ));
    assert!(subscription.next().await.is_none());
}

#[tokio::test]
async fn a_read_only_opening_looks_on_while_another_writes() {
    let directory = filled().await;
    let writing = directory.store();
    let reading: Arc<dyn EventStore> = open(&directory.url(), Access::ReadOnly).await.unwrap();
    let mut subscription = reading.subscribe(None, Filter::all());
    while !matches!(
        subscription.try_next().await.unwrap(),
        Some(Delivery::CaughtUp)
    ) {}
    let appended = writing
        .append(&stream("a"), Expected::Exact(2), batch(3, 1))
        .await
        .unwrap();
    let delivery = subscription.try_next().await.unwrap().unwrap();
    assert!(matches!(delivery, Delivery::Event(event) if event.position == appended.position));
    assert_eq!(reading.head(&stream("a")).await.unwrap(), Some(3));
    assert_eq!(
        reading.last_position().await.unwrap(),
        Some(appended.position)
    );
    for refused in [
        reading
            .append(&stream("a"), Expected::Any, batch(0, 1))
            .await
            .unwrap_err(),
        reading.erase(&directory_stream()).await.unwrap_err(),
        reading.probe().await.unwrap_err(),
    ] {
        assert!(matches!(refused, StoreError::Refused { .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_delete_events() {
    let directory = filled().await;
    let conn = Connection::open(directory.path()).unwrap();
    let before: i64 = conn
        .query_row("SELECT sum(length(data)) FROM events", [], |row| row.get(0))
        .unwrap();
    for sql in [
        "UPDATE events SET data = x'00'",
        "UPDATE events SET position = position + 100",
        "DELETE FROM events",
        "DELETE FROM events WHERE stream = (SELECT id FROM streams WHERE name LIKE 'directory-%')",
        "INSERT OR REPLACE INTO events SELECT position, stream, revision, id, kind, x'00', metadata FROM events",
        "INSERT OR REPLACE INTO events SELECT position + 100, stream, revision, id, kind, x'00', metadata FROM events",
        "INSERT INTO events SELECT 100, stream, 9, randomblob(16), kind, data, metadata FROM events LIMIT 1",
        "UPDATE streams SET name = 'b' WHERE name = 'a'",
        "DELETE FROM streams",
        "INSERT INTO erasures SELECT id, 0 FROM streams WHERE name = 'a'",
        "INSERT OR REPLACE INTO streams SELECT id, 'directory-b' FROM streams WHERE name = 'a'",
        "INSERT OR REPLACE INTO streams (name) VALUES ('a')",
    ] {
        conn.execute(sql, []).expect_err(sql);
    }
    let after: i64 = conn
        .query_row("SELECT sum(length(data)) FROM events", [], |row| row.get(0))
        .unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn the_database_itself_refuses_to_break_or_rewrite_a_seal() {
    let directory = filled().await;
    let store = directory.store();
    store.seal("a").await.unwrap();
    store.reseal("a", "b").await.unwrap();
    let conn = Connection::open(directory.path()).unwrap();
    for sql in [
        "UPDATE seal SET why = 'c'",
        "DELETE FROM seal",
        "INSERT OR REPLACE INTO seal VALUES (1, 'c')",
        "UPDATE reseals SET why = 'c'",
        "DELETE FROM reseals",
        "INSERT INTO reseals VALUES (2, 'c')",
        "INSERT OR REPLACE INTO reseals VALUES (2, 'c')",
        "INSERT INTO reseals VALUES (9, 'c')",
    ] {
        conn.execute(sql, []).expect_err(sql);
    }
    assert_eq!(store.seals().await.unwrap(), ["a", "b"]);
    // A guard that is missing is noticed.
    drop(store);
    conn.execute("DROP TRIGGER reseals_stay", []).unwrap();
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn erased_bytes_are_nowhere_in_the_files() {
    let directory = Sqlite::new();
    let store = directory.store();
    let mut secret = batch(0, 1);
    secret[0].data = "Augusta Ada King, Countess of Lovelace".into();
    store
        .append(&directory_stream(), Expected::NoStream, secret)
        .await
        .unwrap();
    store.erase(&directory_stream()).await.unwrap();
    for file in std::fs::read_dir(directory.path().parent().unwrap()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"Augusta"));
    }
}

#[tokio::test]
async fn commits_are_synced() {
    let directory = filled().await;
    // What the file tells everyone; that the writer's own connection reads back FULL is checked whenever it opens.
    let conn = Connection::open(directory.path()).unwrap();
    let journal: String = conn
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(journal, "wal");
}

#[tokio::test]
async fn what_is_no_event_store_is_refused_untouched() {
    let directory = Sqlite::new();
    let path = directory.path();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();

    std::fs::write(
        &path,
        "these are my notes, and no database at all".repeat(100),
    )
    .unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");

    std::fs::remove_file(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for error in [
        SqliteStore::open(&path).unwrap_err(),
        SqliteStore::open_read_only(&path).unwrap_err(),
    ] {
        assert!(
            matches!(&error, StoreError::Refused { reason } if reason.contains("not an event store")),
            "{error:?}"
        );
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_file_of_a_later_version_or_without_its_guards_is_refused() {
    let directory = filled().await;
    let change = |sql: &str| {
        Connection::open(directory.path())
            .unwrap()
            .execute_batch(sql)
            .unwrap()
    };
    change("PRAGMA user_version = 9");
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { reason } if reason.contains("version 9")),
        "{error:?}"
    );
    change("PRAGMA user_version = 1; DROP TRIGGER events_are_never_deleted");
    for error in [
        SqliteStore::open(directory.path()).unwrap_err(),
        SqliteStore::open_read_only(directory.path()).unwrap_err(),
    ] {
        assert!(
            matches!(&error, StoreError::Corrupt { reason } if reason.contains("events_are_never_deleted"))
        );
    }
}

#[tokio::test]
async fn a_file_made_before_some_guards_gets_them_when_it_is_opened_for_writing() {
    let directory = filled().await;
    let conn = Connection::open(directory.path()).unwrap();
    conn.execute_batch("DROP TRIGGER streams_are_new; DROP TRIGGER erasures_are_new")
        .unwrap();
    SqliteStore::open_read_only(directory.path()).unwrap();
    let replace =
        "INSERT OR REPLACE INTO streams SELECT id, 'directory-b' FROM streams WHERE name = 'a'";
    drop(directory.store());
    conn.execute(replace, []).unwrap_err();
}

#[tokio::test]
async fn damage_within_is_an_error_and_not_an_end() {
    let directory = Sqlite::new();
    let store = directory.store();
    for n in 0..20 {
        store
            .append(&stream("a"), Expected::Any, batch(n * 100, 100))
            .await
            .unwrap();
    }
    drop(store);
    // A reader that closes a moment later would leave the pages in the write-ahead log, where no damage reaches them.
    Connection::open(directory.path())
        .unwrap()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let mut bytes = std::fs::read(directory.path()).unwrap();
    let (middle, end) = (bytes.len() / 2, bytes.len());
    bytes[middle..end - 4096].fill(0xA5);
    std::fs::write(directory.path(), bytes).unwrap();
    let read: Result<Vec<_>, _> = match SqliteStore::open(directory.path()) {
        Ok(store) => {
            store
                .read_all(None, Filter::all(), usize::MAX)
                .try_collect()
                .await
        }
        Err(error) => Err(error),
    };
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
}

#[tokio::test]
async fn a_directory_that_can_not_be_made_is_told_by_name() {
    let directory = Sqlite::new();
    std::fs::write(
        directory.0.path().join("data"),
        "a file where the directory should be",
    )
    .unwrap();
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable { reason } if reason.contains("data")),
        "{error:?}"
    );
    let missing = directory.0.path().join("nowhere.db");
    assert!(SqliteStore::open_read_only(&missing).is_err());
    assert!(!missing.exists());
}

#[tokio::test]
async fn urls_name_stores() {
    let directory = filled().await;
    let store = open(&directory.url(), Access::ReadWrite).await.unwrap();
    assert_eq!(read(&*store, &stream("a")).await.len(), 3);
    open("memory:", Access::ReadWrite).await.unwrap();
    for url in [
        "",
        "sqlite:",
        "memory:x",
        "mysql://root:secret@db/events",
        "events.db",
    ] {
        let Err(StoreError::Invalid { reason }) = open(url, Access::ReadWrite).await else {
            panic!("{url}")
        };
        assert!(!reason.contains("secret"));
    }
}
