//! What can be chosen about the projections.

use std::path::PathBuf;
use std::time::Duration;

/// What can be chosen about the projections.
#[derive(Debug, Clone)]
pub struct Options {
    /// The SQLite file; made if absent, together with its directory.
    pub path: PathBuf,
    /// Queries that run at the same time, each on its own connection and blocking thread; further ones wait.
    pub readers: usize,
    /// The most events applied in one transaction. More make catching up faster, and hold up the first of them longer.
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
            readers: 4,
            batch_events: 16_384,
            keep_minutes: Duration::from_secs(48 * 60 * 60),
            keep_hours: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}
