//! What comes between: others' changes, cancellations, time-outs, locks, lost connections.

use std::time::{Duration, Instant};

use carnet::config::Span;
use carnet::export::catalog::SourceConfig;
use carnet_events::domain::export::Progress;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::desk::{Desk, Schema, category, rows, until};

const COLUMNS: &str = "n = { type = 'integer' }\npad = { type = 'text' }";
/// Far more than sockets and buffers hold.
const MANY: &str = "create table t (tenant text, n int); insert into t select 'acme', n from generate_series(1, 300000) n;";
const QUERY: &str = "select n, repeat('x', 200) as pad from t where tenant = :tenant order by n";
const SLEEPING: &str =
    "select n, pg_sleep(600)::text as pad from t where tenant = :tenant order by n limit 1";

/// How many statements of a schema's export are running.
fn running(schema: &Schema) -> u32 {
    let sql = format!(
        "select count(*) from pg_stat_activity where application_name = 'carnet' and state <> 'idle' and query like '%/* {} */%'",
        schema.0
    );
    // The statement that counts isn't carnet's.
    schema.sql(&sql).parse().unwrap()
}

fn marked(schema: &Schema, query: &str) -> String {
    format!("{query} /* {} */", schema.0)
}

#[tokio::test]
async fn what_is_committed_while_an_export_reads_isnt_in_it() {
    let schema = Schema::new(&format!(
        "{MANY} create table u (tenant text, n int); insert into u values ('acme', 1)"
    ));
    let categories = format!(
        "{}{}",
        category("a", QUERY, COLUMNS),
        category(
            "b",
            "select n from u where tenant = :tenant order by n",
            "n = { type = 'integer' }"
        ),
    );
    let desk = Desk::new(&schema.url(), &categories).await;
    let (told, mut progress) = watch::channel(Progress::START);
    let change = async {
        progress
            .wait_for(|progress| progress.rows > 0)
            .await
            .unwrap();
        let url = schema.0.clone();
        tokio::task::spawn_blocking(move || {
            crate::server::shared::query(&format!(
                "set search_path = {url}; insert into t values ('acme', 0); insert into u values ('acme', 0); delete from u where n = 1"
            ))
        })
        .await
        .unwrap();
    };
    let export = desk.run(&["a", "b"], None, CancellationToken::new(), Some(told));
    let (exported, ()) = tokio::join!(export, change);
    let exported = exported.unwrap();
    assert_eq!(rows(&exported, "a").len(), 300_000);
    assert_eq!(rows(&exported, "b"), [json!({ "n": 1 })]);
    assert_eq!(desk.rows("b").await.unwrap(), [json!({ "n": 0 })]);
}

