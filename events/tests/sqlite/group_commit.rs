//! Many appends, few commits; each judged on its own.

use std::sync::Arc;

use carnet_events::conformance::{batch, read, stream};
use carnet_events::store::{EventStore, Expected, StoreError};
use futures::future::join_all;

use super::Sqlite;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_that_wait_together_are_committed_together() {
    let directory = Sqlite::new();
    let store = Arc::new(directory.store());
    let writers = (0..64).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                store
                    .append(
                        &stream(&format!("group-{writer}")),
                        Expected::Any,
                        batch(n, 1),
                    )
                    .await
                    .unwrap();
            }
        })
    });
    join_all(writers).await.into_iter().for_each(Result::unwrap);
    let commits = store.commits();
    assert!(commits < 64 * 50 / 2, "{commits} commits for 3,200 appends");
}

#[tokio::test]
async fn one_that_is_turned_down_takes_nobody_with_it() {
    let directory = Sqlite::new();
    let store = directory.store();
    let names = ["a", "b", "c"].map(stream);
    store
        .append(&names[1], Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    let appends = names
        .iter()
        .map(|name| store.append(name, Expected::NoStream, batch(0, 2)));
    let results = join_all(appends).await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert!(matches!(
        results[1],
        Err(StoreError::Conflict {
            actual: Some(0),
            ..
        })
    ));
    for (name, count) in names.iter().zip([2, 1, 2]) {
        assert_eq!(read(&store, name).await.len(), count);
    }
}

#[tokio::test]
async fn whoever_goes_away_before_the_answer_harms_nobody() {
    let directory = Sqlite::new();
    let store = directory.store();
    for n in 0..200 {
        let name = stream(&format!("gone-{n}"));
        tokio::select! {
            biased;
            _ = store.append(&name, Expected::NoStream, batch(0, 2)) => {}
            () = tokio::task::yield_now() => {}
        }
    }
    store
        .append(&stream("last"), Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    for n in 0..200 {
        let count = read(&store, &stream(&format!("gone-{n}"))).await.len();
        assert!(count == 0 || count == 2);
    }
}
