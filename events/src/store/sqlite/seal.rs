//! The seal of a file: tables and triggers that an unsealed one doesn't have.
//!
//! A file's version says whether it has them. A program that knows no seals takes a sealed file for a later one's, and so
//! writes nothing to it either.

use rusqlite::Connection;

/// The version of a sealed file.
const SEALED: i64 = 2;

/// The version of a sealed file whose seal was given another reason.
const RESEALED: i64 = 3;

const SEAL: &str = include_str!("seal.sql");
const GUARDS: &str = include_str!("seal_guards.sql");
const RESEAL: &str = include_str!("reseal.sql");

/// Whether a file of this version is sealed.
pub(super) fn is_version(version: i64) -> bool {
    matches!(version, SEALED | RESEALED)
}

fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))
}

/// What the file has beyond the tables of every one.
pub(super) fn schema(conn: &Connection) -> rusqlite::Result<&'static [&'static str]> {
    Ok(match version(conn)? {
        SEALED => &[SEAL, GUARDS],
        RESEALED => &[SEAL, GUARDS, RESEAL],
        _ => &[],
    })
}

/// Gives a sealed file the guards that it was made without.
pub(super) fn guard(conn: &Connection) -> rusqlite::Result<()> {
    match is_version(version(conn)?) {
        true => conn.execute_batch(GUARDS),
        false => Ok(()),
    }
}

/// Every reason the file was ever sealed for, the first one first.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = match version(conn)? {
        SEALED => "SELECT why FROM seal",
        RESEALED => {
            "SELECT why FROM (SELECT id, why FROM seal UNION ALL SELECT id, why FROM reseals) ORDER BY id"
        }
        _ => return Ok(Vec::new()),
    };
    let mut statement = conn.prepare_cached(sql)?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Why the file is sealed, if it is.
pub(super) fn now(conn: &Connection) -> rusqlite::Result<Option<String>> {
    Ok(all(conn)?.pop())
}

/// Seals the file, within a transaction.
pub(super) fn set(conn: &Connection, why: &str) -> rusqlite::Result<()> {
    conn.execute_batch(SEAL)?;
    conn.execute_batch(GUARDS)?;
    conn.execute("INSERT INTO seal (id, why) VALUES (1, ?1)", [why])?;
    conn.pragma_update(None, "user_version", SEALED)
}

/// Gives the seal another reason, within a transaction.
pub(super) fn follow(conn: &Connection, why: &str) -> rusqlite::Result<()> {
    if version(conn)? == SEALED {
        conn.execute_batch(RESEAL)?;
        conn.pragma_update(None, "user_version", RESEALED)?;
    }
    let sql = "INSERT INTO reseals (id, why) SELECT ifnull(max(id), 1) + 1, ?1 FROM reseals";
    conn.execute(sql, [why]).map(drop)
}
