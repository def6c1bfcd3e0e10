//! Making, swapping and dropping the tables of a projection's generations.
//!
//! The tables of generation 3 of `exports` are called `exports_3`; a view `exports` shows those in use. Swapping is
//! changing the views, in one transaction: readers see all of the old or all of the new.

use rusqlite::Connection;

use crate::projection::{ALL, Blueprint};

/// Makes empty tables for a generation, without indices.
pub(crate) fn create(
    connection: &Connection,
    blueprint: &Blueprint,
    generation: u32,
) -> rusqlite::Result<()> {
    for table in blueprint.tables {
        let (name, definition) = (table.name, table.definition);
        connection.execute_batch(&format!("CREATE TABLE {name}_{generation} {definition}"))?;
    }
    Ok(())
}

/// Makes a generation's indices.
pub(crate) fn index(
    connection: &Connection,
    blueprint: &Blueprint,
    generation: u32,
) -> rusqlite::Result<()> {
    for index in blueprint.indices {
        let (name, table, definition) = (index.name, index.table, index.definition);
        connection.execute_batch(&format!(
            "CREATE INDEX {name}_{generation} ON {table}_{generation} {definition}"
        ))?;
    }
    Ok(())
}

/// Shows a generation to readers.
pub(crate) fn show(
    connection: &Connection,
    blueprint: &Blueprint,
    generation: u32,
) -> rusqlite::Result<()> {
    for table in blueprint.tables {
        let name = table.name;
        connection.execute_batch(&format!(
            "DROP VIEW IF EXISTS {name}; CREATE VIEW {name} AS SELECT * FROM {name}_{generation}"
        ))?;
    }
    Ok(())
}

/// Drops a generation's tables, if there are any.
pub(crate) fn drop(
    connection: &Connection,
    blueprint: &Blueprint,
    generation: u32,
) -> rusqlite::Result<()> {
    for table in blueprint.tables {
        let name = table.name;
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {name}_{generation}"))?;
    }
    Ok(())
}

/// Drops the tables of every generation but the one that `keep` names for the blueprint: what an interrupted rebuild
/// or an older release left.
pub(crate) fn sweep(
    connection: &Connection,
    keep: impl Fn(&Blueprint) -> Option<u32>,
) -> rusqlite::Result<()> {
    let mut names = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE ?")?;
    let mut left = Vec::new();
    for blueprint in ALL {
        for table in blueprint.tables {
            let rows = names.query_map([format!("{}%", table.name)], |row| row.get(0))?;
            for name in rows {
                let name: String = name?;
                let generation = name
                    .strip_prefix(table.name)
                    .and_then(|rest| rest.strip_prefix('_'))
                    .and_then(|number| number.parse::<u32>().ok());
                if generation.is_some() && generation != keep(blueprint) {
                    left.push(name);
                }
            }
        }
    }
    for name in left {
        connection.execute_batch(&format!("DROP TABLE {name}"))?;
    }
    Ok(())
}
