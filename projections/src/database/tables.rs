//! Making the tables of a projection.

use rusqlite::Connection;

use crate::projection::{Blueprint, Index};

/// Makes empty tables, without indices, in a schema of the connection's (`main`, or an attached one).
pub(crate) fn create(
    connection: &Connection,
    schema: &str,
    blueprint: &Blueprint,
) -> rusqlite::Result<()> {
    let names = blueprint.names;
    connection.execute_batch(&format!(
        "CREATE TABLE {schema}.{names} (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT"
    ))?;
    for table in blueprint.tables {
        let (name, definition) = (table.name, table.definition);
        connection.execute_batch(&format!("CREATE TABLE {schema}.{name} {definition}"))?;
    }
    Ok(())
}

/// Makes an index.
pub(crate) fn index(connection: &Connection, schema: &str, index: &Index) -> rusqlite::Result<()> {
    let (name, table, definition) = (index.name, index.table, index.definition);
    connection.execute_batch(&format!(
        "CREATE INDEX {schema}.{name} ON {table} {definition}"
    ))
}
