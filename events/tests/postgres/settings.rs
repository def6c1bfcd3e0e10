//! Whatever a database is set to, and whatever others have put into its search path: the store does what it does.

use carnet_events::conformance::{batch, read, stream};
use carnet_events::ids::TenantId;
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::{Access, EventStore, Expected, Filter};
use carnet_events::stream::StreamName;
use futures::TryStreamExt;
use futures::future::{join, join_all};
use uuid::Uuid;

use crate::connect::connect;
use crate::server::shared;

/// A database of its own on the shared server: its name and its URL.
fn database() -> (String, String) {
    let name = format!("d_{}", Uuid::new_v4().simple());
    shared::query(&format!("CREATE DATABASE {name}"));
    let url = shared::url().replace("/postgres", &format!("/{name}"));
    (name, url)
}

/// A function, or an operator, that fits the store's arguments better than PostgreSQL's own is called instead of it.
#[tokio::test]
async fn what_others_plant_in_the_search_path_is_never_called() {
    let (_, url) = database();
    let plant = connect(&url).await.unwrap();
    for (signature, result) in [
        ("unnest(text[])", "SETOF text"),
        ("unnest(smallint[])", "SETOF smallint"),
        ("format(text, name, name, text, text)", "text"),
        ("string_agg(name, text)", "text"),
        ("of_oid(oid, regnamespace)", "boolean"),
        ("of_number(numeric, integer)", "numeric"),
    ] {
        let sql = format!(
            "CREATE FUNCTION public.{signature} RETURNS {result} LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'planted: {signature}'; END $$"
        );
        plant.batch_execute(&sql).await.unwrap();
    }
    let operators = "CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regnamespace, FUNCTION = public.of_oid); \
         CREATE OPERATOR public.* (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = public.of_number)";
    plant.batch_execute(operators).await.unwrap();
    // That they are in the way.
    plant
        .query_typed("SELECT unnest(ARRAY['a'])", &[])
        .await
        .unwrap_err();

    let store = PostgresStore::open(&url, Access::ReadWrite).await.unwrap();
    let directory = StreamName::directory(&TenantId::new("acme").unwrap());
    for name in [stream("a"), directory.clone()] {
        let appended = store.append(&name, Expected::NoStream, batch(0, 3)).await;
        appended.unwrap();
        assert_eq!(read(&store, &name).await.len(), 3);
        assert_eq!(store.head(&name).await.unwrap(), Some(2));
    }
    store.erase(&directory).await.unwrap();
    assert_eq!(store.erased().await.unwrap(), [directory]);
    let all = store.read_all(None, Filter::all(), 9);
    assert_eq!(all.try_collect::<Vec<_>>().await.unwrap().len(), 3);
    store.probe().await.unwrap();
    store.seal("moved").await.unwrap();
    store.reseal("moved", "moved on").await.unwrap();
    let again = PostgresStore::open(&url, Access::ReadOnly).await.unwrap();
    assert_eq!(again.seals().await.unwrap(), ["moved", "moved on"]);
}

/// Under any stricter isolation, whoever has waited for the log would be turned away: what it saw has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_take_turns_whatever_isolation_is_the_default() {
    let (name, url) = database();
    shared::query(&format!(
        "ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    ));
    let nodes = join_all((0..3).map(|_| PostgresStore::open(&url, Access::ReadWrite))).await;
    let nodes: Vec<_> = nodes.into_iter().map(Result::unwrap).collect();
    let shared_stream = stream("shared");
    join_all(nodes.iter().map(async |node| {
        for _ in 0..20 {
            let append = node.append(&shared_stream, Expected::Any, batch(0, 1));
            let (appended, probed) = join(append, node.probe()).await;
            appended.unwrap();
            probed.unwrap();
        }
    }))
    .await;
    assert_eq!(nodes[0].head(&shared_stream).await.unwrap(), Some(59));
}
