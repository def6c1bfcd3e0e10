//! Opening the store that a URL names.

use std::sync::Arc;

use super::esdb::EsdbStore;
use super::memory::MemoryStore;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{EventStore, StoreError};

/// What the store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading and writing; one process at a time where the store is a file.
    ReadWrite,
    /// Only reading, also while another process writes.
    ReadOnly,
}

/// The URL as messages and logs may show it: without user, password and parameters.
#[must_use]
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    let Some(address) = rest.strip_prefix("//") else {
        return url.to_owned();
    };
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{hosts}{path}")
}

/// Opens the store named by `url`:
///
/// - `memory:` a new, empty store in memory, gone with the value;
/// - `sqlite:PATH` a file, `PATH` absolute or relative to the working directory;
/// - `postgres://USER:PASSWORD@HOST/DATABASE` a schema in a PostgreSQL database, see [`PostgresStore::open`];
/// - `esdb://…`, `esdb+discover://…`, or the same with `kurrentdb`: EventStoreDB or KurrentDB, see [`esdb`](super::esdb).
///
/// # Errors
/// `Invalid` when the URL names no store there is; otherwise whatever keeps it from being opened.
pub async fn open(url: &str, access: Access) -> Result<Arc<dyn EventStore>, StoreError> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(MemoryStore::new())),
        "sqlite" if !rest.is_empty() => {
            let path = rest.to_owned();
            let open = move || match access {
                Access::ReadWrite => SqliteStore::open(path),
                Access::ReadOnly => SqliteStore::open_read_only(path),
            };
            let opened = tokio::task::spawn_blocking(open).await;
            let store = opened.map_err(|error| {
                StoreError::unavailable(format!("opening was broken off: {error}"))
            })?;
            Ok(Arc::new(store?))
        }
        "postgres" | "postgresql" if !rest.is_empty() => {
            Ok(Arc::new(PostgresStore::open(url, access).await?))
        }
        "esdb" | "esdb+discover" | "kurrentdb" | "kurrentdb+discover" => {
            Ok(Arc::new(EsdbStore::open(url, access).await?))
        }
        // The rest of the URL may hold a password.
        _ => Err(StoreError::invalid(format!(
            "`{scheme}:…` names no event store; there are `memory:`, `sqlite:PATH`, `postgres://…` and `esdb://…`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_is_secret_in_a_url_is_not_shown() {
        for (url, said) in [
            ("sqlite:data/events.db", "sqlite:data/events.db"),
            (
                "postgres://me:p@ss@a:1,b:2/x?password=p",
                "postgres://a:1,b:2/x",
            ),
            (
                "esdb://admin:changeit@node:2113?tls=false",
                "esdb://node:2113",
            ),
        ] {
            assert_eq!(shown(url), said);
        }
    }
}
