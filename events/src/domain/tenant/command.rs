//! What can be asked of a tenant, and what is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{LimitKind, Limits};
use super::state::MAX_EXEMPTIONS;
use crate::domain::export::Outcome;
use crate::domain::request::Request;
use crate::ids::{Digest, ExportId, PrincipalId, Timestamp};

/// A command to one tenant.
#[derive(Debug, Clone, PartialEq)]
pub enum TenantCommand {
    /// Let a request in, or say why not.
    Admit(Box<Admit>),
    /// Free the slot of a settled export.
    Release {
        /// Which.
        export: ExportId,
        /// How it was settled.
        outcome: Outcome,
    },
    /// Let more requests through than a limit.
    GrantExemption {
        /// Its id.
        id: String,
        /// Which window it widens.
        limit: LimitKind,
        /// Requests that it lets through.
        count: u32,
        /// Until when.
        until: Timestamp,
        /// The one person it is for; `None`: whoever of the tenant needs it first.
        person: Option<PrincipalId>,
        /// Who grants it.
        principal: PrincipalId,
    },
    /// Stop all exports and downloads.
    Close {
        /// Who asks.
        principal: PrincipalId,
    },
    /// Allow them again.
    Reopen {
        /// Who asks.
        principal: PrincipalId,
    },
    /// End the subscription; exports go on for the grace window.
    Cancel {
        /// Length of the grace window.
        grace: Duration,
        /// Who asks.
        principal: PrincipalId,
    },
    /// Take the cancellation back.
    Reactivate {
        /// Who asks.
        principal: PrincipalId,
    },
    /// Begin to delete what the tenant left here.
    StartPurge,
    /// Record that it is gone.
    FinishPurge,
    /// Switch a module.
    SwitchModule {
        /// Which.
        module: String,
        /// On or off.
        on: bool,
        /// Who asks.
        principal: PrincipalId,
    },
    /// Set the schedule.
    SetSchedule {
        /// The preset; `None`: no schedule.
        preset: Option<String>,
        /// Who asks.
        principal: PrincipalId,
    },
    /// Record that a scheduled export could not be admitted.
    SkipSchedule {
        /// When it was due.
        due_at: Timestamp,
        /// Why not, as a code.
        code: String,
    },
}

/// A request with everything its admission is decided from.
#[derive(Debug, Clone, PartialEq)]
pub struct Admit {
    /// The id the export will have.
    pub export: ExportId,
    /// What is asked for.
    pub request: Request,
    /// What of the catalog this caller asked for.
    pub categories: CategoryCheck,
    /// The caller's idempotency key, if one was sent.
    pub key: Option<IdempotencyKey>,
    /// The limits in force.
    pub limits: Limits,
    /// Whether operators have paused the intake of requests on the whole service.
    pub intake_paused: bool,
    /// Whether the tenant's storage is configured and verified.
    pub storage_verified: bool,
    /// Active exports whose own streams say that they are settled, and how.
    pub settled: BTreeMap<ExportId, Outcome>,
}

/// The requested categories, held against the catalog and the caller's permissions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CategoryCheck {
    /// Ids that the catalog doesn't have.
    pub unknown: Vec<String>,
    /// Ids that the caller may not export.
    pub forbidden: Vec<String>,
    /// Modules of the requested categories: by category id, the module's name and whether it is on by configuration.
    pub modules: BTreeMap<String, (String, bool)>,
    /// Ids of categories that can't be limited to a scope, where the request names one.
    pub unscoped: Vec<String>,
}

/// An `Idempotency-Key`, reduced to digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Digest of key, principal and route.
    pub key: Digest,
    /// Digest of the request that came with it, as it was sent.
    pub fingerprint: Digest,
    /// Digests of the same request spelt otherwise, with today's defaults written or left out. Not remembered.
    pub alike: Vec<Digest>,
}

/// What an allowed command is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    Done,
    /// Nothing to do: it is so already.
    Unchanged,
    /// The request is let in.
    Admitted {
        /// What it becomes.
        export: ExportId,
        /// Whether the same request had been let in before, with the same idempotency key.
        repeated: bool,
    },
    /// The request is not let in.
    Refused(Refusal),
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The idempotency key was used for another request.
    IdempotencyMismatch,
    /// Operators have paused the intake of requests.
    IntakePaused,
    /// The tenant is closed, past its grace window, or being purged.
    TenantClosed,
    /// The tenant's storage is not configured or not verified.
    StorageUnverified,
    /// Categories that this caller can't name: not in the catalog, not permitted, or of a module that is off.
    UnknownCategories {
        /// Their ids as they were asked for.
        ids: Vec<String>,
        /// Whether any of them exists but is not permitted.
        forbidden: bool,
    },
    /// The request names a scope, and a category that can't be limited to one: it would be exported whole.
    ScopeUnsupported,
    /// An export is queued or running.
    InProgress {
        /// Which.
        active: ExportId,
        /// Whose.
        principal: PrincipalId,
    },
    /// A window is full.
    LimitReached {
        /// Which.
        limit: LimitKind,
        /// When it opens again; `None` when it never does.
        next_allowed_at: Option<Timestamp>,
    },
}

impl Refusal {
    /// Its code on every surface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::IntakePaused => "intake_paused",
            Self::TenantClosed => "tenant_closed",
            Self::StorageUnverified => "storage_unverified",
            Self::UnknownCategories { .. } => "unknown_category",
            Self::ScopeUnsupported => "unsupported_option",
            Self::InProgress { .. } => "export_in_progress",
            Self::LimitReached {
                limit: LimitKind::User,
                ..
            } => "limit_user",
            Self::LimitReached {
                limit: LimitKind::Tenant,
                ..
            } => "limit_tenant",
        }
    }
}

/// A command that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalCommand {
    /// The export is admitted already, with another request.
    #[error("the export is admitted already")]
    AlreadyAdmitted,
    /// The tenant has not cancelled, or its grace window is over.
    #[error("there is no cancellation to take back")]
    NotCancelled,
    /// The grace window is not over.
    #[error("the grace window is not over")]
    GraceNotOver,
    /// The purge has not begun.
    #[error("the purge has not begun")]
    PurgeNotStarted,
    /// The tenant is being purged or gone.
    #[error("the tenant is being purged or gone")]
    Purged,
    /// Another exemption with this id exists, or this one lets nothing through or is over.
    #[error("the exemption lets nothing through, is over, or another one has its id")]
    UselessExemption,
    /// The tenant has as many unused exemptions as it may have.
    #[error("the tenant has {MAX_EXEMPTIONS} unused exemptions already")]
    TooManyExemptions,
}
