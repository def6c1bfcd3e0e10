//! What is known of a tenant after some prefix of its stream.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::LimitKind;
use crate::domain::request::{Format, Layer};
use crate::ids::{Digest, ExportId, PrincipalId, Timestamp};

/// The longest rolling window a limit may have; older acceptances are forgotten, so that the state stays small.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// How long an `Idempotency-Key` is remembered.
pub const KEY_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Unused exemptions of a tenant at once, so that the state stays small.
pub const MAX_EXEMPTIONS: usize = 100;

/// One tenant. The initial state is a tenant of which nothing is known: open, nothing accepted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tenant {
    /// Time of the newest event.
    pub updated_at: Option<Timestamp>,
    /// Closed by an operator.
    pub closed: bool,
    /// Where it stands between signing up and being purged.
    pub lifecycle: Lifecycle,
    /// Accepted requests that count in the windows, oldest first, none older than [`LONGEST_WINDOW`].
    pub accepted: VecDeque<Accepted>,
    /// Admitted exports that are not released.
    pub active: BTreeMap<ExportId, Active>,
    /// Idempotency keys used within [`KEY_MEMORY`], oldest first.
    pub keys: VecDeque<Remembered>,
    /// Exemptions with something left, oldest first.
    pub exemptions: Vec<Exemption>,
    /// Ids of all exemptions there ever were: what an admission says of one must mean that one alone.
    pub exemption_ids: BTreeSet<String>,
    /// Modules that an event switched; all others are as configured.
    pub modules: BTreeMap<String, bool>,
    /// The schedule's preset, if an event set one: the inner `None` says that it was switched off.
    pub schedule: Option<Option<String>>,
    /// The newest admission of an export, whoever asked.
    pub last_admitted: Option<Accepted>,
}

/// Where a tenant stands between signing up and being purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// A customer.
    #[default]
    Active,
    /// Has cancelled; exports work until the end of the grace window.
    Cancelled {
        /// That end.
        grace_until: Timestamp,
    },
    /// Being deleted.
    Purging,
    /// Deleted.
    Purged,
}

/// An accepted request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub principal: PrincipalId,
    /// What it became.
    pub export: ExportId,
}

/// An export that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// Whose.
    pub principal: PrincipalId,
    /// Since when.
    pub since: Timestamp,
}

/// An idempotency key that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Digest of key, principal and route.
    pub key: Digest,
    /// Digest of the request that came with it, as it was sent.
    pub fingerprint: Option<Digest>,
    /// What was left out of it was filled in as this.
    pub format: Format,
    /// Likewise.
    pub layers: Vec<Layer>,
    /// What it became.
    pub export: ExportId,
    /// When.
    pub at: Timestamp,
}

/// Requests that may go beyond a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// Its id.
    pub id: String,
    /// Which window it widens.
    pub limit: LimitKind,
    /// Requests left.
    pub left: u32,
    /// Until when.
    pub until: Timestamp,
    /// The one person it is for; `None`: whoever needs it first.
    pub person: Option<PrincipalId>,
}

impl Exemption {
    /// Whether it lets a request of `who` through `limit` at `now`.
    pub fn is_for(&self, limit: LimitKind, who: &PrincipalId, now: Timestamp) -> bool {
        self.limit == limit
            && self.left > 0
            && now < self.until
            && self.person.as_ref().is_none_or(|person| person == who)
    }
}

impl Tenant {
    /// Whether a module is on: as an event said, else as configured.
    pub fn module_is_on(&self, module: &str, configured: bool) -> bool {
        self.modules.get(module).copied().unwrap_or(configured)
    }

    /// Whether new exports are admitted at `now`, as far as the life cycle goes.
    pub fn admits_at(&self, now: Timestamp) -> bool {
        !self.closed
            && match self.lifecycle {
                Lifecycle::Active => true,
                Lifecycle::Cancelled { grace_until } => now < grace_until,
                Lifecycle::Purging | Lifecycle::Purged => false,
            }
    }

    /// Whether finished files may be downloaded at `now`: not when closed, past the grace window, or being purged.
    pub fn serves_at(&self, now: Timestamp) -> bool {
        self.admits_at(now)
    }
}
