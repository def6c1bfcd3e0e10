//! The events of a group, gathered so that many are written by one statement.

use std::sync::LazyLock;

use rusqlite::{Connection, Statement};

use crate::envelope::NewEvent;

/// Events of one statement: running a statement costs nearly as much as a row.
const AT_ONCE: usize = 16;
const COLUMNS: usize = 7;

/// Events that come to more bytes are written one by one. Because of the triggers, the rows of one statement stand in a
/// temporary table first; this keeps it in memory.
const SMALL: usize = 64 * 1024;

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert(1));
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert(AT_ONCE));

/// The statement that adds so many events.
fn insert(events: usize) -> String {
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?)"; events].join(", ");
    format!(
        "INSERT INTO events (position, stream, revision, id, kind, data, metadata) VALUES {rows}"
    )
}

/// An event with its place.
pub(super) struct NewRow {
    pub(super) position: i64,
    pub(super) stream: i64,
    pub(super) revision: i64,
    pub(super) event: NewEvent,
}

impl NewRow {
    /// Binds it as the `nth` row of a statement.
    fn bind(&self, insert: &mut Statement<'_>, nth: usize) -> rusqlite::Result<()> {
        let (first, event) = (nth * COLUMNS, &self.event);
        insert.raw_bind_parameter(first + 1, self.position)?;
        insert.raw_bind_parameter(first + 2, self.stream)?;
        insert.raw_bind_parameter(first + 3, self.revision)?;
        insert.raw_bind_parameter(first + 4, event.id.as_bytes())?;
        insert.raw_bind_parameter(first + 5, &*event.kind)?;
        insert.raw_bind_parameter(first + 6, &*event.data)?;
        insert.raw_bind_parameter(first + 7, &*event.metadata)
    }
}

/// Events that were given their places and are not in the database yet.
#[derive(Default)]
pub(super) struct Rows(Vec<NewRow>);

impl Rows {
    /// Takes one more, and writes all when there are enough of them.
    pub(super) fn add(&mut self, conn: &Connection, row: NewRow) -> rusqlite::Result<()> {
        self.0.push(row);
        match self.0.len() < AT_ONCE {
            true => Ok(()),
            false => self.write(conn),
        }
    }

    /// Writes those gathered so far. Whoever looks for events of the same transaction in the database does this first.
    pub(super) fn write(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let size: usize = self.0.iter().map(|row| row.event.size()).sum();
        let together = self.0.len() == AT_ONCE && size <= SMALL;
        let (sql, at_once) = match together {
            true => (&INSERT_MANY, AT_ONCE),
            false => (&INSERT_ONE, 1),
        };
        let mut insert = conn.prepare_cached(sql)?;
        for rows in self.0.chunks(at_once) {
            for (nth, row) in rows.iter().enumerate() {
                row.bind(&mut insert, nth)?;
            }
            insert.raw_execute()?;
        }
        self.0.clear();
        Ok(())
    }
}
