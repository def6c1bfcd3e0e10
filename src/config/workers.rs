//! `[workers]`: how exports are run on this node.

use serde::{Deserialize, Serialize};

use super::duration::Span;
use super::error::Complaints;

/// `[workers]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workers {
    /// Exports running at once on this node; others wait in the queue.
    pub max_running: u32,
    /// How long a claim on an export holds without renewal.
    pub lease: Span,
    /// Failed attempts after which an export fails for good.
    pub max_attempts: u32,
    /// No rows or bytes for this long fails the attempt as `stalled`; queries of a source with a `statement_timeout` may be silent for that long.
    pub stall_after: Span,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            max_running: 2,
            lease: Span::seconds(30),
            max_attempts: 3,
            stall_after: Span::minutes(5),
        }
    }
}

impl Workers {
    pub(super) fn check(&self, at: &mut Complaints<'_>) {
        at.within("workers.max_running", self.max_running, 1, 256);
        at.within(
            "workers.lease",
            self.lease,
            Span::seconds(3),
            Span::minutes(10),
        );
        at.within("workers.max_attempts", self.max_attempts, 1, 100);
        at.within(
            "workers.stall_after",
            self.stall_after,
            Span::seconds(5),
            Span::days(1),
        );
    }
}
