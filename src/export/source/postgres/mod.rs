//! PostgreSQL databases.
//!
//! Every export opens its own connection and one transaction, `REPEATABLE READ, READ ONLY`: it sees what was committed when its first statement
//! ran, hinders no writer, and may run on a standby. A role that may only SELECT suffices.
//!
//! **How rows are read.** By the extended protocol: the query as it is, `:tenant` bound as `$1`, results in binary, all of them in one go while
//! they are encoded. No value ever becomes part of a statement. For a million rows of ten columns on a busy machine this took 0.75 s (0.41 s of our
//! processor time); a binary `COPY`, which can't take parameters, 0.83 s (0.35 s) with the tenant as a literal and 0.97 s with
//! it in a setting; a text `COPY` 1.1 s; a cursor 0.94 s. What the server sends is bounded by the socket: it waits for us.
//!
//! **Categories are read one after another,** as they are written; a second reader, on an exported snapshot, could only fill a buffer. While
//! we encode, the server goes on until the socket is full, so the two overlap within a category already.
//!
//! **How large a row may be.** The driver takes a whole one from the socket before its values are looked at. So the connection looks at the
//! head of each as it comes, and one beyond 32 MiB ends the export, by the name of its column, before it is taken in.
//!
//! **How long a query may give no row.** Where the source's `statement_timeout` is set, as long as that: while the server is waited for, which
//! ends a statement by itself when its time is over, the export says that it is alive. Elsewhere as long as `workers.stall_after`.
//!
//! The table of types stands in `types`, and for users in the README.

use std::time::Duration;

use carnet_actors::ports::Clock;
use carnet_events::ids::Timestamp;
use carnet_events::store::postgres::connect::Address;
use tokio_util::sync::CancellationToken;

use super::{Snapshot, Source};
use crate::export::catalog::SourceConfig;
use crate::export::error::ExportError;

mod array;
mod failure;
mod fields;
mod numeric;
pub(crate) mod parameters;
mod row;
mod session;
mod snapshot;
mod texts;
mod types;

use failure::Origin;
use session::Session;
use snapshot::PostgresSnapshot;

/// How long one statement may take when the source doesn't say.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Whether a URL names a PostgreSQL database.
#[must_use]
pub fn is_postgres(url: &str) -> bool {
    ["postgres:", "postgresql:"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
}

/// What is wrong with the URL of a PostgreSQL database, without repeating it; none if nothing is.
#[must_use]
pub fn url_problem(url: &str) -> Option<String> {
    Address::parse(url, &[])
        .err()
        .map(|error| error.to_string())
}

/// A PostgreSQL database.
#[derive(Debug)]
pub struct PostgresSource {
    name: String,
    address: Address,
    statement_timeout: Duration,
    /// Somebody has set how long a statement may take: it may be silent for so long, too.
    silent: bool,
}

impl PostgresSource {
    /// The database that is configured.
    ///
    /// # Errors
    /// When its URL can't be understood.
    pub fn new(config: &SourceConfig) -> Result<Self, ExportError> {
        let origin = Origin {
            source: &config.name,
            category: None,
        };
        let (address, _) =
            Address::parse(&config.url, &[]).map_err(|error| origin.unconnected(&error))?;
        Ok(Self {
            name: config.name.clone(),
            address: address.application_name("carnet"),
            statement_timeout: config
                .statement_timeout
                .map_or(STATEMENT_TIMEOUT, |timeout| timeout.get()),
            silent: config.statement_timeout.is_some(),
        })
    }
}

impl Source for PostgresSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(
        &self,
        clock: &dyn Clock,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Snapshot>, ExportError> {
        let origin = Origin {
            source: &self.name,
            category: None,
        };
        let session = Session::begin(&self.address, self.statement_timeout, cancel, origin)?;
        let read_at: Timestamp = clock.now();
        Ok(Box::new(PostgresSnapshot::new(
            self.name.clone(),
            session,
            read_at,
            self.silent,
        )))
    }
}
