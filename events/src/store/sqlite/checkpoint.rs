//! Emptying the write-ahead log where SQLite by itself would not.
//!
//! SQLite moves the log into the database as it grows, but begins it anew only when no reader looks at it at that very
//! moment: under unbroken reading it would grow without end. And after an erasure the erased bytes still stand in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::schema;
use crate::store::queue::Request;

/// The log is emptied when it is larger than this, in bytes.
const LARGE: u64 = 64 * 1024 * 1024;

/// How many commits pass between looks at its size.
const COMMITS: u32 = 64;

/// How long the writer waits for readers; they read a page at a time, so that this is long.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long it goes on as it is after readers have stood in the way.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Checkpoint {
    log: PathBuf,
    commits: u32,
    wanted: bool,
    not_before: Option<Instant>,
}

impl Checkpoint {
    /// For the database at `path`.
    pub(super) fn new(path: &Path) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Self {
            log: log.into(),
            commits: 0,
            wanted: false,
            not_before: None,
        }
    }

    /// Called after each commit with the group committed. Best effort: what fails is tried again later.
    pub(super) fn after(&mut self, conn: &Connection, group: &[Request]) {
        self.commits = self.commits.wrapping_add(1);
        self.wanted |= group
            .iter()
            .any(|request| matches!(request, Request::Erase { .. }))
            || self.commits.is_multiple_of(COMMITS) && self.is_large();
        if !self.wanted || self.not_before.is_some_and(|time| Instant::now() < time) {
            return;
        }
        match truncate(conn) {
            Ok(true) => (self.wanted, self.not_before) = (false, None),
            Ok(false) => self.not_before = Some(Instant::now() + RETRY),
            Err(error) => {
                tracing::warn!(%error, "the event store's write-ahead log could not be emptied");
                self.not_before = Some(Instant::now() + RETRY);
            }
        }
    }

    fn is_large(&self) -> bool {
        std::fs::metadata(&self.log).is_ok_and(|log| log.len() > LARGE)
    }
}

/// Moves the log into the database and cuts it to nothing; false when readers held it for too long.
fn truncate(conn: &Connection) -> rusqlite::Result<bool> {
    conn.busy_timeout(PATIENCE)?;
    let held = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, bool>(0)
    });
    conn.busy_timeout(schema::BUSY)?;
    held.map(|held| !held)
}
