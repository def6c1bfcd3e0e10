//! SQLite databases.
//!
//! Every export opens its own connection, read-only, and one transaction. In WAL mode that hinders no writer; with a rollback journal,
//! writers wait to commit until the export has read.
//!
//! **How large a row may be.** SQLite reads all of a row's values before anybody may look at one. It bounds each of them, so that all together stay
//! within the bound of a row if each has its share. That is how a category is read as long as that does, which costs nothing. Once a value was larger than its
//! share, the category's rows are measured before they are read, then and later: their lengths are looked up, which for what stands in a table
//! doesn't read them. Only what a query computes (`DISTINCT`, `GROUP BY`, `LIMIT`, unions, functions), and a query that can't be part of another, is then
//! held with each value within a row's bound.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carnet_actors::ports::Clock;
use carnet_events::ids::Timestamp;
use rusqlite::ffi::ErrorCode;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};
use tokio_util::sync::CancellationToken;

use super::{Bindings, Cell, MAX_CELL, MAX_ROW, Row, Shape, Snapshot, Source, Visitor};
use crate::export::error::ExportError;

/// How long a lock is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the cancellation: well under a millisecond.
const STEPS_BETWEEN_CHECKS: i32 = 4_000;
/// What SQLite may need to hold a row as one value, where it sorts, beside the row's own values.
const RECORD_HEAD: usize = 64 * 1024;
/// SQLite's page cache, in KiB.
const CACHE_KIB: i64 = 8_192;

/// A SQLite database file.
#[derive(Debug)]
pub struct SqliteSource {
    name: String,
    path: PathBuf,
    measured: Measured,
}

/// The categories that have had a value above its share of a row.
type Measured = Arc<Mutex<BTreeSet<String>>>;

impl SqliteSource {
    /// The database at `path`, known as `name`.
    #[must_use]
    pub fn new(name: String, path: &Path) -> Self {
        Self {
            name,
            path: path.to_owned(),
            measured: Measured::default(),
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
            measured: Arc::clone(&self.measured),
        }))
    }

    fn measure(&self, category: &str) -> bool {
        let measured = self.measured.lock();
        measured
            .unwrap_or_else(PoisonError::into_inner)
            .insert(category.to_owned());
        true
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
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_ROW as i32)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || cancel.is_cancelled()))?;
    Ok(connection)
}

struct SqliteSnapshot {
    name: String,
    connection: Connection,
    read_at: Timestamp,
    measured: Measured,
}

impl SqliteSnapshot {
    /// The largest value that is read from now on.
    fn limit(&self, bytes: usize) -> rusqlite::Result<()> {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        let limited = self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes);
        limited.map(drop)
    }

    fn is_measured(&self, category: &str) -> bool {
        let measured = self.measured.lock();
        measured
            .unwrap_or_else(PoisonError::into_inner)
            .contains(category)
    }

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
        if self.is_measured(category) {
            self.limit(MAX_ROW + RECORD_HEAD).map_err(failed)?;
            visitor.waiting();
            self.measure(category, query, bindings, &names)?;
            visitor.waiting();
        } else {
            self.limit(MAX_ROW / names.len().max(1)).map_err(failed)?;
        }
        let mut rows = statement.raw_query();
        loop {
            match rows.next() {
                Ok(Some(row)) => visitor.row(&SqliteRow(row))?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

impl SqliteSnapshot {
    /// Looks for a row that is too large, by the lengths of its values. Ordering by their sum makes SQLite leave out the query's own order, for which it
    /// would read the values.
    ///
    /// # Errors
    /// [`ExportError::RowTooLarge`] with the column by which it became so.
    fn measure(
        &self,
        category: &str,
        query: &str,
        bindings: &Bindings<'_>,
        names: &[String],
    ) -> Result<(), ExportError> {
        let lengths = self
            .largest(query, bindings, names.len())
            .map_err(|error| failure(&self.name, Some(category), &error))?;
        let sum: usize = lengths.iter().sum();
        if sum <= MAX_ROW {
            return Ok(());
        }
        // As where a source says it by itself: the first that is too large alone, or with what comes before it.
        let mut so_far = 0;
        let blamed = lengths.iter().position(|length| {
            so_far += length;
            *length > MAX_CELL || so_far > MAX_ROW
        });
        Err(ExportError::RowTooLarge {
            category: category.to_owned(),
            column: blamed.and_then(|at| names.get(at)).cloned(),
        })
    }

    /// The lengths of the values of the largest row, in bytes; nothing of none, and of a query that can't be part of another.
    fn largest(
        &self,
        query: &str,
        bindings: &Bindings<'_>,
        columns: usize,
    ) -> rusqlite::Result<Vec<usize>> {
        let each = |form: fn(usize) -> String, joint: &str| {
            (0..columns).map(form).collect::<Vec<_>>().join(joint)
        };
        let length = |at| format!("coalesce(octet_length(c{at}), 0)");
        let query = query.trim_end().trim_end_matches(';');
        let sql = format!(
            "WITH carnet_measured ({}) AS (\n{query}\n) SELECT {} FROM carnet_measured ORDER BY {} DESC LIMIT 1",
            each(|at| format!("c{at}"), ", "),
            each(length, ", "),
            each(length, " + "),
        );
        // It is then read all the same, with each value within a row's bound.
        let Ok(mut statement) = self.connection.prepare(&sql) else {
            return Ok(Vec::new());
        };
        bind(&mut statement, bindings)?;
        let mut rows = statement.raw_query();
        let Some(row) = rows.next()? else {
            return Ok(Vec::new());
        };
        let length = |at| {
            let length: i64 = row.get(at)?;
            Ok(usize::try_from(length).unwrap_or(0))
        };
        (0..columns).map(length).collect()
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
