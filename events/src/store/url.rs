//! Opening the store that a URL names.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::esdb::{self, EsdbStore};
use super::memory::MemoryStore;
use super::postgres::{self, PostgresStore};
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
    let Some((scheme, address, parameters)) = split(url) else {
        return url.to_owned();
    };
    // A password with a `?` in it would end there. No store opens such a URL, but it may stand in a message.
    match !address.contains('@') && parameters.contains('@') {
        true => format!("{scheme}://…"),
        false => format!("{scheme}://{}", places(address)),
    }
}

/// What tells the store that the URL names from every other, and stays the same whoever opens it: [`shown`], and the
/// parameters that say where on the server it is.
#[must_use]
pub fn identity(url: &str) -> String {
    let Some((scheme, address, parameters)) = split(url) else {
        return url.to_owned();
    };
    let (scheme, own, unless_given, others): (_, _, _, &[&str]) = match scheme {
        "postgres" | "postgresql" => (
            "postgres",
            "schema",
            postgres::SCHEMA,
            &["dbname", "host", "hostaddr", "port"],
        ),
        other => (other, "namespace", esdb::DEFAULT_NAMESPACE, &[]),
    };
    let mut said: Vec<(String, String)> = Vec::new();
    for pair in parameters.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = match own.eq_ignore_ascii_case(name) {
            true => own,
            false => name,
        };
        if name == own || others.contains(&name) {
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            said.push((name.to_owned(), value));
        }
    }
    if !said.iter().any(|(name, _)| name == own) {
        said.push((own.to_owned(), unless_given.to_owned()));
    }
    said.sort();
    let said: Vec<String> = said
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{scheme}://{}?{}", places(address), said.join("&"))
}

/// Scheme, address and parameters of a URL that names a server; `None` for a file or memory.
fn split(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    if matches!(scheme, "memory" | "sqlite") {
        return None;
    }
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    Some((scheme, address, parameters))
}

/// Hosts and path of an address. A password may hold `/`, `#` and `@` unescaped: it goes up to the last `@`.
fn places(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or_default()
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
    use super::{identity, shown};

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
            ("postgres://me:sec/ret@h/db", "postgres://h/db"),
            ("postgres://me:sec#ret@h/db?schema=a", "postgres://h/db"),
            ("postgres://me:sec?ret@h/db", "postgres://…"),
            ("postgres:me:secret@h/db", "postgres://h/db"),
            ("esdb://u:sec/ret@h", "esdb://h"),
            ("esdb://u:s@/#ret@h:1,g:2/", "esdb://h:1,g:2/"),
            ("sqlite:/a@b/events.db", "sqlite:/a@b/events.db"),
        ] {
            assert_eq!(shown(url), said);
        }
    }

    #[test]
    fn stores_on_one_server_are_told_apart_and_one_is_the_same_whoever_opens_it() {
        let same = [
            [
                "postgres://me:sec/ret@h/x",
                "postgresql://you:other@h/x?schema=carnet&connections=3",
            ],
            ["esdb://u:p@h?tls=false", "esdb://h?NameSpace=c%61rnet"],
            ["sqlite:a.db", "sqlite:a.db"],
        ];
        for [one, other] in same {
            assert_eq!(identity(one), identity(other));
            assert!(!identity(one).contains("ret"), "{}", identity(one));
        }
        let others = [
            ["postgres://h/x", "postgres://h/x?schema=b"],
            ["postgres://h/x", "postgres://g/x"],
            ["postgres://@/x?host=/run/a", "postgres://@/x?host=/run/b"],
            ["esdb://h", "esdb://h?namespace=b"],
            ["esdb://h?namespace=a", "esdb://h?namespace=b"],
        ];
        for [one, other] in others {
            assert_ne!(identity(one), identity(other));
        }
    }
}
