//! Subscriptions whose server ends them, or falls silent.

use std::time::{Duration, Instant};

use carnet_events::conformance::{batch, stream};
use carnet_events::envelope::Recorded;
use carnet_events::standin::{Cluster, Options};
use carnet_events::store::{Access, Delivery, EventStream, Expected, Filter, open};
use futures::TryStreamExt;

async fn next(followed: &mut EventStream<Delivery>) -> Recorded {
    loop {
        if let Delivery::Event(event) = followed.try_next().await.unwrap().unwrap() {
            return event;
        }
    }
}

/// A server that goes down in good order ends subscriptions so. Nobody waits for the next one, and nobody spins.
#[tokio::test(flavor = "current_thread")]
async fn a_subscription_ended_in_good_order_is_begun_anew_without_spinning() {
    let cluster = Cluster::start(Options::default()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let name = stream("ended");
    let mut followed = store.subscribe(None, Filter::all());
    let begun = Instant::now();
    let mut revision = 0;
    while begun.elapsed() < Duration::from_secs(3) || revision < 20 {
        cluster.end_subscriptions();
        store
            .append(&name, Expected::Any, batch(revision, 1))
            .await
            .unwrap();
        assert_eq!(next(&mut followed).await.revision, revision as u64);
        revision += 1;
    }
    let subscriptions = cluster.subscriptions();
    let most = 13 * begun.elapsed().as_secs() as usize;
    assert!(
        (2..most).contains(&subscriptions),
        "{subscriptions} in {:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_is_told_though_the_subscription_breaks() {
    let cluster = Cluster::start(Options::default()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let other = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let mut followed = store.subscribe(None, Filter::all());
    for n in 0..10 {
        if n % 3 == 0 {
            cluster.drop_connections();
        }
        other
            .append(&stream("told"), Expected::Any, batch(n, 1))
            .await
            .unwrap();
        assert_eq!(next(&mut followed).await.revision, n as u64);
    }
}

/// What one store writes another learns by the server's subscription, well before it would look for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_travel_faster_than_one_looks() {
    let cluster = Cluster::start(Options::default()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let other = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let mut followed = store.subscribe(None, Filter::all());
    let mut quick = 0;
    for n in 0..30 {
        other
            .append(&stream("news"), Expected::Any, batch(n, 1))
            .await
            .unwrap();
        let written = Instant::now();
        assert_eq!(next(&mut followed).await.revision, n as u64);
        quick += usize::from(written.elapsed() < Duration::from_secs(1));
    }
    // Whoever only looked would be quick half the time.
    assert!(quick >= 24, "{quick} of 30");
}

/// Releases before 23.10 don't say that a subscription has caught up; it is known all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catching_up_is_known_on_old_releases_too() {
    let old = Options {
        version: "22.10.2".to_owned(),
        ..Options::default()
    };
    let cluster = Cluster::start(old).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    store
        .append(&stream("old"), Expected::NoStream, batch(0, 600))
        .await
        .unwrap();
    let mut followed = store.subscribe(None, Filter::all());
    let mut events = 0;
    while let Some(delivery) = followed.try_next().await.unwrap() {
        match delivery {
            Delivery::Event(_) => events += 1,
            Delivery::Checkpoint(_) => {}
            Delivery::CaughtUp => break,
        }
    }
    assert_eq!(events, 600);
}
