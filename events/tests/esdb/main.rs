//! The conformance suite on KurrentDB, and what only that one has.
//!
//! `server`, `crash` and `resigning` run against the cluster that `CARNET_TEST_ESDB` names (see `tests/run esdb`), and without it
//! against a stand-in; `cluster` and the faults always run against a stand-in, for they break it.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod access;
mod copying;
mod crash;
mod faults;
mod following;
mod nodes;
mod resigning;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use carnet_events::conformance::Backend;
use carnet_events::standin::{Cluster, Options};
use carnet_events::store::{Access, EventStore, open};
use uuid::Uuid;

/// A namespace of its own on a server that others may use too.
struct Server {
    url: String,
    /// The stand-in, unless a real one was given.
    _cluster: Option<Cluster>,
}

impl Server {
    async fn real_or(options: Options) -> Self {
        match std::env::var("CARNET_TEST_ESDB") {
            Ok(url) => Self::at(&url, None),
            Err(_) => Self::standin(options).await,
        }
    }

    async fn standin(options: Options) -> Self {
        let cluster = Cluster::start(options).await;
        Self::at(&cluster.url(), Some(cluster))
    }

    fn at(url: &str, cluster: Option<Cluster>) -> Self {
        let join = if url.contains('?') { '&' } else { '?' };
        Self {
            url: format!("{url}{join}namespace=t{}", Uuid::new_v4().simple()),
            _cluster: cluster,
        }
    }
}

#[async_trait]
impl Backend for Server {
    async fn open(&self) -> Arc<dyn EventStore> {
        open(&self.url, Access::ReadWrite).await.unwrap()
    }

    async fn another(&self, _: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        self.open().await
    }

    fn tells_racers_apart(&self) -> bool {
        false
    }
}

fn three() -> Options {
    Options {
        nodes: 3,
        ..Options::default()
    }
}

mod server {
    use super::*;
    carnet_events::conformance_suite!(Server::real_or(Options::default()).await);
}

mod cluster {
    use super::*;
    carnet_events::conformance_suite!(Server::standin(three()).await);
}
