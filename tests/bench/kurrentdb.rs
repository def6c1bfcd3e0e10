//! A KurrentDB to measure on: the real one that `CARNET_TEST_ESDB` names, or else the stand-in. That one keeps its log in
//! memory and runs in the bench's own process, so its figures are what Carnet's side costs at the least, and say nothing of a
//! server's.

use carnet_events::standin::{Cluster, Options};
use uuid::Uuid;

pub(crate) struct KurrentDb {
    url: String,
    stand_in: Option<Cluster>,
}

impl KurrentDb {
    pub(crate) async fn start() -> Self {
        match std::env::var("CARNET_TEST_ESDB") {
            Ok(url) => Self {
                url,
                stand_in: None,
            },
            Err(_) => {
                let cluster = Cluster::start(Options::default()).await;
                Self {
                    url: cluster.url(),
                    stand_in: Some(cluster),
                }
            }
        }
    }

    /// What it is, in words for a table.
    pub(crate) fn name(&self) -> &'static str {
        if self.stand_in.is_some() {
            "KurrentDB's stand-in (in memory, in this process: no server's speed)"
        } else {
            "KurrentDB, the cluster of CARNET_TEST_ESDB"
        }
    }

    /// An empty log in it.
    pub(crate) fn log(&self) -> String {
        let join = if self.url.contains('?') { '&' } else { '?' };
        let namespace = Uuid::now_v7().simple();
        format!("{}{join}namespace=bench{namespace}", self.url)
    }
}
