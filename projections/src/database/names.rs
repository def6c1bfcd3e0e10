//! Texts that stand in many rows (tenants, principals, types) as small numbers: rows and indices become half as large.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

/// The most texts kept in memory.
const CAPACITY: usize = 65_536;

/// The writer's side of the table `names`. It only ever grows, and all projections and generations share it.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<Box<str>, i64>,
}

impl Names {
    /// The number of `text`, given to it now if it has none.
    pub(crate) fn id(&mut self, tables: &Connection, text: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.known.get(text) {
            return Ok(*id);
        }
        let found = tables
            .prepare_cached("SELECT id FROM names WHERE text = ?")?
            .query_row([text], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                let mut insert = tables.prepare_cached("INSERT INTO names (text) VALUES (?)")?;
                insert.insert([text])?
            }
        };
        if self.known.len() >= CAPACITY {
            self.known.clear();
        }
        self.known.insert(text.into(), id);
        Ok(id)
    }

    /// Drops what is kept in memory: a number given in a transaction that was rolled back belongs to nobody.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}
