//! The projections' files: where they are, opening them, their bookkeeping, their readers.

mod file;
mod folder;
pub(crate) mod meta;
pub(crate) mod names;
mod readers;
pub(crate) mod tables;

pub(crate) use file::{File, Filling, Pages, Trouble, set_aside};
pub(crate) use folder::{Folder, Found, found};
pub(crate) use readers::Readers;

use carnet_events::envelope::Position;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// Keeps plans from depending on what is bound. SQLite looks at limits, for one, and would plan a statement with one anew
/// at every other use.
pub(crate) fn stable_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// SQLite's integers are signed; positions and revisions keep their bits.
pub(crate) fn to_sql(number: u64) -> i64 {
    number.cast_signed()
}

/// What [`to_sql`] made.
pub(crate) fn from_sql(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A position from its two columns.
pub(crate) fn position(commit: Option<i64>, prepare: Option<i64>) -> Option<Position> {
    Some(Position {
        commit: from_sql(commit?),
        prepare: from_sql(prepare?),
    })
}
