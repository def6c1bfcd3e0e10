//! What a projection is to the runner.

use carnet_events::stream::StreamKind;
use rusqlite::Connection;

use crate::database::names::Names;
use crate::fact::Fact;
use crate::{Options, ProjectionName, audit_log, exports, operations, worklist};

/// A projection before it is filled.
pub(crate) struct Blueprint {
    pub(crate) name: ProjectionName,
    /// To be raised with every change of its tables or of what is written into them: the runner then fills it anew.
    pub(crate) version: u32,
    /// The streams it is folded from. An event of another can't stop it.
    pub(crate) streams: &'static [StreamKind],
    /// The table of the texts that stand as numbers in the others. All projections are read through one connection, so no
    /// two tables may have the same name.
    pub(crate) names: &'static str,
    pub(crate) tables: &'static [Table],
    /// What makes queries fast. Left out while history is read and made at its end, which is a good deal faster than
    /// keeping them up to date on the way; applying events must not rely on them.
    pub(crate) indices: &'static [Index],
    /// Makes one that has nothing in memory.
    pub(crate) make: fn(options: &Options) -> Box<dyn Projection>,
}

/// A table.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Columns, constraints and options, as they follow the name in `CREATE TABLE`.
    pub(crate) definition: &'static str,
}

/// An index.
pub(crate) struct Index {
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    /// What follows the table in `CREATE INDEX`.
    pub(crate) definition: &'static str,
}

/// All projections, in the order of [`ProjectionName::ALL`].
pub(crate) static ALL: [&Blueprint; 4] = [
    &exports::BLUEPRINT,
    &audit_log::BLUEPRINT,
    &operations::BLUEPRINT,
    &worklist::BLUEPRINT,
];

/// A fold of facts into tables.
///
/// Between [`apply`](Self::apply) and [`flush`](Self::flush) changes may be kept in memory, bounded: while history is
/// read, most rows change several times and are then written once. After an error of either, the caller rolls the
/// transaction back and calls [`forget`](Self::forget).
pub(crate) trait Projection: Send {
    /// Applies facts that come right after those applied before, inside a transaction of the caller's.
    fn apply(
        &mut self,
        tables: &Connection,
        names: &mut Names,
        facts: &[Fact],
    ) -> Result<(), ApplyError>;

    /// Writes what is still in memory only. The caller commits after it.
    fn flush(&mut self, tables: &Connection, names: &mut Names) -> Result<(), ApplyError>;

    /// Drops everything kept in memory: the tables are not what they were.
    fn forget(&mut self);
}

/// Why facts could not be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// A row is not what was written there.
    #[error("a row can't be read: {0}")]
    BadRow(String),
}
