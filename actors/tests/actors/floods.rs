//! Counted records, while the store doesn't take them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use carnet_events::domain::access::AccessEvent;

use crate::faulty::{Fault, FaultyStore};
use crate::records::{denied, record};
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_waits_together_for_a_store_that_doesnt_answer() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    let runner = Arc::clone(&world.runner) as _;
    let system = world
        .start_on(1, Arc::clone(&store) as _, runner, |_| {})
        .await;
    let people = ["ada", "bob", "cyd", "dan"];
    for person in people.into_iter().chain(people) {
        record(&system, denied(person)).await;
    }
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    store.fail(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Some(Fault::NotMade)
    });
    let tried = || async { tries.load(Ordering::SeqCst) > 0 };
    world.advance_until(10 * SECOND, tried).await;
    // It ends only once the round has.
    stop(system).await;
    assert_eq!(
        tries.load(Ordering::SeqCst),
        2,
        "one each: the round's and the last"
    );
    assert_eq!(world.access_records().await.len(), people.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_couldnt_be_written_of_a_flood_is_written_later() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    let runner = Arc::clone(&world.runner) as _;
    let system = world
        .start_on(1, Arc::clone(&store) as _, runner, |_| {})
        .await;
    for person in ["ada", "bob", "ada", "bob", "bob"] {
        record(&system, denied(person)).await;
    }
    let tried = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&tried);
    store.fail(move |_, _| {
        told.fetch_add(1, Ordering::SeqCst);
        Some(Fault::NotMade)
    });
    let failed = || async { tried.load(Ordering::SeqCst) > 0 };
    world.advance_until(10 * SECOND, failed).await;
    store.mend();
    stop(system).await;
    let records = world.access_records().await;
    let counts = records.iter().filter_map(|record| match record {
        AccessEvent::Repeated(repeated) => Some((repeated.principal.clone(), repeated.count)),
        _ => None,
    });
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [(person("ada"), 1), (person("bob"), 2)]
    );
}
