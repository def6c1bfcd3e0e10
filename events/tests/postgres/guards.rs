//! What keeps the log append-only, and what is refused at opening.

use carnet_events::conformance::{batch, read, stream};
use carnet_events::ids::TenantId;
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::{Access, EventStore, Expected, StoreError};
use carnet_events::stream::StreamName;

use crate::server::{Postgres, SMALL};
use crate::support::Schema;

async fn filled() -> Schema {
    let schema = Schema::new();
    let store = schema.store().await;
    for name in [
        stream("a"),
        stream("b"),
        StreamName::directory(&TenantId::new("acme").unwrap()),
    ] {
        store
            .append(&name, Expected::NoStream, batch(0, 3))
            .await
            .unwrap();
    }
    schema
}

#[tokio::test]
async fn nothing_in_the_log_can_be_changed_by_anyone() {
    let schema = filled().await;
    for sql in [
        "UPDATE events SET data = 'x'",
        "UPDATE events SET data = data WHERE false",
        "DELETE FROM events",
        "DELETE FROM events WHERE stream = 3",
        "TRUNCATE events",
        "TRUNCATE log, streams, events, erasures CASCADE",
        "UPDATE streams SET name = 'c'",
        "DELETE FROM streams",
        "UPDATE log SET position = 1",
        // Further than the last event, or the last stream: the log would end there.
        "UPDATE log SET position = 10",
        "UPDATE log SET position = 9223372036854775807",
        "UPDATE log SET streams = 9223372036854775807",
        "DELETE FROM log",
        "INSERT INTO erasures VALUES (1, 0)",
        "INSERT INTO log VALUES (false, 0, 0)",
        "UPDATE versions SET version = 9",
        // Past the last position, past the stream's head, of no stream, there already.
        "INSERT INTO events VALUES (11, 1, 3, gen_random_uuid(), 'k', '', '')",
        "INSERT INTO events VALUES (10, 1, 4, gen_random_uuid(), 'k', '', '')",
        "INSERT INTO events VALUES (10, 9, 0, gen_random_uuid(), 'k', '', '')",
        "INSERT INTO events VALUES (10, 1, 2, gen_random_uuid(), 'k', '', '')",
        "INSERT INTO events SELECT 10, 1, 3, id, 'k', '', '' FROM events WHERE stream = 1 AND revision = 0",
        "SET session_replication_role = replica; DELETE FROM events",
    ] {
        let refused = schema.sql(sql).await.unwrap_err();
        assert!(
            refused.contains("carnet") || refused.contains("unique") || refused.contains("check"),
            "{sql}: {refused}"
        );
    }
    let store = schema.store().await;
    assert_eq!(read(&store, &stream("a")).await.len(), 3);
}

#[tokio::test]
async fn an_erased_directory_takes_no_events_by_hand_either() {
    let schema = filled().await;
    let directory = StreamName::directory(&TenantId::new("acme").unwrap());
    schema.store().await.erase(&directory).await.unwrap();
    for sql in [
        "INSERT INTO events VALUES (10, 3, 0, gen_random_uuid(), 'k', '', '')",
        "DELETE FROM erasures",
        "UPDATE erasures SET position = 0",
    ] {
        schema.sql(sql).await.unwrap_err();
    }
}

/// Whatever was once the reason stays one, and nothing else of the log changes with it.
#[tokio::test]
async fn a_seal_is_neither_broken_nor_rewritten_by_anyone() {
    let schema = filled().await;
    schema
        .sql("UPDATE log SET resealed = '{x}'")
        .await
        .unwrap_err();
    let store = schema.store().await;
    store.seal("a").await.unwrap();
    store.reseal("a", "b").await.unwrap();
    for sql in [
        "UPDATE log SET sealed = NULL",
        "UPDATE log SET sealed = NULL, resealed = '{}'",
        "UPDATE log SET sealed = 'c'",
        "UPDATE log SET resealed = '{}'",
        "UPDATE log SET resealed = '{c}'",
        "UPDATE log SET resealed = '{c,c}'",
        "UPDATE log SET resealed = '{b,NULL}'",
        "UPDATE log SET resealed = '{b,c,d}'",
        "UPDATE log SET resealed = '{b,c}', sealed = 'c'",
        "UPDATE log SET resealed = '{b,c}', position = position + 1",
        "UPDATE log SET position = position",
        "INSERT INTO events VALUES (10, 1, 3, gen_random_uuid(), 'k', '', '')",
    ] {
        let refused = schema.sql(sql).await.expect_err(sql);
        assert!(
            refused.contains("carnet") || refused.contains("no rows"),
            "{sql}: {refused}"
        );
    }
    assert_eq!(store.seals().await.unwrap(), ["a", "b"]);
}

