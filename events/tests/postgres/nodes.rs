//! Several nodes on one database.

use std::sync::Arc;

use carnet_events::conformance::{batch, read, stream, texts};
use carnet_events::store::{Delivery, EventStore, EventStream, Expected, Filter, StoreError};
use futures::TryStreamExt;
use futures::future::join_all;

use crate::connect::connect;
use crate::server::shared;
use crate::support::Schema;

/// The next event of a subscription.
async fn next(subscription: &mut EventStream<Delivery>) -> carnet_events::envelope::Recorded {
    loop {
        if let Delivery::Event(event) = subscription.try_next().await.unwrap().unwrap() {
            return event;
        }
    }
}

/// What one writes, the other's follower gets, every time.
pub(crate) async fn follow_another(one: &dyn EventStore, other: &dyn EventStore, times: usize) {
    let mut subscription = other.subscribe(None, Filter::all());
    for n in 0..times {
        one.append(&stream("news"), Expected::Any, batch(n, 1))
            .await
            .unwrap();
        assert_eq!(texts(&[next(&mut subscription).await]), [n.to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_writes_another_follows() {
    let schema = Schema::new();
    let (one, other) = (schema.store().await, schema.store().await);
    follow_another(&one, &other, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_expect_the_same_revision_one_wins() {
    let schema = Schema::new();
    let nodes = join_all((0..3).map(|_| schema.store())).await;
    let name = stream("race");
    let mut expected = Expected::NoStream;
    for round in 0..20_u64 {
        let racers = nodes
            .iter()
            .map(|node| node.append(&name, expected, batch(0, 1)));
        let results = join_all(racers).await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(won, 1, "{results:?}");
        for lost in results.into_iter().filter_map(Result::err) {
            assert!(
                matches!(lost, StoreError::Conflict { actual, .. } if actual == Some(round)),
                "{lost:?}"
            );
        }
        expected = Expected::Exact(round);
    }
    for node in &nodes {
        assert_eq!(node.head(&name).await.unwrap(), Some(19));
    }
}

/// Positions are those of one sequence without a gap, and every follower on every node sees all of it in that order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_write_at_once_make_one_sequence() {
    const NODES: usize = 3;
    const WRITERS: usize = 6;
    const APPENDS: usize = 25;
    let schema = Schema::new();
    let nodes = join_all((0..NODES).map(|_| schema.store())).await;
    let nodes: Vec<Arc<_>> = nodes.into_iter().map(Arc::new).collect();
    let mut total = 0;
    let mut writers = Vec::new();
    for writer in 0..NODES * WRITERS {
        let node = nodes[writer % NODES].clone();
        let size = 1 + writer % 4;
        total += size * APPENDS;
        writers.push(tokio::spawn(async move {
            for n in 0..APPENDS {
                // Streams are shared between nodes.
                let name = stream(&format!("s-{}", (writer + n) % 7));
                node.append(&name, Expected::Any, batch(0, size))
                    .await
                    .unwrap();
            }
        }));
    }
    let followers: Vec<_> = nodes
        .iter()
        .map(|node| {
            let mut subscription = node.subscribe(None, Filter::all());
            tokio::spawn(async move {
                let mut events = Vec::new();
                while events.len() < total {
                    events.push(next(&mut subscription).await);
                }
                events
            })
        })
        .collect();
    join_all(writers).await.into_iter().for_each(Result::unwrap);
    let followed = join_all(followers).await;
    let all: Vec<_> = nodes[0]
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    assert!(
        all.iter()
            .zip(1..)
            .all(|(event, n)| event.position.commit == n)
    );
    for events in followed {
        assert!(events.unwrap() == all, "a follower saw something else");
    }
}

/// A transaction that is slow to commit holds back those that would come after it: no reader gets past it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commit_of_a_slow_writer_is_never_skipped() {
    let schema = Schema::new();
    let (one, other) = (schema.store().await, Arc::new(schema.store().await));
    one.append(&stream("before"), Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    let mut subscription = one.subscribe(None, Filter::all());
    assert_eq!(next(&mut subscription).await.position.commit, 1);

    let slow = connect(&shared::url()).await.unwrap();
    let begin = format!(
        "BEGIN; SET LOCAL search_path = {}; SELECT * FROM log FOR UPDATE; INSERT INTO streams VALUES (2, 'slow'); \
         INSERT INTO events VALUES (2, 2, 0, gen_random_uuid(), 'said', 'slow', ''); UPDATE log SET position = 2, streams = 2",
        schema.0
    );
    slow.batch_execute(&begin).await.unwrap();
    let fast = {
        let other = other.clone();
        tokio::spawn(async move {
            let name = stream("fast");
            other.append(&name, Expected::NoStream, batch(0, 1)).await
        })
    };
    // The other node waits for its turn; nobody sees anything yet.
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
    let pattern = format!("%{}.log FOR UPDATE%", schema.0);
    let watch = connect(&shared::url()).await.unwrap();
    let type_ = tokio_postgres::types::Type::TEXT;
    while !watch
        .query_typed_one(waits, &[(&pattern, type_.clone())])
        .await
        .unwrap()
        .get::<_, bool>(0)
    {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for node in [&one, &*other] {
        let all: Vec<_> = node
            .read_all(None, Filter::all(), 9)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(all.len(), 1);
    }
    assert!(!fast.is_finished());
    slow.batch_execute("COMMIT").await.unwrap();
    let appended = fast.await.unwrap().unwrap();
    assert_eq!(appended.position.commit, 3);
    for (position, name) in [(2, "slow"), (3, "fast")] {
        let event = next(&mut subscription).await;
        assert_eq!(
            (event.position.commit, event.stream.as_str()),
            (position, name)
        );
    }
}

/// One that can't be served doesn't keep the others of its group from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_one_group_are_judged_one_by_one() {
    let store = Schema::new().store().await;
    let name = stream("together");
    let before = store.commits();
    let racers = (0..64).map(|n| store.append(&name, Expected::Exact(n), batch(0, 1)));
    let first = store.append(&name, Expected::NoStream, batch(0, 1));
    let (first, racers) = tokio::join!(first, join_all(racers));
    first.unwrap();
    // Asked in this order, each finds the one before it there, in the same transaction or an earlier one.
    assert!(racers.iter().all(Result::is_ok), "{racers:?}");
    assert_eq!(read(&store, &name).await.len(), 65);
    assert!(
        store.commits() - before < 65,
        "they were not committed together"
    );
}
