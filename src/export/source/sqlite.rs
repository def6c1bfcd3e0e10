//! SQLite databases.
//!
//! Every export opens its own connection, read-only, and one transaction. In WAL mode that hinders no writer; with a rollback journal,
//! writers wait to commit until the export has read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use carnet_actors::ports::Clock;
use carnet_events::ids::Timestamp;
use rusqlite::ffi::ErrorCode;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};
use tokio_util::sync::CancellationToken;

use super::{Bindings, Cell, MAX_ROW, Row, Shape, Snapshot, Source, Visitor};
use crate::export::error::ExportError;

/// How long a lock is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the cancellation: well under a millisecond.
const STEPS_BETWEEN_CHECKS: i32 = 4_000;
/// SQLite's page cache, in KiB.
const CACHE_KIB: i64 = 8_192;

/// A SQLite database file.
#[derive(Debug)]
pub struct SqliteSource {
    name: String,
    path: PathBuf,
}

impl SqliteSource {
    /// The database at `path`, known as `name`.
    #[must_use]
    pub fn new(name: String, path: &Path) -> Self {
        Self {
            name,
            path: path.to_owned(),
        }
    }
}

impl Source for SqliteSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(
        &self,
        clock: &dyn Clock,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Snapshot>, ExportError> {
        let failed = |error: rusqlite::Error| failure(&self.name, None, &error);
        let connection = connect(&self.path, cancel.clone()).map_err(failed)?;
        // BEGIN alone takes no lock: it is the first read that fixes what is seen.
        connection.execute_batch("BEGIN").map_err(failed)?;
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            .map_err(failed)?;
        Ok(Box::new(SqliteSnapshot {
            name: self.name.clone(),
            connection,
            read_at: clock.now(),
        }))
    }
}

fn connect(path: &Path, cancel: CancellationToken) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // A cell beyond MAX_CELL is refused by name, one beyond this not even read.
    connection.set_limit(
        Limit::SQLITE_LIMIT_LENGTH,
        i32::try_from(MAX_ROW).unwrap_or(i32::MAX),
    )?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || cancel.is_cancelled()))?;
    Ok(connection)
}

struct SqliteSnapshot {
    name: String,
    connection: Connection,
    read_at: Timestamp,
}

impl SqliteSnapshot {
    fn prepare(&self, category: &str, query: &str) -> Result<Statement<'_>, ExportError> {
        self.connection
            .prepare(query)
            .map_err(|error| failure(&self.name, Some(category), &error))
    }
}

impl Snapshot for SqliteSnapshot {
    fn read_at(&self) -> Timestamp {
        self.read_at
    }

    fn describe(&self, category: &str, query: &str) -> Result<Shape, ExportError> {
        let statement = self.prepare(category, query)?;
        let parameters = (1..=statement.parameter_count())
            .map(|at| {
                statement
                    .parameter_name(at)
                    .map_or_else(|| "?".to_owned(), str::to_owned)
            })
            .collect();
        Ok(Shape {
            columns: statement.column_names().map(str::to_owned).collect(),
            types: Vec::new(),
            parameters,
            read_only: statement.readonly() && statement.column_count() > 0,
        })
    }

    fn read(
        &self,
        category: &str,
        query: &str,
        bindings: &Bindings<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ExportError> {
        let failed = |error: rusqlite::Error| failure(&self.name, Some(category), &error);
        let mut statement = self.prepare(category, query)?;
        if !statement.readonly() {
            return Err(ExportError::QueryFailed {
                category: category.to_owned(),
                reason: "it would change data".to_owned(),
            });
        }
        bind(&mut statement, bindings).map_err(failed)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        visitor.columns(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut rows = statement.raw_query();
        loop {
            match rows.next() {
                Ok(Some(row)) => visitor.row(&SqliteRow(row))?,
                Ok(None) => return Ok(()),
                Err(error) => break Err(self.failed(category, query, bindings, &names, &error)),
            }
        }
    }
}

impl SqliteSnapshot {
    /// A query failed while its rows were read.
    fn failed(
        &self,
        category: &str,
        query: &str,
        bindings: &Bindings<'_>,
        names: &[String],
        error: &rusqlite::Error,
    ) -> ExportError {
        let mut failure = failure(&self.name, Some(category), error);
        if let ExportError::RowTooLarge { column, .. } = &mut failure {
            // For the message alone: what can't be found out stays unsaid.
            *column = self.largest(query, bindings, names).ok().flatten();
        }
        failure
    }

    /// The first column with values that are too large to be read. Their lengths are asked for, which doesn't read them. Ordering by those makes
    /// SQLite leave out the query's own order, for which it would.
    fn largest(
        &self,
        query: &str,
        bindings: &Bindings<'_>,
        names: &[String],
    ) -> rusqlite::Result<Option<String>> {
        let list =
            |form: fn(usize) -> String| (0..names.len()).map(form).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "WITH carnet ({}) AS (\n{query}\n) SELECT {} FROM carnet ORDER BY 1",
            list(|at| format!("c{at}")),
            list(|at| format!("max(octet_length(c{at}))")),
        );
        let mut statement = self.connection.prepare(&sql)?;
        bind(&mut statement, bindings)?;
        let mut rows = statement.raw_query();
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        for (at, name) in names.iter().enumerate() {
            let longest: Option<i64> = row.get(at)?;
            if longest.is_some_and(|longest| longest > MAX_ROW as i64) {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }
}

fn bind(statement: &mut Statement<'_>, bindings: &Bindings<'_>) -> rusqlite::Result<()> {
    for at in 1..=statement.parameter_count() {
        match statement.parameter_name(at) {
            Some(":tenant") => statement.raw_bind_parameter(at, bindings.tenant)?,
            Some(":scope") => statement.raw_bind_parameter(at, bindings.scope)?,
            _ => return Err(rusqlite::Error::InvalidParameterName(String::new())),
        }
    }
    Ok(())
}

struct SqliteRow<'a>(&'a rusqlite::Row<'a>);

impl Row for SqliteRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        match self.0.get_ref(column) {
            Ok(ValueRef::Integer(value)) => Cell::Integer(value),
            Ok(ValueRef::Real(value)) => Cell::Double(value),
            Ok(ValueRef::Text(text)) => Cell::Text(text),
            Ok(ValueRef::Blob(bytes)) => Cell::Bytes(bytes),
            Ok(ValueRef::Null) | Err(_) => Cell::Null,
        }
    }
}

/// Puts SQLite's errors into our words. With no category, it is the source itself that fails.
fn failure(source: &str, category: Option<&str>, error: &rusqlite::Error) -> ExportError {
    let source_name = source.to_owned();
    match (error.sqlite_error_code(), category) {
        (Some(ErrorCode::OperationInterrupted), _) => ExportError::Cancelled,
        (
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SchemaChanged),
            _,
        ) => ExportError::SourceBusy { source_name },
        (Some(ErrorCode::TooBig), Some(category)) => ExportError::RowTooLarge {
            category: category.to_owned(),
            column: None,
        },
        (
            Some(
                ErrorCode::Unknown
                | ErrorCode::ParameterOutOfRange
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::ReadOnly,
            ),
            Some(category),
        ) => ExportError::QueryFailed {
            category: category.to_owned(),
            reason: error.to_string(),
        },
        (None, Some(category)) => ExportError::QueryFailed {
            category: category.to_owned(),
            reason: error.to_string(),
        },
        _ => ExportError::SourceUnavailable {
            source_name,
            reason: error.to_string(),
        },
    }
}
