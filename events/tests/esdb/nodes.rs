//! Nodes that die, come back, or no longer lead.

use std::time::Duration;

use carnet_events::conformance::{batch, read, stream, texts};
use carnet_events::standin::{Cluster, Options};
use carnet_events::store::{Access, Delivery, Expected, Filter, open};
use futures::TryStreamExt;

use super::three;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_as_the_only_seed_leads_to_the_leader() {
    let cluster = Cluster::start(three()).await;
    for node in 0..3 {
        let store = open(&cluster.url_of(node), Access::ReadWrite)
            .await
            .unwrap();
        let name = stream(&format!("by-{node}"));
        store
            .append(&name, Expected::NoStream, batch(0, 1))
            .await
            .unwrap();
        assert_eq!(store.head(&name).await.unwrap(), Some(0));
        let discover = cluster
            .url_of(node)
            .replace("esdb://", "kurrentdb+discover://");
        let store = open(&discover, Access::ReadWrite).await.unwrap();
        assert_eq!(store.head(&name).await.unwrap(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_no_longer_one_is_left() {
    let cluster = Cluster::start(three()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let name = stream("follows");
    let mut expected = Expected::NoStream;
    for round in 0..30 {
        cluster.elect(round % 3);
        let appended = store
            .append(&name, expected, batch(round, 1))
            .await
            .unwrap();
        assert!(!appended.replayed);
        cluster.elect((round + 1) % 3);
        assert_eq!(store.head(&name).await.unwrap(), Some(round as u64));
        expected = Expected::Exact(round as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_are_made_anew() {
    let cluster = Cluster::start(Options::default()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let name = stream("broken");
    for n in 0..20 {
        store
            .append(&name, Expected::Any, batch(n, 1))
            .await
            .unwrap();
        cluster.drop_connections();
        assert_eq!(read(&*store, &name).await.len(), n + 1);
        cluster.drop_connections();
        assert!(store.last_position().await.unwrap().is_some());
    }
}

/// Writers and readers through the death of one leader after the other: what was acknowledged stays, nothing is doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_die_one_after_the_other_under_load() {
    let cluster = Cluster::start(three()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let mut followed = store.subscribe(None, Filter::all());
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let name = stream(&format!("load-{writer}"));
                for n in 0..60_u64 {
                    let expected = n.checked_sub(1).map_or(Expected::NoStream, Expected::Exact);
                    let appended = store.append(&name, expected, batch(n as usize, 1)).await;
                    assert_eq!(appended.unwrap().last_revision, n);
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
            })
        })
        .collect();
    for _ in 0..4 {
        let leader = cluster.settled().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.kill(leader).await;
        cluster.settled().await;
        cluster.revive(leader).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 8 * 60 {
        match followed.try_next().await {
            Ok(Some(Delivery::Event(event))) => seen.push(event),
            Ok(Some(_)) => {}
            // As every consumer does: it begins anew where it was.
            Ok(None) | Err(_) => {
                let after = seen.last().map(|event| event.position);
                followed = store.subscribe(after, Filter::all());
            }
        }
    }
    let all: Vec<_> = store
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    assert!(seen == all);
    for writer in 0..8 {
        let said = texts(&read(&*store, &stream(&format!("load-{writer}"))).await);
        assert_eq!(said, (0..60).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}
