//! Many who ask at once where streams end, while the server doesn't answer, or answers that it can't.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::conformance::{batch, stream};
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::{Access, EventStore, Expected, StoreError};
use futures::future::join_all;

use crate::server::{Postgres, SMALL};

/// More than one question names, so that some wait for the next.
const ASKERS: usize = 600;

/// Twice what anybody waits.
const DEADLINE: Duration = Duration::from_secs(60);

/// Where a stream of one event ends, asked by everybody at once.
async fn ask(store: &Arc<PostgresStore>) -> Vec<Result<Option<u64>, StoreError>> {
    let askers = (0..ASKERS).map(|_| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.head(&stream("a")).await })
    });
    let answers = tokio::time::timeout(DEADLINE, join_all(askers)).await;
    let answers = answers.expect("everybody is answered");
    answers.into_iter().map(Result::unwrap).collect()
}

fn unavailable(answer: &Result<Option<u64>, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_hangs_or_fails_is_an_error_for_all_who_asked_and_for_nobody_after() {
    let server = Postgres::start(&[SMALL]).unwrap_or_else(|error| panic!("{error}"));
    let url = server.url("postgres");
    let store = PostgresStore::open(&url, Access::ReadWrite).await.unwrap();
    let store = Arc::new(store);
    store
        .append(&stream("a"), Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    let known = |answers: &[Result<Option<u64>, StoreError>]| {
        answers.iter().all(|answer| *answer == Ok(Some(0)))
    };
    assert!(known(&ask(&store).await));

    // It hangs: somebody locks what is asked.
    let other = crate::connect::connect(&url).await.unwrap();
    other
        .batch_execute("BEGIN; LOCK TABLE carnet.events IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let answers = ask(&store).await;
    assert!(answers.iter().all(unavailable), "{:?}", answers.first());
    other.batch_execute("ROLLBACK").await.unwrap();
    assert!(known(&ask(&store).await), "the next question is answered");

    // It fails: what is asked isn't there.
    let rename = |from: &str, to: &str| format!("ALTER TABLE carnet.{from} RENAME TO {to}");
    other
        .batch_execute(&rename("events", "elsewhere"))
        .await
        .unwrap();
    let answers = ask(&store).await;
    assert!(answers.iter().all(Result::is_err), "{:?}", answers.first());
    other
        .batch_execute(&rename("elsewhere", "events"))
        .await
        .unwrap();
    assert!(known(&ask(&store).await));

    // Nobody is there.
    server.kill().unwrap();
    let answers = ask(&store).await;
    assert!(answers.iter().all(unavailable), "{:?}", answers.first());
    server.start_again().unwrap();
    assert!(known(&ask(&store).await));
}
