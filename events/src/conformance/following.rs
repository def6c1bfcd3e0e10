//! Subscriptions: history, then the present, once and in order.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};

use super::{Backend, batch, stream, texts};
use crate::envelope::{Position, Recorded};
use crate::store::{Delivery, EventStore, EventStream, Expected, Filter};
use crate::stream::StreamKind;

/// The next `count` events of a subscription.
async fn events(subscription: &mut EventStream<Delivery>, count: usize) -> Vec<Recorded> {
    let mut events = Vec::new();
    while events.len() < count {
        if let Delivery::Event(event) = subscription.try_next().await.unwrap().unwrap() {
            events.push(event);
        }
    }
    events
}

/// Goes on until the subscription has caught up; the events and checkpoints on the way.
async fn catch_up(subscription: &mut EventStream<Delivery>) -> (Vec<Recorded>, Vec<Position>) {
    let (mut events, mut checkpoints) = (Vec::new(), Vec::new());
    loop {
        match subscription.try_next().await.unwrap().unwrap() {
            Delivery::Event(event) => events.push(event),
            Delivery::Checkpoint(position) => checkpoints.push(position),
            Delivery::CaughtUp => return (events, checkpoints),
        }
    }
}

fn write(
    store: &Arc<dyn EventStore>,
    writers: usize,
    appends: usize,
) -> impl Future<Output = ()> + use<> {
    let store = store.clone();
    async move {
        let writers = (0..writers).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let name = stream(&format!("load-{writer}"));
                for n in 0..appends {
                    store
                        .append(&name, Expected::Any, batch(n, 1))
                        .await
                        .unwrap();
                }
            })
        });
        join_all(writers).await.into_iter().for_each(Result::unwrap);
    }
}

/// Subscribers who begin before, during and after heavy writing all see the total order, whole.
pub async fn live_follows_catch_up_without_gap_or_repeat(backend: &dyn Backend) {
    let store = backend.open().await;
    write(&store, 4, 200).await;
    let load = tokio::spawn(write(&store, 16, 100));
    let subscribers = (0..6).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(n * 7)).await;
            let mut subscription = store.subscribe(None, Filter::all());
            events(&mut subscription, 4 * 200 + 16 * 100).await
        })
    });
    let followed = join_all(subscribers).await;
    load.await.unwrap();
    let all: Vec<Recorded> = store
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    for events in followed {
        assert!(
            events.unwrap() == all,
            "a subscriber saw something else than the total order"
        );
    }
}

/// Going on after a position begins with what comes after it, for events and checkpoints alike.
pub async fn resuming_is_exclusive(backend: &dyn Backend) {
    let store = backend.open().await;
    store
        .append(&stream("resume"), Expected::NoStream, batch(0, 10))
        .await
        .unwrap();
    let all = events(&mut store.subscribe(None, Filter::all()), 10).await;
    for n in 0..9 {
        let next = events(
            &mut store.subscribe(Some(all[n].position), Filter::all()),
            1,
        )
        .await;
        assert_eq!(next[0], all[n + 1]);
    }
    let nothing = Filter::all().kinds(["never"]);
    let (_, checkpoints) = catch_up(&mut store.subscribe(None, nothing)).await;
    let mut subscription = store.subscribe(checkpoints.last().copied(), Filter::all());
    assert_eq!(catch_up(&mut subscription).await.0, []);
    store
        .append(&stream("resume"), Expected::Exact(9), batch(10, 1))
        .await
        .unwrap();
    assert_eq!(texts(&events(&mut subscription, 1).await), ["10"]);
}

