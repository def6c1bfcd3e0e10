//! The projections by name.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionName {
    /// [`crate::exports`].
    Exports,
    /// [`crate::audit_log`].
    AuditLog,
    /// [`crate::operations`].
    Operations,
    /// [`crate::worklist`].
    Worklist,
}

impl ProjectionName {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Exports,
        Self::AuditLog,
        Self::Operations,
        Self::Worklist,
    ];

    /// The name on every surface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exports => "exports",
            Self::AuditLog => "audit_log",
            Self::Operations => "operations",
            Self::Worklist => "worklist",
        }
    }
}

impl fmt::Display for ProjectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProjectionName {
    type Err = UnknownProjection;

    fn from_str(text: &str) -> Result<Self, UnknownProjection> {
        let named = |name: &Self| name.as_str() == text;
        Self::ALL.into_iter().find(named).ok_or(UnknownProjection)
    }
}

/// Not the name of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a projection is one of exports, audit_log, operations, worklist")]
pub struct UnknownProjection;
