//! A stand-in for a KurrentDB cluster: real gRPC over real sockets, a log in memory, faults on demand.
//!
//! It speaks the published protocol to the `eventstore` crate and to the store's own calls: streams (append, read, `$all`
//! with filters, subscriptions, tombstones, stream metadata with `$maxCount`), gossip, server features, basic
//! authentication, TLS. It mixes in what a real log holds besides: positions with gaps, system events, statistics, events of
//! others. Appends are answered as the server's source does, its lapses included: what repeats an append is recognised
//! only where it was expected, and without a revision only while it is remembered.
//!
//! # What it can't show
//! That it is a stand-in and no database: nothing is written to disk, so nothing is shown of durability or recovery.
//! Its nodes share one log, so nothing is ever replicated late, truncated or read stale from a deposed leader; an election
//! is a pause. It has no quotas, time-outs of its own, scavenging chunks, projections or persistent subscriptions, and its
//! speed says nothing of a server's. That a release answers as this does is shown only by `tests/run esdb URL`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::result_large_err,
    reason = "it is part of tests, and those fail by panicking; the gRPC library's status is as large as it is"
)]

mod certificate;
mod door;
mod log;
mod node;
mod read;
mod shared;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::node::Node;
use self::shared::Shared;

pub use self::shared::AppendFault;

/// What cluster is wanted.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes.
    pub nodes: usize,
    /// Whether connections are encrypted, by an authority of its own.
    pub tls: bool,
    /// Who alone is let in.
    pub user: Option<(String, String)>,
    /// The release it says it is. Those before 23.10 don't tell when a subscription has caught up.
    pub version: String,
    /// How long there is no leader after one has died.
    pub election: Duration,
}

impl Default for Options {
    /// One open node that says it is 24.10.
    fn default() -> Self {
        Self {
            nodes: 1,
            tls: false,
            user: None,
            version: "24.10.0".to_owned(),
            election: Duration::from_millis(300),
        }
    }
}

/// A cluster that answers for as long as this value lives.
pub struct Cluster {
    shared: Arc<Shared>,
    nodes: Vec<Node>,
    ca: Option<certificate::Authority>,
}

impl Cluster {
    /// Starts it on ports that the system chooses. Node 0 leads.
    pub async fn start(options: Options) -> Self {
        let ca = options.tls.then(certificate::Authority::new);
        let shared = Arc::new(Shared::new(options.clone()));
        let mut nodes = Vec::new();
        for number in 0..options.nodes {
            let tls = ca.as_ref().map(certificate::Authority::acceptor);
            nodes.push(Node::start(number, Arc::clone(&shared), tls).await);
        }
        Self { shared, nodes, ca }
    }

    /// How the store is told of it, without parameters that the caller may want to add; they go behind a `&`.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(Node::host).collect();
        let user = self.shared.options.user.as_ref().map(|(user, password)| {
            let encoded = |text| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
            };
            format!("{}:{}@", encoded(user), encoded(password))
        });
        let tls = match &self.ca {
            Some(ca) => format!("tls=true&tlsCaFile={}", ca.file().display()),
            None => "tls=false".to_owned(),
        };
        format!(
            "esdb://{}{}?{tls}",
            user.unwrap_or_default(),
            hosts.join(",")
        )
    }

    /// The same with one node as the only seed, through which the others are found.
    #[must_use]
    pub fn url_of(&self, node: usize) -> String {
        let url = self.url();
        let all: Vec<String> = self.nodes.iter().map(Node::host).collect();
        url.replace(&all.join(","), &all[node])
    }

    /// The file of the authority that signed the nodes' certificates.
    #[must_use]
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.ca.as_ref().map(|ca| ca.file().to_owned())
    }

    /// Which node leads now.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        self.shared.leader()
    }

    /// Waits until some node leads, and says which.
    pub async fn settled(&self) -> usize {
        loop {
            if let Some(leader) = self.leader() {
                return leader;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends a node as `kill -9` does: its connections break, its port refuses. If it led, another will.
    pub async fn kill(&self, node: usize) {
        self.nodes[node].kill().await;
        self.shared.died(node);
    }

    /// Starts a dead node again, as a follower unless there is no leader.
    pub async fn revive(&self, node: usize) {
        self.nodes[node].revive().await;
        self.shared.lives(node);
    }

    /// Makes another node the leader, all of them alive.
    pub fn elect(&self, node: usize) {
        self.shared.elect(node);
    }

    /// Breaks all connections.
    pub fn drop_connections(&self) {
        self.nodes.iter().for_each(Node::drop_connections);
    }

    /// Ends all subscriptions in good order.
    pub fn end_subscriptions(&self) {
        self.shared.end_subscriptions();
    }

    /// Lets the next append to a stream of events go wrong; several are used up in turn.
    pub fn next_append(&self, fault: AppendFault) {
        self.shared.faults().push_back(fault);
    }

    /// Sets all machines' clocks off by so much.
    pub fn skew_clocks(&self, milliseconds: i64) {
        self.shared.log().skew_ms = milliseconds;
    }

    /// Takes the events of deleted streams off the disk.
    pub fn scavenge(&self) {
        self.shared.log().scavenge();
    }

    /// Whether any record holds these bytes in its data.
    #[must_use]
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let log = self.shared.log();
        log.all()
            .iter()
            .any(|entry| entry.data.windows(bytes.len()).any(|data| data == bytes))
    }

    /// How many records there are, of whomever.
    #[must_use]
    pub fn records(&self) -> usize {
        self.shared.log().all().len()
    }

    /// How many subscriptions to the server were ever begun.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.shared.subscriptions()
    }

    /// How many connections were ever taken.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
