//! `[limits]`: who may ask for an export, and how often.

use carnet_events::domain::tenant;
use serde::{Deserialize, Deserializer, Serialize};

use super::duration::Span;
use super::error::Complaints;

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Exports one user may have accepted in a rolling window.
    #[serde(deserialize_with = "per_user")]
    pub per_user: Window,
    /// Exports one tenant may have accepted in a rolling window.
    #[serde(deserialize_with = "per_tenant")]
    pub per_tenant: Window,
    /// Exports of one user queued or running at once.
    pub active_per_user: u32,
    /// Exports of one tenant queued or running at once.
    pub active_per_tenant: u32,
    /// Roles that open the account-exports routes.
    pub request_roles: Vec<String>,
}

/// How many in how long; the window rolls, and is half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Exports accepted within the window, whatever became of them.
    pub accepted: u32,
    /// The window's length.
    pub window: Span,
}

const PER_USER: Window = Window {
    accepted: 3,
    window: Span::hours(24),
};
const PER_TENANT: Window = Window {
    accepted: 10,
    window: Span::hours(24),
};

/// A window as it is written: what is left out is as in the default of that very window.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    accepted: Option<u32>,
    window: Option<Span>,
}

fn per_user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Window, D::Error> {
    written(deserializer, PER_USER)
}

fn per_tenant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Window, D::Error> {
    written(deserializer, PER_TENANT)
}

fn written<'de, D: Deserializer<'de>>(
    deserializer: D,
    default: Window,
) -> Result<Window, D::Error> {
    let written = Written::deserialize(deserializer)?;
    Ok(Window {
        accepted: written.accepted.unwrap_or(default.accepted),
        window: written.window.unwrap_or(default.window),
    })
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_user: PER_USER,
            per_tenant: PER_TENANT,
            active_per_user: 1,
            active_per_tenant: 1,
            request_roles: vec!["client_admin".to_owned()],
        }
    }
}

impl Limits {
    /// The limits as the domain decides by them.
    pub fn for_domain(&self) -> tenant::Limits {
        let quota = |limit: &Window| tenant::Quota {
            accepted: limit.accepted,
            window_ms: u64::try_from(limit.window.millis()).unwrap_or(0),
        };
        tenant::Limits {
            per_user: quota(&self.per_user),
            per_tenant: quota(&self.per_tenant),
            active_per_user: self.active_per_user,
            active_per_tenant: self.active_per_tenant,
        }
    }

    pub(super) fn check(&self, at: &mut Complaints<'_>) {
        for (key, limit) in [
            ("limits.per_user", &self.per_user),
            ("limits.per_tenant", &self.per_tenant),
        ] {
            at.within(&format!("{key}.accepted"), limit.accepted, 1, 10_000);
            at.within(
                &format!("{key}.window"),
                limit.window,
                Span::seconds(1),
                Span::days(31),
            );
        }
        at.within("limits.active_per_user", self.active_per_user, 1, 1_000);
        at.within("limits.active_per_tenant", self.active_per_tenant, 1, 1_000);
        if self.request_roles.is_empty() || self.request_roles.len() > 32 {
            at.add(
                "limits.request_roles",
                "must name 1 to 32 roles",
                "name the roles that may export, as in [\"client_admin\"]",
            );
        }
        for role in &self.request_roles {
            if role.is_empty() || role.len() > 128 || role.contains(char::is_whitespace) {
                at.add(
                    "limits.request_roles",
                    format!("{role:?} is not a role"),
                    "write roles without spaces, of 1 to 128 bytes",
                );
            }
            if matches!(role.as_str(), "auditor" | "operator") {
                at.add(
                    "limits.request_roles",
                    format!("{role:?} never opens artifacts"),
                    "give those people another role beside it",
                );
            }
        }
    }
}
