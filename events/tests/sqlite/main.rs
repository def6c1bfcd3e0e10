//! The conformance suite on the SQLite store, and what only that one has.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod crash;
mod disk_full;
mod file;
mod group_commit;
mod io_error;
mod memory;
mod model;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use carnet_events::conformance::Backend;
use carnet_events::store::EventStore;
use carnet_events::store::sqlite::SqliteStore;
use tempfile::TempDir;

/// A store in a directory of its own.
struct Sqlite(TempDir);

impl Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data").join("events.db")
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(self.path()).unwrap()
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn open(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store())
    }
}

carnet_events::conformance_suite!(Sqlite::new());
