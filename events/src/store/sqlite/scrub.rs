//! After an erasure: getting the erased bytes out of the write-ahead log too.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::request::Request;

/// How long to wait before trying again when a reader stood in the way.
const RETRY: Duration = Duration::from_secs(1);

/// Empties the write-ahead log after erasures, as soon as no reader looks at it.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    wanted: bool,
    not_before: Option<Instant>,
}

impl Scrub {
    /// Called after each commit with the group committed. Best effort: what is left is overwritten as the log is reused.
    pub(super) fn after(&mut self, conn: &Connection, group: &[Request]) {
        self.wanted |= group
            .iter()
            .any(|request| matches!(request, Request::Erase { .. }));
        if !self.wanted || self.not_before.is_some_and(|time| Instant::now() < time) {
            return;
        }
        match truncate(conn) {
            Ok(true) => *self = Self::default(),
            Ok(false) => self.not_before = Some(Instant::now() + RETRY),
            Err(error) => {
                tracing::warn!(%error, "erased events may still stand in the write-ahead log");
                self.not_before = Some(Instant::now() + RETRY);
            }
        }
    }
}

/// Moves the log into the database and cuts it to nothing; false when a reader holds it.
fn truncate(conn: &Connection) -> rusqlite::Result<bool> {
    // The writer waits for no reader here.
    conn.busy_timeout(Duration::ZERO)?;
    let held = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, bool>(0)
    });
    conn.busy_timeout(super::schema::BUSY)?;
    held.map(|held| !held)
}
