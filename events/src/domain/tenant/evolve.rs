//! How each event changes what is known.

use super::event::{ExemptionGranted, ExportAdmitted, TenantEvent};
use super::state::{
    Accepted, Active, Exemption, KEY_MEMORY, LONGEST_WINDOW, Lifecycle, Remembered, Tenant,
};
use crate::domain::Timed;
use crate::domain::request::Origin;
use crate::ids::Timestamp;

/// The state after `event`.
pub(super) fn evolve(mut tenant: Tenant, event: &Timed<TenantEvent>) -> Tenant {
    let at = event.at;
    tenant.updated_at = tenant.updated_at.max(Some(at));
    match &event.what {
        TenantEvent::ExportAdmitted(admitted) => admit(&mut tenant, at, admitted),
        TenantEvent::ExportReleased(released) => {
            tenant.active.remove(&released.export);
        }
        TenantEvent::ExemptionGranted(granted) => grant(&mut tenant, granted),
        TenantEvent::Closed(_) => tenant.closed = true,
        TenantEvent::Reopened(_) => tenant.closed = false,
        TenantEvent::Cancelled(cancelled) => {
            tenant.lifecycle = Lifecycle::Cancelled {
                grace_until: cancelled.grace_until,
            };
        }
        TenantEvent::Reactivated(_) => tenant.lifecycle = Lifecycle::Active,
        TenantEvent::PurgeStarted(_) => tenant.lifecycle = Lifecycle::Purging,
        TenantEvent::Purged(_) => tenant.lifecycle = Lifecycle::Purged,
        TenantEvent::ModuleSwitched(switched) => {
            tenant.modules.insert(switched.module.clone(), switched.on);
        }
        TenantEvent::ScheduleSet(set) => tenant.schedule = Some(set.preset.clone()),
        TenantEvent::ScheduleSkipped(_) => {}
    }
    forget(&mut tenant, at);
    tenant
}

fn admit(tenant: &mut Tenant, at: Timestamp, admitted: &ExportAdmitted) {
    let principal = admitted.request.principal.clone();
    let accepted = Accepted {
        at,
        principal: principal.clone(),
        export: admitted.export,
    };
    match admitted.request.origin {
        Origin::User => tenant.accepted.push_back(accepted.clone()),
        Origin::Schedule | Origin::Operator => {}
    }
    tenant.last_admitted = Some(accepted);
    tenant.active.insert(
        admitted.export,
        Active {
            principal,
            since: at,
        },
    );
    if let Some(key) = &admitted.idempotency_key {
        tenant.keys.push_back(Remembered {
            key: *key,
            fingerprint: admitted.fingerprint,
            format: admitted.request.format,
            layers: admitted.request.layers.clone(),
            export: admitted.export,
            at,
        });
    }
    for used in &admitted.exemptions {
        if let Some(exemption) = tenant.exemptions.iter_mut().find(|known| known.id == *used) {
            exemption.left = exemption.left.saturating_sub(1);
        }
    }
}

fn grant(tenant: &mut Tenant, granted: &ExemptionGranted) {
    tenant.exemption_ids.insert(granted.id.clone());
    tenant.exemptions.push(Exemption {
        id: granted.id.clone(),
        limit: granted.limit,
        left: granted.count,
        until: granted.until,
        person: granted.person.clone(),
    });
}

/// Drops what can no longer matter at `now`, so that the state of a busy tenant stays small for ever.
fn forget(tenant: &mut Tenant, now: Timestamp) {
    while tenant
        .accepted
        .front()
        .is_some_and(|oldest| oldest.at.plus(LONGEST_WINDOW) <= now)
    {
        tenant.accepted.pop_front();
    }
    while tenant
        .keys
        .front()
        .is_some_and(|oldest| oldest.at.plus(KEY_MEMORY) <= now)
    {
        tenant.keys.pop_front();
    }
    tenant
        .exemptions
        .retain(|exemption| exemption.left > 0 && now < exemption.until);
}
