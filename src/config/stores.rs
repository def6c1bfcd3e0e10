//! `[keys]`, `[store]` and `[projections]`: where the service keeps what it must not lose, and what it can rebuild.

use std::path::PathBuf;

use carnet_events::store::postgres::PostgresStore;
use serde::{Deserialize, Serialize};

use super::error::Complaints;

/// `[keys]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// File with the master secrets that the keys of links, sessions, cursors and hashes are derived from; made with mode 0600 when absent, where the
    /// event store is one node's own.
    pub file: PathBuf,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            file: PathBuf::from("data/keys"),
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Where events are kept: `sqlite:PATH`, `postgres://USER:PASSWORD@HOST/DATABASE`, `esdb://HOST:PORT`, or `memory:` for a trial whose history
    /// may be lost.
    pub url: String,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: "sqlite:data/events.db".to_owned(),
        }
    }
}

impl Store {
    /// Whether several nodes can use it at once.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !self.url.starts_with("sqlite:") && !self.url.starts_with("memory:")
    }

    pub(super) fn check(&self, at: &mut Complaints<'_>) {
        if self.url.starts_with("postgres:") || self.url.starts_with("postgresql:") {
            if let Err(error) = PostgresStore::check(&self.url) {
                let form = "write \"postgres://USER:PASSWORD@HOST:PORT/DATABASE\"; what follows `?` is described in default.toml";
                at.add("store.url", error.to_string(), form);
            }
            return;
        }
        let scheme = self.url.split_once("://").map(|(scheme, _)| scheme);
        if let Some("esdb" | "esdb+discover" | "kurrentdb" | "kurrentdb+discover") = scheme {
            if let Err(error) = carnet_events::store::esdb::check(&self.url) {
                at.add(
                    "store.url",
                    error.to_string(),
                    "write \"esdb://user:password@host:2113,host:2113\", user and password percent-encoded",
                );
            }
            return;
        }
        let known = self.url == "memory:"
            || self
                .url
                .strip_prefix("sqlite:")
                .is_some_and(|path| !path.is_empty());
        if !known {
            at.add(
                "store.url",
                "names no event store this build has",
                "write \"sqlite:data/events.db\" (kept on disk), \"postgres://USER:PASSWORD@HOST/DATABASE\", \"esdb://HOST:PORT\" or \"memory:\" (lost at exit)",
            );
        }
    }
}

/// `[projections]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Projections {
    /// Each read model has a database of its own beside this path, named after it. They may be deleted while the service is stopped, and are built
    /// again from the events.
    pub path: PathBuf,
}

impl Default for Projections {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/projections.db"),
        }
    }
}
