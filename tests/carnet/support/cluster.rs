//! Several nodes: processes on one site, with one event store, one folder of artifacts and one key file between them.

use std::sync::Arc;
use std::time::Duration;

use super::client::Base;
use super::{Client, Server, Site};

/// Nodes of one service. What is left of them is killed when they are dropped.
pub(crate) struct Cluster<'a> {
    site: &'a Site,
    store: String,
    nodes: Vec<Node>,
}

struct Node {
    /// Where it is, or was last.
    base: Base,
    /// `None` while it is down.
    server: Option<Server>,
}

impl<'a> Cluster<'a> {
    /// Starts `count` nodes on the event store at `url`.
    pub(crate) fn start(site: &'a Site, url: &str, count: usize) -> Self {
        let keys = site.carnet(&["keys", "new", "data/keys"]);
        assert!(keys.status.success(), "{keys:?}");
        let mut cluster = Self {
            site,
            store: url.to_owned(),
            nodes: Vec::new(),
        };
        for _ in 0..count {
            cluster.add();
        }
        cluster
    }

    /// Starts one more; gives its number.
    pub(crate) fn add(&mut self) -> usize {
        self.nodes.push(Node {
            base: Base::default(),
            server: None,
        });
        let node = self.nodes.len() - 1;
        self.revive(node);
        node
    }

    /// How many nodes there are, up or down.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Starts a node that is down, on what it has left.
    pub(crate) fn revive(&mut self, node: usize) {
        let projections = format!("node-{node}/projections.db");
        let settings = [
            ("STORE__URL", self.store.as_str()),
            ("PROJECTIONS__PATH", projections.as_str()),
        ];
        let server = Server::try_start_with(self.site, &settings);
        let server = server.unwrap_or_else(|log| panic!("node {node} did not start:\n{log}"));
        let one = &mut self.nodes[node];
        server.address().clone_into(&mut one.base.write().unwrap());
        one.server = Some(server);
    }

    /// A node that is up.
    pub(crate) fn node(&self, node: usize) -> &Server {
        self.nodes[node].server.as_ref().expect("the node is up")
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].server.take().expect("it is up").kill();
    }

    /// Stops a node in good order; gives what it logged.
    pub(crate) fn stop(&mut self, node: usize) -> String {
        let (status, log) = self.nodes[node].server.take().expect("it is up").stop();
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// A client of one node, wherever it is started anew.
    pub(crate) fn client(&self, node: usize, token: &str) -> Client {
        self.impatient(node, token, Duration::from_secs(60))
    }

    /// A client that waits for an answer no longer than `patience`.
    pub(crate) fn impatient(&self, node: usize, token: &str, patience: Duration) -> Client {
        Client::following(Arc::clone(&self.nodes[node].base), token, patience)
    }

    /// A client of each node.
    pub(crate) fn clients(&self, token: &str) -> Vec<Client> {
        (0..self.len())
            .map(|node| self.client(node, token))
            .collect()
    }
}
