//! What can happen to a tenant. Each struct is the data of one event type as it is stored.

use serde::{Deserialize, Serialize};

use crate::domain::export::Outcome;
use crate::domain::request::Request;
use crate::ids::{Digest, ExportId, PrincipalId, Timestamp};

/// At most `accepted` requests in a rolling `window_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests that are let through.
    pub accepted: u32,
    /// Length of the window in milliseconds.
    pub window_ms: u64,
}

/// The limits that a request is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Per person.
    pub per_user: Quota,
    /// Per tenant.
    pub per_tenant: Quota,
    /// Queued or running exports per person.
    pub active_per_user: u32,
    /// Queued or running exports per tenant.
    pub active_per_tenant: u32,
}

/// Which window a limit or an exemption speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// The person's.
    User,
    /// The tenant's.
    Tenant,
}

/// The counts at the moment of admission, the admitted export not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Accepted for this person in the person's window.
    pub user: u32,
    /// Accepted for the tenant in the tenant's window.
    pub tenant: u32,
}

/// The tenant's yes to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportAdmitted {
    /// The export that it becomes.
    pub export: ExportId,
    /// The whole request; `requested` is built from it and nothing else.
    pub request: Request,
    /// The limits that were applied.
    pub limits: Limits,
    /// The counts they were applied to.
    pub standing: Standing,
    /// The exemptions that were used up for it.
    pub exemptions: Vec<String>,
    /// Digest of the `Idempotency-Key` with its principal and route, if one was sent.
    pub idempotency_key: Option<Digest>,
    /// Digest of the request as it was sent, to tell a repetition from another request.
    pub fingerprint: Option<Digest>,
}

/// An export is settled and frees its slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReleased {
    /// Which.
    pub export: ExportId,
    /// How it was settled.
    pub outcome: Outcome,
}

/// An operator lets more requests through than the limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExemptionGranted {
    /// Its id.
    pub id: String,
    /// Which window it widens.
    pub limit: LimitKind,
    /// Requests that it lets through.
    pub count: u32,
    /// Until when.
    pub until: Timestamp,
    /// Who granted it.
    pub principal: PrincipalId,
    /// The one person it is for; `None`: whoever of the tenant needs it first. Not in version 1.
    pub person: Option<PrincipalId>,
}

/// An operator closed the tenant: nothing is exported or downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Who.
    pub principal: PrincipalId,
}

/// An operator opened it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reopened {
    /// Who.
    pub principal: PrincipalId,
}

/// The tenant cancelled its subscription. Exports go on until the end of the grace window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantCancelled {
    /// End of the grace window.
    pub grace_until: Timestamp,
    /// Who.
    pub principal: PrincipalId,
}

/// The tenant came back within the grace window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reactivated {
    /// Who.
    pub principal: PrincipalId,
}

/// What the tenant left here is being deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeStarted {}

/// Nothing of the tenant is left but this history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {}

/// A module was switched on or off for the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSwitched {
    /// Which.
    pub module: String,
    /// Whether it is on.
    pub on: bool,
    /// Who.
    pub principal: PrincipalId,
}

/// The tenant's schedule was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSet {
    /// The preset's name; `None`: no schedule.
    pub preset: Option<String>,
    /// Who.
    pub principal: PrincipalId,
}

/// A scheduled export was due and could not be admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSkipped {
    /// When it was due.
    pub due_at: Timestamp,
    /// Why not, as a code.
    pub code: String,
}

crate::codec::events! {
    /// Everything that can happen to a tenant.
    TenantEvent in Tenant {
        /// A request was let in.
        ExportAdmitted(ExportAdmitted) = "export_admitted", 1;
        /// An export is settled and frees its slot.
        ExportReleased(ExportReleased) = "export_released", 1;
        /// An operator lets more through than the limit.
        ExemptionGranted(ExemptionGranted) = "exemption_granted", 2;
        /// Closed by an operator.
        Closed(Closed) = "closed", 1;
        /// Opened again by an operator.
        Reopened(Reopened) = "reopened", 1;
        /// The tenant cancelled; the grace window runs.
        Cancelled(TenantCancelled) = "cancelled", 1;
        /// The tenant came back.
        Reactivated(Reactivated) = "reactivated", 1;
        /// The tenant's data here is being deleted.
        PurgeStarted(PurgeStarted) = "purge_started", 1;
        /// It is gone.
        Purged(Purged) = "purged", 1;
        /// A module was switched.
        ModuleSwitched(ModuleSwitched) = "module_switched", 1;
        /// The schedule was set.
        ScheduleSet(ScheduleSet) = "schedule_set", 1;
        /// A scheduled export could not be admitted.
        ScheduleSkipped(ScheduleSkipped) = "schedule_skipped", 1;
    }
}
