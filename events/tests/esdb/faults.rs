//! Appends that go wrong, each in its own way: none is lost, doubled or wrongly denied.

use std::time::{Duration, Instant};

use carnet_events::conformance::{batch, event, read, stream, texts};
use carnet_events::standin::{AppendFault, Cluster, Options};
use carnet_events::store::{Access, Expected, StoreError, open};

use super::three;

/// Appends to a stream of two events while `fault` befalls the append, and expects it to be there once.
async fn comes_through(cluster: &Cluster, fault: AppendFault) -> Duration {
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let name = stream("faulty");
    store
        .append(&name, Expected::NoStream, batch(0, 2))
        .await
        .unwrap();
    for (expected, first) in [
        (Expected::Exact(1), 2),
        (Expected::Any, 4),
        (Expected::Exists, 6),
    ] {
        cluster.next_append(fault);
        let events = batch(first, 2);
        let appended = store.append(&name, expected, events.clone()).await.unwrap();
        let revisions = (appended.first_revision, appended.last_revision);
        assert_eq!(revisions, (first as u64, first as u64 + 1));
        assert!(!appended.replayed, "it was ours, however often it was sent");
        let again = store.append(&name, expected, events).await.unwrap();
        assert!(again.replayed && again.position == appended.position);
    }
    let begun = Instant::now();
    let said = texts(&read(&*store, &name).await).concat();
    assert_eq!(said, "01234567");
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_lost_is_sent_again() {
    let cluster = Cluster::start(Options::default()).await;
    comes_through(&cluster, AppendFault::LoseRequest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_is_lost_is_asked_for() {
    let cluster = Cluster::start(Options::default()).await;
    comes_through(&cluster, AppendFault::LoseAcknowledgement).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_append_is_made_once() {
    let cluster = Cluster::start(Options::default()).await;
    // Later than one try waits: the second try is there first.
    comes_through(&cluster, AppendFault::Delay(Duration::from_secs(5))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_acknowledgement_is_waited_for_or_asked_for() {
    let cluster = Cluster::start(Options::default()).await;
    let late = Duration::from_secs(5);
    comes_through(&cluster, AppendFault::DelayAcknowledgement(late)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_not_waited_for() {
    let cluster = Cluster::start(Options::default()).await;
    comes_through(&cluster, AppendFault::Silence).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_out_of_the_server_is_looked_into() {
    let cluster = Cluster::start(Options::default()).await;
    comes_through(&cluster, AppendFault::TimeOut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_not_ready_is_asked_again() {
    let cluster = Cluster::start(Options::default()).await;
    comes_through(&cluster, AppendFault::NotReady).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_drops_without_a_word_is_sent_again() {
    let cluster = Cluster::start(Options::default()).await;
    comes_through(&cluster, AppendFault::Ignore).await;
}

/// Lets the leader of three die in the midst of an append, three times over.
async fn survives_the_leader(fault: AppendFault) {
    let cluster = Cluster::start(three()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let name = stream("orphan");
    store
        .append(&name, Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    for revision in 0..3_u64 {
        let leader = cluster.settled().await;
        cluster.next_append(fault);
        let events = vec![event(&(revision + 1).to_string())];
        let appended = store.append(&name, Expected::Exact(revision), events);
        assert_eq!(appended.await.unwrap().last_revision, revision + 1);
        assert_ne!(cluster.settled().await, leader);
        cluster.revive(leader).await;
    }
    assert_eq!(texts(&read(&*store, &name).await).concat(), "0123");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_the_leader_took_to_its_grave_is_made_by_the_next() {
    survives_the_leader(AppendFault::DieBefore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_the_leader_made_before_it_died_is_found_by_the_next() {
    survives_the_leader(AppendFault::DieAfter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_sent_is_unavailable_and_what_was_is_unknown() {
    let cluster = Cluster::start(three()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let (sent, unsent) = (stream("sent"), stream("unsent"));
    for name in [&sent, &unsent] {
        store
            .append(name, Expected::NoStream, batch(0, 1))
            .await
            .unwrap();
    }
    // Without a majority nobody leads; the append is made, and nobody can be asked.
    cluster.kill(2).await;
    cluster.kill(1).await;
    cluster.revive(1).await;
    cluster.settled().await;
    cluster.next_append(AppendFault::DieAfter);
    let events = batch(1, 1);
    let error = store
        .append(&sent, Expected::Exact(0), events.clone())
        .await;
    assert!(
        matches!(error, Err(StoreError::Unknown { .. })),
        "{error:?}"
    );
    let error = store.append(&unsent, Expected::Exact(0), batch(1, 1)).await;
    assert!(
        matches!(error, Err(StoreError::Unavailable { .. })),
        "{error:?}"
    );

    cluster.revive(2).await;
    cluster.settled().await;
    // The identical append, until the answer is definite.
    let again = store
        .append(&sent, Expected::Exact(0), events)
        .await
        .unwrap();
    assert!(again.replayed);
    assert_eq!(store.head(&unsent).await.unwrap(), Some(0));
}
