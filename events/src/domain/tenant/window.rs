//! Rolling windows: what is left of a limit, and when it opens again.
//!
//! A window is half-open: at `now` it holds what was accepted in `(now - length, now]`, so a request is
//! forgotten exactly one window after it was accepted, to the millisecond.

use std::time::Duration;

use super::event::{LimitKind, Limits, Quota};
use super::state::Tenant;
use crate::ids::{PrincipalId, Timestamp};

/// How a limit stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Requests let through per window.
    pub limit: u32,
    /// Length of the window.
    pub length: Duration,
    /// Accepted in the window.
    pub accepted: u32,
    /// Further requests that exemptions let through.
    pub exempted: u32,
    /// When the next request fits, if none does now. `None` also when the limit is zero.
    pub next_allowed_at: Option<Timestamp>,
}

impl Window {
    /// Requests left, exemptions included.
    pub fn remaining(&self) -> u32 {
        self.limit
            .saturating_sub(self.accepted)
            .saturating_add(self.exempted)
    }

    /// Whether a request fits without an exemption.
    pub fn fits(&self) -> bool {
        self.accepted < self.limit
    }

    fn of(quota: Quota, times: &[Timestamp], exempted: u32, now: Timestamp) -> Self {
        let length = Duration::from_millis(quota.window_ms);
        let inside: Vec<Timestamp> = times
            .iter()
            .copied()
            .filter(|at| at.plus(length) > now)
            .collect();
        let over = inside.len().checked_sub(quota.accepted as usize);
        let next_allowed_at = over
            .filter(|_| exempted == 0)
            .and_then(|over| inside.get(over))
            .map(|blocking| blocking.plus(length));
        Self {
            limit: quota.accepted,
            length,
            accepted: u32::try_from(inside.len()).unwrap_or(u32::MAX),
            exempted,
            next_allowed_at,
        }
    }
}

/// Both windows of a person in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The person's.
    pub user: Window,
    /// The tenant's.
    pub tenant: Window,
}

/// How the limits stand for `principal` at `now`.
pub fn windows(
    tenant: &Tenant,
    limits: &Limits,
    principal: &PrincipalId,
    now: Timestamp,
) -> Windows {
    let all: Vec<Timestamp> = tenant.accepted.iter().map(|accepted| accepted.at).collect();
    let own: Vec<Timestamp> = tenant
        .accepted
        .iter()
        .filter(|accepted| accepted.principal == *principal)
        .map(|accepted| accepted.at)
        .collect();
    let exempted = |kind: LimitKind| {
        tenant
            .exemptions
            .iter()
            .filter(|exemption| exemption.is_for(kind, principal, now))
            .fold(0u32, |sum, exemption| sum.saturating_add(exemption.left))
    };
    Windows {
        user: Window::of(limits.per_user, &own, exempted(LimitKind::User), now),
        tenant: Window::of(limits.per_tenant, &all, exempted(LimitKind::Tenant), now),
    }
}
