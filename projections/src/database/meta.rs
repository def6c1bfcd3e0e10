//! A file's bookkeeping: which projection it is, which log that is folded from, and how far it is.

use carnet_events::envelope::Position;
use carnet_events::ids::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{from_sql, position, to_sql};

/// "CPRJ": tells a projection's file from every other SQLite database.
pub(crate) const APPLICATION_ID: i32 = 0x4350_524a;

/// Makes the table in a schema of the connection's (`main`, or an attached one), and marks its file as a projection's.
pub(crate) fn create(connection: &Connection, schema: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE {schema}.checkpoint (
             one INTEGER PRIMARY KEY CHECK (one = 1), log BLOB, version INTEGER NOT NULL,
             at_commit INTEGER, at_prepare INTEGER, newest INTEGER, events INTEGER NOT NULL, stopped TEXT
         ) STRICT"
    ))?;
    connection.pragma_update(Some(schema), "application_id", APPLICATION_ID)
}

/// How far a projection is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkpoint {
    /// The log's id; a log without one has none.
    pub(crate) log: Option<Uuid>,
    pub(crate) version: u32,
    pub(crate) position: Option<Position>,
    pub(crate) newest: Option<Timestamp>,
    pub(crate) events: u64,
    /// Why it has stopped, if it has.
    pub(crate) stopped: Option<String>,
}

/// How far the projection in the file is; `None` when the file was never finished.
pub(crate) fn get(connection: &Connection) -> rusqlite::Result<Option<Checkpoint>> {
    let read = |row: &Row<'_>| {
        let log: Option<[u8; 16]> = row.get(0)?;
        Ok(Checkpoint {
            log: log.map(Uuid::from_bytes),
            version: row.get(1)?,
            position: position(row.get(2)?, row.get(3)?),
            newest: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
            events: from_sql(row.get(5)?),
            stopped: row.get(6)?,
        })
    };
    let sql = "SELECT log, version, at_commit, at_prepare, newest, events, stopped FROM checkpoint";
    connection.query_row(sql, [], read).optional()
}

/// Writes down why the projection that the file holds could not be filled anew. The file that takes its place doesn't have it.
pub(crate) fn put_rebuild_failed(connection: &Connection, why: &str) -> rusqlite::Result<()> {
    // Few files ever need it.
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS rebuild_failed (
             one INTEGER PRIMARY KEY CHECK (one = 1), why TEXT NOT NULL
         ) STRICT",
    )?;
    let sql = "INSERT OR REPLACE INTO rebuild_failed VALUES (1, ?)";
    connection.execute(sql, [why]).map(drop)
}

/// Why the projection that the file holds could not be filled anew, if that was tried.
pub(crate) fn rebuild_failed(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'rebuild_failed'";
    if connection.query_row(sql, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    let sql = "SELECT why FROM rebuild_failed";
    connection.query_row(sql, [], |row| row.get(0)).optional()
}

/// Writes down how far it is, in the transaction that brings it there.
pub(crate) fn put(connection: &Connection, at: &Checkpoint) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        at.log.map(Uuid::into_bytes),
        at.version,
        at.position.map(|position| to_sql(position.commit)),
        at.position.map(|position| to_sql(position.prepare)),
        at.newest.map(Timestamp::as_millis),
        to_sql(at.events),
        at.stopped,
    ])?;
    Ok(())
}
