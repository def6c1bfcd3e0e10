//! The event stores that several nodes can share, as servers that a test starts and breaks.

use std::time::Duration;

use carnet_events::standin::{Cluster, Options};
use uuid::Uuid;

use crate::postgres::{Postgres, SMALL};

/// One of them, running.
pub(crate) enum Engine {
    /// A real PostgreSQL.
    Postgres(Postgres),
    /// A stand-in for a KurrentDB cluster of three.
    StandIn(Box<Cluster>),
    /// The cluster at the URL in `CARNET_TEST_ESDB`.
    Real(String),
}

impl Engine {
    pub(crate) fn postgres() -> Self {
        Self::Postgres(Postgres::start(&[SMALL]).expect("a PostgreSQL to test with"))
    }

    /// A real cluster if there is one, else the stand-in.
    pub(crate) async fn kurrentdb() -> Self {
        match std::env::var("CARNET_TEST_ESDB") {
            Ok(url) => Self::Real(url),
            Err(_) => {
                let three = Options {
                    nodes: 3,
                    ..Options::default()
                };
                Self::StandIn(Box::new(Cluster::start(three).await))
            }
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::StandIn(_) => "a stand-in for KurrentDB",
            Self::Real(_) => "KurrentDB",
        }
    }

    /// What nodes write into `store.url`: a log of its own, for as long as the caller keeps what it got.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(postgres) => postgres.url("postgres"),
            Self::StandIn(cluster) => cluster.url(),
            Self::Real(url) => {
                let join = if url.contains('?') { '&' } else { '?' };
                format!("{url}{join}namespace=t{}", Uuid::new_v4().simple())
            }
        }
    }

    /// Strikes it: the database is killed as by a power cut and started again; of the stand-in's nodes the leader is. Nothing is
    /// done to a cluster that isn't ours.
    pub(crate) async fn restart(&mut self) {
        match self {
            Self::Postgres(postgres) => {
                postgres.kill().expect("it can be killed");
                tokio::time::sleep(Duration::from_millis(500)).await;
                postgres.start_again().expect("it starts again");
            }
            Self::StandIn(cluster) => {
                let leader = cluster.settled().await;
                cluster.kill(leader).await;
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                cluster.revive(leader).await;
            }
            Self::Real(_) => {}
        }
    }
}
