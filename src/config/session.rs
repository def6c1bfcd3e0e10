//! `[auth.session]`: how long people who signed in with a browser stay signed in.

use serde::{Deserialize, Serialize};

use super::duration::Span;
use super::error::Complaints;

/// `[auth.session]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// A session that isn't used for this long ends.
    pub idle: Span,
    /// A session ends this long after sign-in, however busy.
    pub absolute: Span,
    /// Roles and permissions older than this are asked for again from the identity provider.
    pub claims_max_age: Span,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            idle: Span::minutes(30),
            absolute: Span::hours(12),
            claims_max_age: Span::minutes(5),
        }
    }
}

impl Session {
    pub(super) fn check(&self, at: &mut Complaints<'_>) {
        at.within(
            "auth.session.idle",
            self.idle,
            Span::minutes(1),
            Span::days(7),
        );
        at.within(
            "auth.session.absolute",
            self.absolute,
            Span::minutes(1),
            Span::days(7),
        );
        at.within(
            "auth.session.claims_max_age",
            self.claims_max_age,
            Span::seconds(1),
            Span::minutes(5),
        );
    }
}