/// After the history, before the first live event, and not again while the consumer keeps up.
pub async fn catching_up_is_told_once(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut empty = store.subscribe(None, Filter::all());
    assert_eq!(catch_up(&mut empty).await, (Vec::new(), Vec::new()));
    store
        .append(&stream("told"), Expected::NoStream, batch(0, 3))
        .await
        .unwrap();

    let mut subscription = store.subscribe(None, Filter::all());
    assert_eq!(texts(&catch_up(&mut subscription).await.0), ["0", "1", "2"]);
    for n in 3..20 {
        store
            .append(&stream("told"), Expected::Any, batch(n, 1))
            .await
            .unwrap();
        let delivery = subscription.try_next().await.unwrap().unwrap();
        assert!(
            matches!(&delivery, Delivery::Event(event) if event.revision == n as u64),
            "{delivery:?}"
        );
    }
}

/// A subscriber whom nothing concerns still learns how far it is, in the history and at its end.
pub async fn checkpoints_come_while_nothing_matches(backend: &dyn Backend) {
    let store = backend.open().await;
    for n in 0..30 {
        store
            .append(&stream("noise"), Expected::Any, batch(n * 1000, 1000))
            .await
            .unwrap();
    }
    let last = store.last_position().await.unwrap().unwrap();
    let filter = Filter::all().streams([StreamKind::Policy]);
    let (events, checkpoints) = catch_up(&mut store.subscribe(None, filter)).await;
    assert_eq!(events, []);
    assert!(
        checkpoints.len() > 1,
        "30,000 events without a word in between"
    );
    assert!(checkpoints.is_sorted_by(|a, b| a < b));
    assert_eq!(checkpoints.last(), Some(&last));
}

/// The same for what comes in live.
pub async fn a_filtered_live_subscription_moves_on(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut subscription = store.subscribe(None, Filter::all().kinds(["never"]));
    catch_up(&mut subscription).await;
    for n in 0..5 {
        let appended = store
            .append(&stream("noise"), Expected::Any, batch(n, 2))
            .await
            .unwrap();
        loop {
            match subscription.try_next().await.unwrap().unwrap() {
                Delivery::Checkpoint(position) if position >= appended.position => break,
                Delivery::Checkpoint(_) => {}
                other => panic!("nothing matches, yet there is {other:?}"),
            }
        }
    }
}

/// Who reads slowly while others write holds nobody up, and gets everything in the end.
pub async fn a_slow_consumer_misses_nothing(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut subscription = store.subscribe(None, Filter::all());
    let mut seen = Vec::new();
    for round in 0..6 {
        store
            .append(&stream("slow"), Expected::Any, batch(round * 1000, 1000))
            .await
            .unwrap();
        seen.extend(events(&mut subscription, 3).await);
    }
    seen.extend(events(&mut subscription, 6000 - seen.len()).await);
    assert_eq!(
        texts(&seen),
        (0..6000).map(|n| n.to_string()).collect::<Vec<_>>()
    );
}

/// More subscribers than the backend has connections, threads or whatever it shares among them.
pub async fn many_follow_at_once(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut subscriptions: Vec<_> = (0..100)
        .map(|_| store.subscribe(None, Filter::all()))
        .collect();
    join_all(subscriptions.iter_mut().map(catch_up)).await;
    store
        .append(&stream("many"), Expected::Any, batch(0, 1))
        .await
        .unwrap();
    let firsts = join_all(
        subscriptions
            .iter_mut()
            .map(|subscription| events(subscription, 1)),
    )
    .await;
    assert!(firsts.iter().all(|events| texts(events) == ["0"]));
}

/// Whether waiting, in the middle of a page or never asked at all.
pub async fn dropping_a_subscription_is_harmless(backend: &dyn Backend) {
    let store = backend.open().await;
    store
        .append(&stream("drop"), Expected::Any, batch(0, 100))
        .await
        .unwrap();
    for n in 0..50 {
        let mut subscription = store.subscribe(None, Filter::all());
        let _ = tokio::time::timeout(Duration::from_micros(n * 20), async {
            while subscription.next().await.is_some() {}
        })
        .await;
    }
    store
        .append(&stream("drop"), Expected::Exact(99), batch(100, 1))
        .await
        .unwrap();
    assert_eq!(
        events(&mut store.subscribe(None, Filter::all()), 101)
            .await
            .len(),
        101
    );
}
