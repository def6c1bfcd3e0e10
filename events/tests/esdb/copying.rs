//! A copy into a cluster: marked until it was found equal.

use std::panic::AssertUnwindSafe;

use carnet_events::conformance::{batch, stream};
use carnet_events::copy::{Move, Stage, copy, unfinished};
use carnet_events::ids::{TenantId, Timestamp};
use carnet_events::standin::{Cluster, Options};
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{Access, EventStore, Expected, open};
use carnet_events::stream::StreamName;
use futures::FutureExt;

const GOAL: Move<'static> = Move {
    to: "elsewhere:1",
    instead_of: None,
    now: Timestamp::EPOCH,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_broken_off_is_marked_until_it_is_whole() {
    let source = MemoryStore::new();
    for n in 0..4 {
        let name = stream(&format!("s-{n}"));
        let events = batch(n, 3);
        source
            .append(&name, Expected::NoStream, events)
            .await
            .unwrap();
    }
    let gone = StreamName::directory(&TenantId::new("acme").unwrap());
    source
        .append(&gone, Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    source.erase(&gone).await.unwrap();

    let cluster = Cluster::start(Options::default()).await;
    let target = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let dies = |stage: Stage| assert!(!matches!(stage, Stage::Verifying(5)));
    let died = AssertUnwindSafe(copy(&source, &*target, GOAL, &dies)).catch_unwind();
    died.await.unwrap_err();
    let another = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    assert!(unfinished(&*another).await.unwrap());

    let report = copy(&source, &*another, GOAL, &|_| {}).await.unwrap();
    assert_eq!((report.events, report.resumed, report.erased), (12, 12, 1));
    assert!(!unfinished(&*target).await.unwrap());
    // Made again it is equal still, and not marked once more.
    copy(&source, &*target, GOAL, &|_| {}).await.unwrap();
    assert!(!unfinished(&*target).await.unwrap());
}