/// A log of the first version, sealed by the program of then: what it says may change from the second version on.
#[tokio::test]
async fn a_schema_of_the_first_version_is_brought_up_to_date_sealed_or_not() {
    for sealed in [false, true] {
        let schema = Schema::new();
        let first = include_str!("../../src/store/postgres/schema.sql");
        let seal = if sealed {
            "UPDATE log SET sealed = 'a';"
        } else {
            ""
        };
        let made = format!(
            "CREATE SCHEMA {0}; SET search_path = {0}, pg_temp; {first}; {seal} \
             INSERT INTO versions (version) VALUES (1)",
            schema.0
        );
        schema.sql(&made).await.unwrap();
        let error = PostgresStore::open(&schema.url(), Access::ReadOnly).await;
        let error = error.unwrap_err();
        assert!(
            matches!(&error, StoreError::Refused { reason } if reason.contains("up to date")),
            "{error:?}"
        );
        let store = schema.store().await;
        if sealed {
            store.reseal("a", "b").await.unwrap();
            assert_eq!(store.seals().await.unwrap(), ["a", "b"]);
        } else {
            let name = stream("a");
            let appended = store.append(&name, Expected::NoStream, batch(0, 1));
            appended.await.unwrap();
            assert_eq!(store.sealed().await.unwrap(), None);
        }
        PostgresStore::open(&schema.url(), Access::ReadOnly)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_schema_with_a_guard_missing_is_not_opened() {
    for sql in [
        "DROP TRIGGER never ON events",
        "ALTER TABLE events DISABLE TRIGGER stay",
        "ALTER TABLE log ENABLE REPLICA TRIGGER forwards",
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "ALTER TABLE events DROP CONSTRAINT events_stream_id_key",
        "ALTER TABLE events ALTER COLUMN data DROP NOT NULL",
        "CREATE TRIGGER more AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()",
    ] {
        let schema = filled().await;
        schema.sql(sql).await.unwrap();
        for access in [Access::ReadWrite, Access::ReadOnly] {
            let error = PostgresStore::open(&schema.url(), access)
                .await
                .unwrap_err();
            assert!(
                matches!(&error, StoreError::Corrupt { reason } if reason.contains("differs in")),
                "{sql}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_later_version_is_refused_and_says_so() {
    let schema = filled().await;
    schema
        .sql("INSERT INTO versions (version) VALUES (99)")
        .await
        .unwrap();
    let error = PostgresStore::open(&schema.url(), Access::ReadWrite)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { reason } if reason.contains("99") && reason.contains("later one")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_schema_of_something_else_is_refused_and_left_alone() {
    let schema = Schema::new();
    let sql = format!(
        "CREATE SCHEMA {}; CREATE TABLE {0}.streams (id int)",
        schema.0
    );
    schema.sql(&sql).await.unwrap();
    let error = PostgresStore::open(&schema.url(), Access::ReadWrite)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { reason } if reason.contains("?schema=")),
        "{error:?}"
    );
    schema.sql("INSERT INTO streams VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn an_empty_schema_is_not_made_for_one_who_only_reads() {
    let schema = Schema::new();
    let error = PostgresStore::open(&schema.url(), Access::ReadOnly)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { reason } if reason.contains("carnet serve")),
        "{error:?}"
    );
}

/// Nodes that start together make the tables once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_make_one_store() {
    let schema = Schema::new();
    let nodes = futures::future::join_all((0..6).map(|_| schema.store())).await;
    for node in &nodes {
        node.append(&stream("all"), Expected::Any, batch(0, 1))
            .await
            .unwrap();
    }
    assert_eq!(nodes[0].head(&stream("all")).await.unwrap(), Some(5));
}

#[tokio::test]
async fn a_server_that_does_not_sync_is_refused() {
    let server = Postgres::start(&[SMALL, "fsync = off"]).unwrap();
    let error = PostgresStore::open(&server.url("postgres"), Access::ReadWrite)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { reason } if reason.contains("fsync = on")),
        "{error:?}"
    );
}

/// The server's own setting may be anything; commits wait for the disk all the same.
#[tokio::test]
async fn commits_are_synced_whatever_the_server_is_set_to() {
    let server = Postgres::start(&[SMALL, "synchronous_commit = off"]).unwrap();
    let store = PostgresStore::open(&server.url("postgres"), Access::ReadWrite)
        .await
        .unwrap();
    let name = stream("synced");
    let appended = store.append(&name, Expected::NoStream, batch(0, 1)).await;
    appended.unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(store.head(&name).await.unwrap(), Some(0));
}
