//! The conformance suite on the memory store.
#![allow(missing_docs, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use carnet_events::conformance::Backend;
use carnet_events::store::EventStore;
use carnet_events::store::memory::MemoryStore;

/// Opening it again gives the same contents, as long as this value lives.
#[derive(Default)]
struct Memory(MemoryStore);

#[async_trait]
impl Backend for Memory {
    async fn open(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }
}

carnet_events::conformance_suite!(Memory::default());
