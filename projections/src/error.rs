//! Why a projection could not be asked or kept up to date.

use std::path::PathBuf;

use carnet_events::store::StoreError;

use crate::ProjectionName;

/// Why a projection could not be asked, started or rebuilt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file at the configured path holds something else, and is left alone.
    #[error("{} is a database, but not one of projections: name another path in `projections.path`", path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
    },
    /// Another process keeps these projections.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// The file can't be read or written now.
    #[error("the projections' file can't be used: {source}")]
    Unavailable {
        /// What stands in the way.
        #[from]
        source: rusqlite::Error,
    },
    /// The file's directory can't be used.
    #[error("the projections' file can't be used: {source}")]
    Io {
        /// What stands in the way.
        #[from]
        source: std::io::Error,
    },
    /// A row is not what this release wrote.
    #[error("a row of the projection `{projection}` can't be read: {reason}; rebuild it")]
    BadRow {
        /// Which projection.
        projection: ProjectionName,
        /// What is wrong.
        reason: String,
    },
    /// The event store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rebuild of it is under way already.
    #[error("a rebuild is under way already")]
    RebuildUnderWay,
    /// The projections are shut down.
    #[error("the projections are shut down")]
    ShutDown,
}
