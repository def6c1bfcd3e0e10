//! Which events are entries, and what of them is told.

use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::ExportEvent;
use carnet_events::domain::session::SessionEvent;
use carnet_events::domain::tenant::TenantEvent;
use carnet_events::ids::{ExportId, PrincipalId};

use super::details::{self, Details};
use crate::fact::{Event, Known};

/// Every type of entry there is.
pub const TYPES: &[&str] = &[
    "access_denied",
    "artifact_damaged",
    "artifact_deleted",
    "artifact_restored",
    "audit_read",
    "cancelled",
    "completed",
    "download_blocked",
    "download_ended",
    "downloaded",
    "exemption_granted",
    "expired",
    "export_admitted",
    "export_refused",
    "failed",
    "held",
    "hold_released",
    "link_issued",
    "link_revoked",
    "links_revoked",
    "module_switched",
    "repeated",
    "requeued",
    "schedule_set",
    "schedule_skipped",
    "session_ended",
    "session_started",
    "tenant_cancelled",
    "tenant_closed",
    "tenant_purge_started",
    "tenant_purged",
    "tenant_reactivated",
    "tenant_reopened",
];

/// An entry to be written.
pub(super) struct Draft<'a> {
    pub(super) kind: &'static str,
    pub(super) principal: Option<&'a PrincipalId>,
    pub(super) export: Option<ExportId>,
    pub(super) code: Option<&'a str>,
    pub(super) details: Details<'a>,
}

/// The entry that an event makes, if it makes one. Every event is named, so that a new one can't be forgotten.
pub(super) fn draft(known: &Known) -> Option<Draft<'_>> {
    let actor = known.principal.as_ref();
    match &known.event {
        Event::Export(id, event) => of_export(*id, &event.what, actor),
        Event::Admitted(admitted) => Some(Draft {
            kind: "export_admitted",
            principal: Some(&admitted.principal),
            export: Some(admitted.export),
            code: None,
            details: Details::Admitted(admitted),
        }),
        Event::Tenant(event) => of_tenant(event, actor),
        Event::Access(event) => Some(Draft {
            kind: access_kind(event),
            principal: Some(event.principal()),
            export: event.export(),
            code: event.code(),
            details: details::access(event),
        }),
        Event::Session(event) => Some(of_session(event, actor)),
        // No tenant's business.
        Event::Platform(_) => None,
    }
}

fn of_export<'a>(
    id: ExportId,
    event: &'a ExportEvent,
    actor: Option<&'a PrincipalId>,
) -> Option<Draft<'a>> {
    let entry = |kind, principal, code, details| {
        Some(Draft {
            kind,
            principal,
            export: Some(id),
            code,
            details,
        })
    };
    match event {
        ExportEvent::Completed(completed) => {
            let details = Details::Completed(completed);
            entry("completed", actor, None, details)
        }
        ExportEvent::Failed(failed) => {
            let details = Details::Failed(failed);
            let by = failed.principal.as_ref().or(actor);
            entry("failed", by, Some(&failed.code), details)
        }
        ExportEvent::Requeued(requeued) => {
            let details = Details::Requeued(requeued);
            let by = Some(&requeued.principal);
            entry("requeued", by, Some("operator"), details)
        }
        ExportEvent::Cancelled(cancelled) => {
            let by = Some(&cancelled.principal);
            entry("cancelled", by, Some(&cancelled.code), Details::None)
        }
        ExportEvent::Expired(_) => entry("expired", actor, None, Details::None),
        ExportEvent::Held(held) => entry("held", Some(&held.principal), None, Details::None),
        ExportEvent::HoldReleased(released) => {
            let by = Some(&released.principal);
            entry("hold_released", by, None, Details::None)
        }
        ExportEvent::ArtifactDeleted(deleted) => {
            let details = Details::Deleted(deleted);
            entry("artifact_deleted", actor, None, details)
        }
        ExportEvent::ArtifactDamaged(damaged) => {
            let details = Details::Damaged(damaged);
            entry("artifact_damaged", actor, None, details)
        }
        ExportEvent::ArtifactRestored(_) => entry("artifact_restored", actor, None, Details::None),
        ExportEvent::LinksRevoked(revoked) => {
            let details = Details::LinksRevoked(revoked);
            entry("links_revoked", Some(&revoked.principal), None, details)
        }
        // The admission is the entry of the request; the rest is how the export was run.
        ExportEvent::Requested(_)
        | ExportEvent::Started(_)
        | ExportEvent::Progressed(_)
        | ExportEvent::AttemptFailed(_)
        | ExportEvent::AttemptLost(_)
        | ExportEvent::HandedBack(_)
        | ExportEvent::DeletionStarted(_) => None,
    }
}

fn of_tenant<'a>(event: &'a TenantEvent, actor: Option<&'a PrincipalId>) -> Option<Draft<'a>> {
    let entry = |kind, principal, details| {
        Some(Draft {
            kind,
            principal,
            export: None,
            code: None,
            details,
        })
    };
    match event {
        // An admission is not among these: it is an event of its own here.
        TenantEvent::ExportAdmitted(_) | TenantEvent::ExportReleased(_) => None,
        TenantEvent::ExemptionGranted(granted) => {
            let by = Some(&granted.principal);
            entry("exemption_granted", by, Details::Exemption(granted))
        }
        TenantEvent::Closed(by) => entry("tenant_closed", Some(&by.principal), Details::None),
        TenantEvent::Reopened(by) => entry("tenant_reopened", Some(&by.principal), Details::None),
        TenantEvent::Cancelled(cancelled) => {
            let by = Some(&cancelled.principal);
            entry("tenant_cancelled", by, Details::TenantCancelled(cancelled))
        }
        TenantEvent::Reactivated(by) => {
            entry("tenant_reactivated", Some(&by.principal), Details::None)
        }
        TenantEvent::PurgeStarted(_) => entry("tenant_purge_started", actor, Details::None),
        TenantEvent::Purged(_) => entry("tenant_purged", actor, Details::None),
        TenantEvent::ModuleSwitched(switched) => {
            let by = Some(&switched.principal);
            entry("module_switched", by, Details::Module(switched))
        }
        TenantEvent::ScheduleSet(set) => {
            entry("schedule_set", Some(&set.principal), Details::Schedule(set))
        }
        TenantEvent::ScheduleSkipped(skipped) => Some(Draft {
            kind: "schedule_skipped",
            principal: actor,
            export: None,
            code: Some(&skipped.code),
            details: Details::Skipped(skipped),
        }),
    }
}

fn of_session<'a>(event: &'a SessionEvent, actor: Option<&'a PrincipalId>) -> Draft<'a> {
    let (kind, code) = match event {
        SessionEvent::Started(started) => ("session_started", started.by.code()),
        SessionEvent::Ended(ended) => ("session_ended", ended.cause.code()),
    };
    Draft {
        kind,
        principal: actor,
        export: None,
        code: Some(code),
        details: Details::None,
    }
}

fn access_kind(event: &AccessEvent) -> &'static str {
    match event {
        AccessEvent::ExportRefused(_) => "export_refused",
        AccessEvent::AccessDenied(_) => "access_denied",
        AccessEvent::LinkIssued(_) => "link_issued",
        AccessEvent::LinkRevoked(_) => "link_revoked",
        AccessEvent::Downloaded(_) => "downloaded",
        AccessEvent::DownloadEnded(_) => "download_ended",
        AccessEvent::DownloadBlocked(_) => "download_blocked",
        AccessEvent::AuditRead(_) => "audit_read",
        AccessEvent::Repeated(_) => "repeated",
    }
}
