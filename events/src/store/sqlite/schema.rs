//! Opening the database file: made when absent, recognised when present, refused when it is anything else.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::undone;
use super::seal;
use crate::store::StoreError;

/// The schema this code reads and writes, kept in `user_version`.
const VERSION: i64 = 1;

/// "CRNT": marks the file as ours, kept in `application_id`.
const APPLICATION_ID: i64 = 0x4352_4E54;

const SCHEMA: &str = include_str!("schema.sql");
const GUARDS: &str = include_str!("guards.sql");

/// What a file made before may lack until it is next opened for writing.
const MAY_BE_MISSING: [&str; 3] = [
    "streams_are_new",
    "erasures_are_new",
    "the_seal_is_set_once",
];

/// How many pages the write-ahead log grows to before it is moved into the database: larger means fewer stalls of the
/// writer, smaller means less to recover after a crash.
const CHECKPOINT_PAGES: u32 = 4000;

/// How long a connection waits for another process's lock; only a foreign tool can hold one.
pub(super) const BUSY: Duration = Duration::from_secs(2);

/// Opens the file for writing, makes the tables if it is empty, and makes sure that commits are durable.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn =
        Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?;
    conn.busy_timeout(BUSY).map_err(undone)?;
    if !recognise(&conn, path)? {
        create(&mut conn).map_err(undone)?;
    }
    make_durable(&conn)?;
    guard(&mut conn).map_err(undone)?;
    verify(&conn, path)?;
    // Erased bytes are overwritten, not just unlinked.
    conn.pragma_update(None, "secure_delete", true)
        .map_err(undone)?;
    conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .map_err(undone)?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

/// Opens the file for reading only.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn =
        Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?;
    conn.busy_timeout(BUSY).map_err(undone)?;
    // Plans must not depend on what is bound, or every other use of a statement with a limit plans it anew.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(undone)?;
    Ok(conn)
}

/// Makes sure that a file opened for reading only is a store of ours.
pub(super) fn verify_reader(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    if !recognise(conn, path)? {
        return Err(StoreError::refused(format!(
            "{} is empty: no event store has been made there yet",
            path.display()
        )));
    }
    verify(conn, path)
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::unavailable(format!("{} can't be opened: {error}", path.display()))
}

/// Whether the file is a store of ours; false when it is empty, an error when it is something else.
fn recognise(conn: &Connection, path: &Path) -> Result<bool, StoreError> {
    let number = |pragma: &str| {
        conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(undone)
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(undone)?;
    match (application, version) {
        (APPLICATION_ID, version) if version == VERSION || seal::is_version(version) => Ok(true),
        (APPLICATION_ID, _) => Err(StoreError::refused(format!(
            "{} has schema version {version}, this program knows version {VERSION}; use the program that wrote it, or a later one",
            path.display()
        ))),
        (0, 0) if tables == 0 => Ok(false),
        _ => Err(StoreError::refused(format!(
            "{} is a database, but not an event store of this program",
            path.display()
        ))),
    }
}

fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Gives the file the guards that it was made without.
fn guard(conn: &mut Connection) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    transaction.execute_batch(GUARDS)?;
    seal::guard(&transaction)?;
    transaction.commit()
}

/// Sets what durability rests on, and reads it back: SQLite silently keeps what it can't change.
fn make_durable(conn: &Connection) -> Result<(), StoreError> {
    let journal: String = conn
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(undone)?;
    if journal != "wal" {
        return Err(StoreError::refused(format!(
            "the file system can't hold a write-ahead log (journal mode stays `{journal}`)"
        )));
    }
    conn.pragma_update(None, "synchronous", "full")
        .map_err(undone)?;
    conn.pragma_update(None, "fullfsync", true)
        .map_err(undone)?;
    let synchronous = synchronous(conn).map_err(undone)?;
    if synchronous != 2 {
        return Err(StoreError::refused(format!(
            "commits would not be durable (synchronous stays {synchronous}, not 2)"
        )));
    }
    Ok(())
}

/// SQLite's `synchronous` setting of this connection; 2 is FULL.
pub(super) fn synchronous(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "synchronous", |row| row.get(0))
}

/// Compares tables, indices and triggers with what this program would make.
fn verify(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let model = Connection::open_in_memory().and_then(|model| {
        model.execute_batch(SCHEMA)?;
        model.execute_batch(GUARDS)?;
        for more in seal::schema(conn)? {
            model.execute_batch(more)?;
        }
        objects(&model)
    });
    let (found, wanted) = (objects(conn).map_err(undone)?, model.map_err(undone)?);
    let differs = |(name, sql): (&String, &Option<String>)| {
        let as_made = match found.get(name) {
            None => MAY_BE_MISSING.contains(&name.as_str()),
            there => there == Some(sql),
        };
        (!as_made).then(|| name.clone())
    };
    let changed = wanted.iter().find_map(differs).or_else(|| {
        found
            .keys()
            .find(|name| !wanted.contains_key(*name))
            .cloned()
    });
    match changed {
        None => Ok(()),
        Some(name) => Err(StoreError::corrupt(format!(
            "`{name}` in {} is not as this program made it; its promises can't be relied on",
            path.display()
        ))),
    }
}

fn objects(conn: &Connection) -> rusqlite::Result<BTreeMap<String, Option<String>>> {
    // What SQLite keeps for itself (statistics) is not ours to judge, but its automatic indices are part of the tables.
    let mut statement =
        conn.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'")?;
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
