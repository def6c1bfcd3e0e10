//! Rebuilding from zero gives what live reading gave: over any history, read in any pieces.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::store::EventStore;
use carnet_events::store::memory::MemoryStore;
use carnet_projections::{Options, ProjectionName, Projections};
use proptest::prelude::*;

use crate::history::{self, FATES};
use crate::seen::{assert_same, look};

async fn check(fates: Vec<u8>, batch: usize, restart_at: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let options = |name: &str| Options {
        batch_events: batch,
        // So short that the longer histories outlive them.
        keep_minutes: Duration::from_secs(6 * 3600),
        keep_hours: Duration::from_secs(20 * 3600),
        ..Options::new(folder.path().join(name))
    };
    let start = |name| Projections::start(Arc::clone(&store), options(name));
    let mut live = start("live.db").await.unwrap();
    for (number, fate) in fates.iter().enumerate() {
        history::write(store.as_ref(), number, *fate).await;
        if number == restart_at {
            live.shutdown().await;
            live = start("live.db").await.unwrap();
        }
    }
    let seen = look(&live).await;
    live.rebuild(&ProjectionName::ALL).await.unwrap();
    assert_same(&look(&live).await, &seen, "rebuilt beside the live tables");
    live.shutdown().await;
    let fresh = start("fresh.db").await.unwrap();
    assert_same(&look(&fresh).await, &seen, "a new file");
    fresh.shutdown().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rebuilding_from_zero_gives_what_live_reading_gave(
        fates in proptest::collection::vec(0..FATES, 1..40),
        batch in 1usize..50,
        restart_at in 0usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check(fates, batch, restart_at));
    }
}
