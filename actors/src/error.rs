//! Why the actors could not do what they were asked. Business refusals are answers, not errors.

use carnet_events::codec::DecodeError;
use carnet_events::domain::export::Status;
use carnet_events::store::StoreError;

/// Why a command or a read came to nothing. Reasons are for logs; nothing of a tenant's data is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such export.
    #[error("there is no such export")]
    NotFound,
    /// The export was settled another way.
    #[error("the export is {status} and can't be cancelled")]
    NotCancellable {
        /// Where it stands.
        status: Status,
    },
    /// The state doesn't allow the command.
    #[error("not possible: {reason}")]
    Illegal {
        /// Why not.
        reason: String,
    },
    /// More commands are in work than this node takes: try again in a moment.
    #[error("too many commands are in work")]
    Overloaded,
    /// This node's clock is not to be trusted, so it decides nothing.
    #[error("this node's clock differs from the event store's by {skew_ms} ms")]
    ClockSkewed {
        /// How far the store is ahead, in milliseconds.
        skew_ms: i64,
    },
    /// Another process serves as this node: this one decides nothing any more.
    #[error("another process serves as this node; each needs a data directory of its own")]
    Superseded,
    /// The process is being stopped.
    #[error("the service is stopping")]
    Stopping,
    /// The event store can't be written or read now; nothing was done.
    #[error("the event store is unavailable: {reason}")]
    Unavailable {
        /// What stands in the way.
        reason: String,
    },
    /// Whether it was done is not known: repeat it.
    #[error("the event store did not confirm: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// The tenant's directory was erased: its persons are not known any more, and none is ever taken up again.
    #[error("the tenant's directory was erased")]
    DirectoryErased,
    /// A newer release wrote to the stream: this node decides nothing on it, and goes on once it is upgraded.
    #[error("{reason}")]
    Newer {
        /// What it is, and where.
        reason: String,
    },
    /// What the store holds can't be read.
    #[error("the event log can't be read: {reason}")]
    Corrupt {
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// Whether the same may succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Overloaded
            | Self::ClockSkewed { .. }
            | Self::Unavailable { .. }
            | Self::Unknown { .. } => true,
            Self::NotFound
            | Self::NotCancellable { .. }
            | Self::Illegal { .. }
            | Self::Superseded
            | Self::Stopping
            | Self::DirectoryErased
            | Self::Newer { .. }
            | Self::Corrupt { .. } => false,
        }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
        }
    }

    pub(crate) fn illegal(reason: impl std::fmt::Display) -> Self {
        Self::Illegal {
            reason: reason.to_string(),
        }
    }

    pub(crate) fn corrupt(error: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            reason: error.to_string(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { reason } => Self::Unavailable { reason },
            StoreError::Unknown { reason } => Self::Unknown { reason },
            // Whoever can meet a conflict decides again; one that arrives here outlived all tries.
            StoreError::Conflict { .. } => Self::unavailable(error.to_string()),
            StoreError::Invalid { reason } | StoreError::Refused { reason } => {
                Self::Illegal { reason }
            }
            StoreError::Corrupt { reason } => Self::Corrupt { reason },
        }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        match error.is_newer() {
            true => Self::Newer {
                reason: error.to_string(),
            },
            false => Self::corrupt(error),
        }
    }
}

/// Why the actors could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting makes no sense.
    #[error("{0}")]
    Options(&'static str),
    /// The actors' thread could not be started.
    #[error("the actors' thread can't be started: {0}")]
    Thread(std::io::Error),
    /// The event store could not be read or written.
    #[error(transparent)]
    Store(#[from] Error),
}
