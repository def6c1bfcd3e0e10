//! What can be chosen about the projections.

use std::path::PathBuf;
use std::time::Duration;

/// What can be chosen about the projections.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the SQLite files are named after, one for each projection and beside this path; made if absent, together with their directory.
    pub path: PathBuf,
    /// Which store the events are in, in words without secrets. A log that was copied keeps its id and not its positions:
    /// what was folded from it elsewhere is filled anew.
    pub store: String,
    /// Queries that run at the same time, each on its own connection and blocking thread; further ones wait.
    pub readers: usize,
    /// While history is read: events applied in one transaction. More of them make it faster, a larger write-ahead log,
    /// and more to do again after a crash. Of the present, whatever is there is committed at once.
    pub batch_events: usize,
    /// How long figures per minute are kept, reckoned from the newest event.
    pub keep_minutes: Duration,
    /// How long figures per hour are kept, reckoned from the newest event.
    pub keep_hours: Duration,
}

impl Options {
    /// The defaults, for the file at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            store: String::new(),
            readers: 4,
            batch_events: 262_144,
            keep_minutes: Duration::from_secs(48 * 60 * 60),
            keep_hours: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }

    /// Of events in this store.
    #[must_use]
    pub fn of_store(mut self, store: impl Into<String>) -> Self {
        self.store = store.into();
        self
    }
}
