//! One connection in one read-only transaction, driven from the blocking thread it belongs to.

use std::time::Duration;

use carnet_events::store::postgres::connect::{Address, Connection, Limits};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::failure::Origin;
use crate::export::error::ExportError;
use crate::export::source::{MAX_CELL, MAX_ROW};

/// How long a table may stay locked by somebody who changes it.
const LOCK_TIMEOUT_MS: u128 = 5_000;
/// How long the server may take to say that a statement timed out, beyond the time itself.
const GRACE: Duration = Duration::from_secs(30);
/// The largest rows that are taken from the server.
const LIMITS: Limits = Limits {
    message: MAX_ROW as u32,
    value: MAX_CELL as u32,
};
/// How long ending politely may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection whose transaction has begun.
pub(super) struct Session {
    // In this order: the connection's task ends before what runs it.
    connection: Option<Connection>,
    /// Gone only while the session is dropped.
    runtime: Option<Runtime>,
    address: Address,
    cancel: CancellationToken,
    statement_timeout: Duration,
}

impl Session {
    /// Connects and begins; its first statement has fixed what is seen.
    pub(super) fn begin(
        address: &Address,
        statement_timeout: Duration,
        cancel: &CancellationToken,
        origin: Origin<'_>,
    ) -> Result<Self, ExportError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| origin.unavailable(error.to_string()))?;
        let mut session = Self {
            connection: None,
            runtime: Some(runtime),
            address: address.clone(),
            cancel: cancel.clone(),
            statement_timeout,
        };
        let connecting = async {
            let connected = address.connect_bounded(LIMITS).await;
            connected.map_err(|error| origin.unconnected(&error))
        };
        session.connection = Some(session.wait(connecting)?);
        session.run(origin, async |connection| {
            connection
                .batch_execute(&beginning(statement_timeout))
                .await
                .map_err(|error| origin.failed(&error, &[]))
        })?;
        Ok(session)
    }

    /// Does something on the connection, until the export is cancelled or the statement's time is over. What fails is ended on the server too.
    pub(super) fn run<T>(
        &self,
        origin: Origin<'_>,
        work: impl AsyncFnOnce(&Connection) -> Result<T, ExportError>,
    ) -> Result<T, ExportError> {
        let connection = self.connection.as_ref().ok_or(ExportError::Internal {
            reason: "a session without a connection",
        })?;
        let deadline = self.statement_timeout.saturating_add(GRACE);
        let bounded = async {
            match tokio::time::timeout(deadline, work(connection)).await {
                Ok(result) => result,
                Err(_) => Err(origin.timeout("the server doesn't answer any more")),
            }
        };
        let result = self.wait(bounded);
        if result.is_err() {
            self.end_statement(connection);
        }
        result
    }

    /// Waits, but not after the export was cancelled. Work goes first: the cancellation is looked at when there is nothing to do.
    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, ExportError>>,
    ) -> Result<T, ExportError> {
        let result = self.block_on(async {
            tokio::select! {
                biased;
                result = work => result,
                () = self.cancel.cancelled() => Err(ExportError::Cancelled),
            }
        });
        match result.unwrap_or(Err(ExportError::Cancelled)) {
            Err(_) if self.cancel.is_cancelled() => Err(ExportError::Cancelled),
            result => result,
        }
    }

    /// Asks the server to end what is running: a query that has no rows yet wouldn't notice that nobody waits for it.
    fn end_statement(&self, connection: &Connection) {
        let cancelling = self.address.cancel(connection);
        let _ = self.block_on(async { tokio::time::timeout(FAREWELL, cancelling).await });
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.runtime.as_ref().map(|runtime| runtime.block_on(work))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ =
                self.block_on(async { tokio::time::timeout(FAREWELL, connection.close()).await });
        }
        // A name server that doesn't answer holds a thread of it, which nobody waits for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Everything is set for this transaction alone, so that a pooler may give the connection to somebody else afterwards.
///
/// The export waits for other sources in between, so the transaction may idle. Rows that row security would hide make the query fail: an
/// export isn't silently less than all. How values are shown is settled, so that `column::text` gives the same bytes on every server.
fn beginning(statement_timeout: Duration) -> String {
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
         SET LOCAL statement_timeout = {};
         SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};
         SET LOCAL idle_in_transaction_session_timeout = 0;
         SET LOCAL row_security = off;
         SET LOCAL standard_conforming_strings = on;
         SET LOCAL \"TimeZone\" = 'UTC';
         SET LOCAL \"DateStyle\" = 'ISO, YMD';
         SET LOCAL \"IntervalStyle\" = 'iso_8601';
         SET LOCAL bytea_output = 'hex';
         SET LOCAL extra_float_digits = 1;
         SELECT 1",
        statement_timeout.as_millis()
    )
}
