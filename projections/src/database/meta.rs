//! The file's bookkeeping: which log it is folded from, and how far each projection is.

use carnet_events::envelope::Position;
use carnet_events::ids::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{from_sql, position, to_sql};
use crate::{ProjectionName, StoredStatus};

/// "CPRJ": tells this file from every other SQLite database.
const APPLICATION_ID: i32 = 0x4350_524a;

/// Whether the file is one of projections.
pub(crate) fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(id == APPLICATION_ID)
}

/// Whether nothing is in the file.
pub(crate) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let none = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
    connection.query_row(none, [], |row| row.get(0))
}

/// Makes the bookkeeping's tables, if they are not there.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS log (one INTEGER PRIMARY KEY CHECK (one = 1), id BLOB) STRICT;
         CREATE TABLE IF NOT EXISTS projections (
             name TEXT PRIMARY KEY, version INTEGER NOT NULL, generation INTEGER NOT NULL, indexed INTEGER NOT NULL,
             at_commit INTEGER, at_prepare INTEGER, newest INTEGER, events INTEGER NOT NULL, stopped TEXT
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;",
    )?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.execute_batch("COMMIT")
}

/// The log the file is folded from: `None` when it says nothing, `Some(None)` when it was a log without an id.
pub(crate) fn log(connection: &Connection) -> rusqlite::Result<Option<Option<Uuid>>> {
    let read = |row: &Row<'_>| {
        let bytes: Option<[u8; 16]> = row.get(0)?;
        Ok(bytes.map(Uuid::from_bytes))
    };
    connection
        .query_row("SELECT id FROM log", [], read)
        .optional()
}

/// Writes down which log the file is folded from.
pub(crate) fn set_log(connection: &Connection, log: Option<Uuid>) -> rusqlite::Result<()> {
    let id = log.map(Uuid::into_bytes);
    connection.execute("INSERT OR REPLACE INTO log VALUES (1, ?)", params![id])?;
    Ok(())
}

/// How far one projection is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkpoint {
    pub(crate) version: u32,
    pub(crate) generation: u32,
    pub(crate) indexed: bool,
    pub(crate) position: Option<Position>,
    pub(crate) newest: Option<Timestamp>,
    pub(crate) events: u64,
}

const COLUMNS: &str =
    "version, generation, indexed, at_commit, at_prepare, newest, events, stopped, name";

fn checkpoint(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    Ok(Checkpoint {
        version: row.get(0)?,
        generation: row.get(1)?,
        indexed: row.get(2)?,
        position: position(row.get(3)?, row.get(4)?),
        newest: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        events: from_sql(row.get(6)?),
    })
}

/// How far `name` is, if it is known at all.
pub(crate) fn get(
    connection: &Connection,
    name: ProjectionName,
) -> rusqlite::Result<Option<Checkpoint>> {
    let sql = format!("SELECT {COLUMNS} FROM projections WHERE name = ?");
    connection
        .query_row(&sql, [name.as_str()], checkpoint)
        .optional()
}

/// Everything the file says about its projections.
pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<StoredStatus>> {
    let sql = format!("SELECT {COLUMNS} FROM projections ORDER BY name");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let at = checkpoint(row)?;
        Ok(StoredStatus {
            name: row.get(8)?,
            version: at.version,
            generation: at.generation,
            position: at.position,
            newest_event_at: at.newest,
            events: at.events,
            stopped: row.get(7)?,
        })
    })?;
    rows.collect()
}

/// Writes down how far `name` is, in the transaction that brings it there.
pub(crate) fn put(
    connection: &Connection,
    name: ProjectionName,
    at: &Checkpoint,
    stopped: Option<&str>,
) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT OR REPLACE INTO projections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    statement.execute(params![
        name.as_str(),
        at.version,
        at.generation,
        at.indexed,
        at.position.map(|position| to_sql(position.commit)),
        at.position.map(|position| to_sql(position.prepare)),
        at.newest.map(Timestamp::as_millis),
        to_sql(at.events),
        stopped,
    ])?;
    Ok(())
}
