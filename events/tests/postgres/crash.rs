//! Nodes that die, and a server that does.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use carnet_events::conformance::{batch, crash, read, stream};
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::{
    Access, Delivery, EventStore, EventStream, Expected, Filter, StoreError,
};
use futures::TryStreamExt;
use futures::future::join_all;

use crate::server::{Postgres, SMALL};
use crate::support::Schema;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    crash::victim().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_nine_of_a_node() {
    crash::survives(&Schema::new().url(), "crash::victim", 8).await;
}

/// A node that is stopped in the middle of a transaction holds the log; the server ends that, and the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_freezes_does_not_hold_up_the_others_for_good() {
    let schema = Schema::new();
    let store = schema.store().await;
    let mut frozen = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::victim", "--nocapture"])
        .env("CARNET_CRASH_URL", schema.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while store.last_position().await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let signal = |signal: &str| {
        let pid = frozen.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.unwrap().success());
    };
    for n in 0..3 {
        signal("-STOP");
        store
            .append(&stream("on"), Expected::Any, batch(n, 1))
            .await
            .unwrap();
        signal("-CONT");
        tokio::time::sleep(Duration::from_millis(50 + n as u64 * 37)).await;
    }
    frozen.kill().unwrap();
    frozen.wait().unwrap();
}

/// Appends until told to stop, repeating each append until its outcome is definite; what was acknowledged.
async fn insist(
    store: Arc<PostgresStore>,
    writer: usize,
    stop: Arc<std::sync::atomic::AtomicBool>,
) -> Vec<uuid::Uuid> {
    let name = stream(&format!("insist-{writer}"));
    let (mut expected, mut acknowledged) = (Expected::NoStream, Vec::new());
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let events = batch(0, 2);
        let appended = loop {
            match store.append(&name, expected, events.clone()).await {
                Ok(appended) => break appended,
                Err(StoreError::Unavailable { .. } | StoreError::Unknown { .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(other) => panic!("{other:?}"),
            }
        };
        acknowledged.extend(events.iter().map(|event| event.id));
        expected = Expected::Exact(appended.last_revision);
    }
    acknowledged
}

/// Follows from position to position, whatever breaks; ends at `count` events.
async fn follow(
    store: Arc<PostgresStore>,
    count: tokio::sync::watch::Receiver<Option<usize>>,
) -> Vec<u64> {
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let mut subscription: EventStream<Delivery> = store.subscribe(after, Filter::all());
        loop {
            let waited = tokio::time::timeout(Duration::from_millis(100), subscription.try_next());
            match waited.await {
                Ok(Ok(Some(Delivery::Event(event)))) => {
                    after = Some(event.position);
                    seen.push(event.position.commit);
                }
                Ok(Ok(_)) => {}
                Ok(Err(StoreError::Unavailable { .. })) => break,
                Ok(Err(other)) => panic!("{other:?}"),
                Err(_) if *count.borrow() == Some(seen.len()) => return seen,
                Err(_) => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Killed and restarted in the middle of appending, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_loses_and_doubles_nothing() {
    const WRITERS: usize = 8;
    let server = Postgres::start(&[SMALL]).unwrap();
    let url = server.url("postgres");
    let open = || PostgresStore::open(&url, Access::ReadWrite);
    let nodes = [
        Arc::new(open().await.unwrap()),
        Arc::new(open().await.unwrap()),
    ];
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(insist(nodes[writer % 2].clone(), writer, stop.clone())))
        .collect();
    let (told, count) = tokio::sync::watch::channel(None);
    let follower = tokio::spawn(follow(nodes[0].clone(), count));
    let server = tokio::task::spawn_blocking(move || {
        for round in 0..4 {
            std::thread::sleep(Duration::from_millis(300 + round * 71));
            server.kill().unwrap();
            server.start_again().unwrap();
        }
        std::thread::sleep(Duration::from_millis(300));
        server
    });
    let _server = server.await.unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let acknowledged = join_all(writers).await;

    let mut total = 0;
    for (writer, acknowledged) in acknowledged.into_iter().enumerate() {
        let acknowledged = acknowledged.unwrap();
        let name = stream(&format!("insist-{writer}"));
        let events = read(&*nodes[1], &name).await;
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids, acknowledged, "writer {writer}");
        assert!(events.iter().zip(0..).all(|(event, n)| event.revision == n));
        total += ids.len();
    }
    assert!(total > WRITERS, "hardly anything was written: {total}");
    told.send_replace(Some(total));
    let seen = follower.await.unwrap();
    let distinct: HashSet<_> = seen.iter().collect();
    assert_eq!((distinct.len(), seen.is_sorted()), (total, true));
    assert_eq!(seen.last(), Some(&(total as u64)), "a gap");
}
