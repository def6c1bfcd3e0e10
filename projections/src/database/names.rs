//! Texts that stand in many rows (tenants, principals, types) as small numbers: rows and indices become half as large.

use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension};

/// The most texts kept in memory.
const CAPACITY: usize = 65_536;

/// The writer's side of a projection's table of names. It only ever grows.
#[derive(Debug)]
pub(crate) struct Names {
    known: HashMap<Box<str>, i64>,
    select: String,
    insert: String,
}

impl Names {
    /// Those in `table`.
    pub(crate) fn new(table: &str) -> Self {
        Self {
            known: HashMap::default(),
            select: format!("SELECT id FROM {table} WHERE text = ?"),
            insert: format!("INSERT INTO {table} (text) VALUES (?)"),
        }
    }

    /// The number of `text`, given to it now if it has none.
    pub(crate) fn id(&mut self, tables: &Connection, text: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.known.get(text) {
            return Ok(*id);
        }
        let found = tables
            .prepare_cached(&self.select)?
            .query_row([text], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => tables.prepare_cached(&self.insert)?.insert([text])?,
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
