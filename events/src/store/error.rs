//! Why a store could not do what it was asked.

use super::types::Expected;
use crate::stream::StreamName;

/// Why a store could not do what it was asked. Reasons are for operators and logs: no event data is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The stream does not stand where the append expected it. Nothing was written: read, decide again.
    #[error(
        "{stream} is not where the append expected it: {expected:?}, but its head is {actual:?}"
    )]
    Conflict {
        /// The stream appended to.
        stream: StreamName,
        /// What the append expected.
        expected: Expected,
        /// The revision of the stream's last event, `None` when there is no event.
        actual: Option<u64>,
    },
    /// The store can't do it now, and nothing was written: try again later.
    #[error("the event store is unavailable: {reason}")]
    Unavailable {
        /// What stands in the way.
        reason: String,
    },
    /// Whether it was written is not known: repeat the identical append until the answer is definite.
    #[error("the event store did not confirm the append: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// The request breaks the contract's limits. Repeating it can't help.
    #[error("the event store can't take this: {reason}")]
    Invalid {
        /// The limit broken.
        reason: String,
    },
    /// The store does not do this: writing to an erased stream or a read-only store, erasing what must stay.
    #[error("the event store refuses: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// What the store holds is damaged, or not a store of ours.
    #[error("the event store is damaged: {reason}")]
    Corrupt {
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
        }
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
        }
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid {
            reason: reason.into(),
        }
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }

    pub(crate) fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt {
            reason: reason.into(),
        }
    }
}
