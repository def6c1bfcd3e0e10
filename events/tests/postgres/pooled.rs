//! The suite once more behind a pooler that gives every transaction another connection.

use std::sync::Arc;

use async_trait::async_trait;
use carnet_events::conformance::Backend;
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::{Access, EventStore};

use crate::server::bouncer::Bouncer;
use crate::server::shared;
use crate::support::Schema;

struct Pooled(Schema, Bouncer);

impl Pooled {
    fn new() -> Self {
        Self(Schema::new(), Bouncer::start(shared::port(), 4).unwrap())
    }
}

#[async_trait]
impl Backend for Pooled {
    async fn open(&self) -> Arc<dyn EventStore> {
        let url = self.0.at(&self.1.before(&shared::url()));
        Arc::new(PostgresStore::open(&url, Access::ReadWrite).await.unwrap())
    }

    async fn another(&self, _: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        self.open().await
    }
}

carnet_events::conformance_suite!(Pooled::new());

/// Notifications don't come through; what another node wrote is found all the same, and what follows quickly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_is_found_without_notifications() {
    let pooled = Pooled::new();
    let (one, other) = (pooled.open().await, pooled.open().await);
    crate::nodes::follow_another(&*one, &*other, 20).await;
}
