//! Where rows come from: one consistent, read-only snapshot per source and export.

use std::path::Path;
use std::sync::Arc;

use carnet_actors::ports::Clock;
use carnet_events::ids::Timestamp;
use tokio_util::sync::CancellationToken;

use super::catalog::SourceConfig;
use super::error::{ExportError, ValueError};

pub mod postgres;
mod shape;
mod sqlite;

pub use postgres::PostgresSource;
pub use shape::{Misfit, Shape, SourceType};
pub use sqlite::SqliteSource;

/// The largest value that is read or written, in bytes.
pub const MAX_CELL: usize = 16 * 1024 * 1024;

/// The largest row that is read or written, in bytes: two of the largest values, or more that are smaller.
pub const MAX_ROW: usize = 2 * MAX_CELL;

/// A database that categories read from.
///
/// # Contract
///
/// * A [`Snapshot`] never changes anything, and sees nothing that was committed after it was fixed.
/// * Cancelling ends whatever is running within moments, a statement that yields no rows included.
/// * Errors hold no value from the data.
pub trait Source: Send + Sync {
    /// Its name in the catalog.
    fn name(&self) -> &str;

    /// Connects and fixes a snapshot. For a blocking thread; the snapshot stays on it.
    ///
    /// # Errors
    /// When the source can't be reached or stays locked.
    fn open(
        &self,
        clock: &dyn Clock,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Snapshot>, ExportError>;

    /// Has the rows of a category measured before they are read, from its next snapshot on: one seemed too large ([`ExportError::RowTooLarge`]), and
    /// no column is known that it was. Whether this source does so.
    fn measure(&self, _category: &str) -> bool {
        false
    }
}

/// One read transaction.
pub trait Snapshot {
    /// When it was fixed: taken once the first read had been made.
    fn read_at(&self) -> Timestamp;

    /// What a query is, without running it. `category` is named in errors.
    ///
    /// # Errors
    /// When the source refuses the query.
    fn describe(&self, category: &str, query: &str) -> Result<Shape, ExportError>;

    /// Runs a query and gives its columns, then every row, to `visitor`, until it fails.
    ///
    /// # Errors
    /// When the source or the visitor fails, or the export was cancelled.
    fn read(
        &self,
        category: &str,
        query: &str,
        bindings: &Bindings<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ExportError>;
}

/// The values of a query's parameters.
#[derive(Debug, Clone, Copy)]
pub struct Bindings<'a> {
    /// `:tenant`.
    pub tenant: &'a str,
    /// `:scope`; null when the export isn't limited to a part of the tenant.
    pub scope: Option<&'a str>,
}

/// Takes the result of a query.
pub trait Visitor {
    /// The result's columns; comes first, once.
    ///
    /// # Errors
    /// Ends the reading.
    fn columns(&mut self, names: &[&str]) -> Result<(), ExportError>;

    /// One row.
    ///
    /// # Errors
    /// Ends the reading.
    fn row(&mut self, row: &dyn Row) -> Result<(), ExportError>;

    /// No row has come for a while, but the source works on the query and may take that long. Said again and again.
    fn waiting(&mut self) {}
}

/// One row of a result; its cells by the column's place.
pub trait Row {
    /// The cell of a column; null beyond the last.
    fn cell(&self, column: usize) -> Cell<'_>;
}

/// A value as the source holds it, whatever its column was declared as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A truth value, where the source has such.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A double.
    Double(f64),
    /// Text, not yet known to be UTF-8; exact decimals and times come as text too.
    Text(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A point in time, in microseconds since 1970-01-01 UTC.
    Timestamp(i64),
    /// A calendar date, in days since 1970-01-01.
    Date(i32),
    /// A value that the source can't give exactly, and why.
    Refused(ValueError),
}

/// The source with this configuration. Nothing is opened yet.
///
/// # Errors
/// When no driver of this build reads such a URL.
pub fn source(config: &SourceConfig) -> Result<Arc<dyn Source>, ExportError> {
    if postgres::is_postgres(&config.url) {
        return Ok(Arc::new(PostgresSource::new(config)?));
    }
    match config.url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(Arc::new(SqliteSource::new(
            config.name.clone(),
            Path::new(path),
        ))),
        _ => Err(ExportError::SourceUnavailable {
            source_name: config.name.clone(),
            reason: "its URL names no database this build can read".to_owned(),
        }),
    }
}