#[tokio::test]
async fn cancelling_ends_a_statement_that_gives_no_rows() {
    let schema = Schema::new(MANY);
    let query = marked(&schema, SLEEPING);
    let desk = Desk::new(&schema.url(), &category("c", &query, COLUMNS)).await;
    let cancel = CancellationToken::new();
    let cancelling = async {
        until("the statement to run", || {
            (running(&schema) > 0).then_some(())
        })
        .await;
        cancel.cancel();
        Instant::now()
    };
    let (failed, cancelled) =
        tokio::join!(desk.run(&["c"], None, cancel.clone(), None), cancelling);
    assert_eq!(failed.unwrap_err().code, "cancelled");
    assert!(cancelled.elapsed() < Duration::from_secs(60));
    until("the server to stop", || {
        (running(&schema) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_query_without_rows_is_a_sign_of_life_where_a_statement_timeout_allows_it() {
    for said in [true, false] {
        let schema = Schema::new(
            "create table t (tenant text, n int); insert into t values ('acme', 1); create table gate (n int); insert into gate values (0)",
        );
        // It spins until the gate is open, for other sessions' changes can't be seen in its snapshot: a sequence's can.
        schema.sql("create sequence opened minvalue 0 start 0; select nextval('opened')");
        schema.sql(
            "create function wait() returns text language plpgsql as $$ begin
               loop
                 exit when (select last_value from opened) > 0;
                 perform pg_sleep(0.02);
               end loop;
               return '';
             end $$",
        );
        let query = marked(
            &schema,
            "select n, wait() as pad from t where tenant = :tenant order by n",
        );
        let mut source = SourceConfig::new("main", &schema.url());
        source.statement_timeout = said.then(|| Span::minutes(5));
        let desk = Desk::over(source, &category("c", &query, COLUMNS)).await;
        let (told, mut progress) = watch::channel(Progress::START);
        let watching = async {
            until("the statement to run", || {
                (running(&schema) > 0).then_some(())
            })
            .await;
            let begun = progress.borrow_and_update().clone();
            if said {
                for _ in 0..3 {
                    progress.changed().await.unwrap();
                    assert_eq!(*progress.borrow_and_update(), begun, "the same once more");
                }
            } else {
                tokio::time::sleep(Duration::from_secs(3)).await;
                assert!(!progress.has_changed().unwrap(), "nothing is said");
            }
            schema.sql("select nextval('opened')");
        };
        let export = desk.run(&["c"], None, CancellationToken::new(), Some(told));
        let (exported, ()) = tokio::join!(export, watching);
        assert_eq!(rows(&exported.unwrap(), "c").len(), 1);
    }
}

#[tokio::test]
async fn cancelling_ends_connecting_to_a_server_that_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "postgres://me@{}/x?connect_timeout=60",
        silent.local_addr().unwrap()
    );
    let desk = Desk::new(&url, &category("c", QUERY, COLUMNS)).await;
    let cancel = CancellationToken::new();
    let cancelling = async {
        let accepted = tokio::task::spawn_blocking(move || silent.accept())
            .await
            .unwrap();
        cancel.cancel();
        (accepted, Instant::now())
    };
    let (failed, (_, cancelled)) =
        tokio::join!(desk.run(&["c"], None, cancel.clone(), None), cancelling);
    assert_eq!(failed.unwrap_err().code, "cancelled");
    assert!(cancelled.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let schema = Schema::new(MANY);
    let query = marked(&schema, SLEEPING);
    let mut source = SourceConfig::new("main", &schema.url());
    source.statement_timeout = Some(Span::seconds(3));
    let desk = Desk::over(source, &category("c", &query, COLUMNS)).await;
    let failure = desk.rows("c").await.unwrap_err();
    assert_eq!(failure.code, "source_timeout");
    assert!(failure.retryable);
    assert_eq!(failure.parameters["category"], "c");
    until("the server to stop", || {
        (running(&schema) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_breaks_while_rows_come_fails_the_attempt_and_stores_nothing() {
    let schema = Schema::new(MANY);
    let query = marked(&schema, QUERY);
    let desk = Desk::new(&schema.url(), &category("c", &query, COLUMNS)).await;
    let (told, mut progress) = watch::channel(Progress::START);
    let breaking = async {
        progress
            .wait_for(|progress| progress.rows > 0)
            .await
            .unwrap();
        schema.sql(&format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'carnet' and backend_type = 'client backend' and query like '%/* {} */%'",
            schema.0
        ))
    };
    let export = desk.run(&["c"], None, CancellationToken::new(), Some(told));
    let (failed, terminated) = tokio::join!(export, breaking);
    assert_eq!(terminated, "t");
    let failure = failed.unwrap_err();
    assert_eq!(failure.code, "source_unavailable");
    assert!(failure.retryable);
    assert_eq!(rows(&desk.bytes(&["c"]).await.unwrap(), "c").len(), 300_000);
}

#[tokio::test]
async fn a_locked_table_is_not_waited_for_without_end() {
    let schema = Schema::new(MANY);
    let desk = Desk::new(&schema.url(), &category("c", QUERY, COLUMNS)).await;
    let name = schema.0.clone();
    let held = tokio::task::spawn_blocking(move || {
        crate::server::shared::query(&format!(
            "begin; lock table {name}.t in access exclusive mode; select pg_sleep(600) /* holds {name} */; commit"
        ))
    });
    let holds = format!(
        "select count(*) from pg_locks where relation = '{}.t'::regclass and granted and mode = 'AccessExclusiveLock'",
        schema.0
    );
    until("the lock", || (schema.sql(&holds) == "1").then_some(())).await;
    let failure = desk.rows("c").await.unwrap_err();
    assert_eq!(failure.code, "source_busy");
    assert!(failure.retryable);
    schema.sql(&format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%holds {}%' and pid <> pg_backend_pid()",
        schema.0
    ));
    let _ = held.await;
}

/// A pooler gives the connection to somebody else afterwards: nothing that was set may stay, and a role's own settings don't show.
#[tokio::test]
async fn how_a_role_likes_its_values_shown_changes_nothing() {
    let schema = Schema::new(
        "create table t (tenant text, at timestamptz); insert into t values ('acme', '2024-01-15 10:00Z')",
    );
    let role = schema.role();
    schema.sql(&format!(
        "grant usage on schema {0} to {role}; grant select on t to {role}; alter role {role} set timezone = 'Asia/Tokyo'; alter role {role} set datestyle = 'German'; alter role {role} set intervalstyle = 'sql_standard'; alter role {role} set statement_timeout = '1s'; alter role {role} set idle_in_transaction_session_timeout = '1s'",
        schema.0
    ));
    let query = "select at::text as shown, at::date as day, (at - '2024-01-14'::date)::text as since from t, pg_sleep(2) where tenant = :tenant";
    let columns = "shown = { type = 'text' }\nday = { type = 'date' }\nsince = { type = 'text' }";
    let desk = Desk::new(
        &schema.url_of(&role, "reader"),
        &category("c", query, columns),
    )
    .await;
    assert_eq!(
        desk.rows("c").await.unwrap(),
        [json!({ "shown": "2024-01-15 10:00:00+00", "day": "2024-01-15", "since": "P1DT10H" })]
    );
}
