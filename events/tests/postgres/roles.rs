//! What a role may not do is said, with what to grant.

use carnet_events::conformance::{batch, read, stream};
use carnet_events::ids::TenantId;
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::{Access, Delivery, EventStore, Expected, Filter, StoreError};
use carnet_events::stream::StreamName;
use futures::TryStreamExt;

use crate::server::{Postgres, SMALL, shared};
use crate::support::Schema;

/// A role with a password, and its URL.
async fn role(schema: &Schema, grants: &str) -> String {
    let name = format!("r{}", &schema.0[1..]);
    let sql = format!(
        "CREATE ROLE {name} LOGIN PASSWORD 'theirs'; {}",
        grants.replace("WHO", &name)
    );
    schema.sql(&sql).await.unwrap();
    schema.at(&shared::url_of(&name, "theirs"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_only_read_reads_while_others_write() {
    let schema = Schema::new();
    let writer = schema.store().await;
    let grants = format!(
        "GRANT USAGE ON SCHEMA {0} TO WHO; GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO WHO; \
         ALTER ROLE WHO SET default_transaction_read_only = on",
        schema.0
    );
    let url = role(&schema, &grants).await;
    let reader = PostgresStore::open(&url, Access::ReadOnly).await.unwrap();
    let name = stream("open");
    let mut subscription = reader.subscribe(None, Filter::all());
    for n in 0..5_usize {
        writer
            .append(&name, Expected::Any, batch(n, 1))
            .await
            .unwrap();
        assert_eq!(read(&reader, &name).await.len(), n + 1);
        while !matches!(
            subscription.try_next().await.unwrap().unwrap(),
            Delivery::Event(_)
        ) {}
    }
    let refused = reader.append(&name, Expected::Any, batch(0, 1)).await;
    assert!(
        matches!(refused, Err(StoreError::Refused { .. })),
        "{refused:?}"
    );
    assert!(matches!(
        reader.probe().await,
        Err(StoreError::Refused { .. })
    ));
}

#[tokio::test]
async fn a_role_that_may_not_write_is_told_what_to_grant() {
    let schema = Schema::new();
    drop(schema.store().await);
    let grants = format!(
        "GRANT USAGE ON SCHEMA {0} TO WHO; GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO WHO",
        schema.0
    );
    let url = role(&schema, &grants).await;
    let store = PostgresStore::open(&url, Access::ReadWrite).await.unwrap();
    let name = stream("refused");
    for error in [
        store
            .append(&name, Expected::Any, batch(0, 1))
            .await
            .unwrap_err(),
        store.probe().await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, StoreError::Refused { reason } if reason.contains("grant the role")),
            "{error:?}"
        );
    }
    assert_eq!(store.head(&name).await.unwrap(), None);
}

/// What comes together is carried out in several transactions: one that fails takes none of those after it along.
#[tokio::test]
async fn a_request_that_is_refused_does_not_keep_later_ones_from_the_log() {
    let schema = Schema::new();
    drop(schema.store().await);
    let grants = format!(
        "GRANT USAGE ON SCHEMA {0} TO WHO; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {0} TO WHO; \
         REVOKE INSERT ON {0}.erasures FROM WHO",
        schema.0
    );
    let url = role(&schema, &grants).await;
    let store = PostgresStore::open(&url, Access::ReadWrite).await.unwrap();
    let directory = StreamName::directory(&TenantId::new("acme").unwrap());
    let name = stream("later");
    let (erased, appended, probed) = tokio::join!(
        store.erase(&directory),
        store.append(&name, Expected::NoStream, batch(0, 1)),
        store.probe(),
    );
    assert!(
        matches!(&erased, Err(StoreError::Refused { reason }) if reason.contains("grant the role")),
        "{erased:?}"
    );
    appended.unwrap();
    probed.unwrap();

    store.seal("moved").await.unwrap();
    let (appended, erased, again, probed) = tokio::join!(
        store.append(&name, Expected::Any, batch(1, 1)),
        store.erase(&directory),
        store.append(&name, Expected::Any, batch(2, 1)),
        store.probe(),
    );
    let refusals = [
        appended.map(drop),
        erased,
        again.map(drop),
        probed.map(drop),
    ];
    for refused in refusals {
        assert!(
            matches!(&refused, Err(StoreError::Refused { reason }) if reason.contains("moved")),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_role_that_may_not_make_the_schema_is_told_so() {
    let schema = Schema::new();
    let url = role(&schema, "").await;
    let error = PostgresStore::open(&url, Access::ReadWrite)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { reason } if reason.contains("GRANT CREATE")),
        "{error:?}"
    );
}

/// Whoever set it: nothing is lost, and it goes on when it is writable again.
#[tokio::test]
async fn a_database_set_to_read_only_is_told_from_one_that_is_away() {
    let server = Postgres::start(&[SMALL]).unwrap();
    let url = server.url("postgres");
    let store = PostgresStore::open(&url, Access::ReadWrite).await.unwrap();
    let name = stream("kept");
    let append = async |expected| store.append(&name, expected, batch(0, 1)).await;
    append(Expected::NoStream).await.unwrap();
    for setting in ["on", "off"] {
        let sql = format!("ALTER SYSTEM SET default_transaction_read_only = {setting}");
        // A session in a read-only default may still change the system.
        server.execute(&sql).unwrap();
        server.stop().unwrap();
        server.start_again().unwrap();
        if setting == "on" {
            for error in [
                append(Expected::Exact(0)).await.unwrap_err(),
                PostgresStore::open(&url, Access::ReadWrite)
                    .await
                    .unwrap_err(),
            ] {
                assert!(
                    matches!(&error, StoreError::Unavailable { reason } if reason.contains("read only")),
                    "{error:?}"
                );
            }
            assert_eq!(store.head(&name).await.unwrap(), Some(0));
        }
    }
    append(Expected::Exact(0)).await.unwrap();
}
