//! Admission: the tenant's yes or no to a request.
//!
//! Order of the checks: idempotency key; life cycle; intake; modules; storage; categories and their scope; one active
//! export; the person's window; the tenant's window. A refusal writes nothing to this stream: it is
//! recorded among the access records, where a flood of them slows no decision.

use std::collections::BTreeMap;

use super::command::{Admit, CategoryCheck, IdempotencyKey, IllegalCommand, Refusal, Reply};
use super::decide::Answer;
use super::event::{ExportAdmitted, ExportReleased, LimitKind, Limits, Standing, TenantEvent};
use super::state::{Exemption, KEY_MEMORY, Remembered, Tenant};
use super::window::{Window, Windows, windows};
use crate::domain::export::Outcome;
use crate::domain::request::{Origin, Request};
use crate::ids::{ExportId, PrincipalId, Timestamp};

/// Lets the request in, or says why not.
pub(super) fn admit(tenant: &Tenant, admit: &Admit, at: Timestamp) -> Answer {
    if let Some(active) = tenant.active.get(&admit.export) {
        // The same command again, after a crash or a lost acknowledgement.
        return if active.principal == admit.request.principal {
            Ok((
                Vec::new(),
                Reply::Admitted {
                    export: admit.export,
                    repeated: true,
                },
            ))
        } else {
            Err(IllegalCommand::AlreadyAdmitted)
        };
    }
    match check(tenant, admit, at) {
        Err(Verdict::Repeated(export)) => Ok((
            Vec::new(),
            Reply::Admitted {
                export,
                repeated: true,
            },
        )),
        Err(Verdict::Refused(refusal)) => Ok((Vec::new(), Reply::Refused(refusal))),
        Ok((standing, exemptions)) => {
            let mut events: Vec<TenantEvent> = released(tenant, admit);
            events.push(TenantEvent::ExportAdmitted(ExportAdmitted {
                export: admit.export,
                request: admit.request.clone(),
                limits: admit.limits,
                standing,
                exemptions,
                idempotency_key: admit.key.as_ref().map(|key| key.key),
                fingerprint: admit.key.as_ref().map(|key| key.fingerprint),
            }));
            Ok((
                events,
                Reply::Admitted {
                    export: admit.export,
                    repeated: false,
                },
            ))
        }
    }
}

enum Verdict {
    Repeated(ExportId),
    Refused(Refusal),
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn check(
    tenant: &Tenant,
    admit: &Admit,
    at: Timestamp,
) -> Result<(Standing, Vec<String>), Verdict> {
    check_key(tenant, admit, at)?;
    if !tenant.admits_at(at) {
        return Err(Refusal::TenantClosed.into());
    }
    if admit.intake_paused {
        return Err(Refusal::IntakePaused.into());
    }
    check_modules(tenant, &admit.categories)?;
    if !admit.storage_verified {
        return Err(Refusal::StorageUnverified.into());
    }
    check_categories(&admit.categories)?;
    check_active(
        tenant,
        &admit.limits,
        &admit.request.principal,
        &admit.settled,
    )?;
    Ok(check_windows(tenant, admit, at)?)
}

fn check_key(tenant: &Tenant, admit: &Admit, at: Timestamp) -> Result<(), Verdict> {
    let Some(sent) = &admit.key else {
        return Ok(());
    };
    let known = tenant
        .keys
        .iter()
        .rev()
        .find(|known| known.key == sent.key && known.at.plus(KEY_MEMORY) > at);
    match known {
        None => Ok(()),
        Some(known) if is_repeated(known, sent, &admit.request) => {
            Err(Verdict::Repeated(known.export))
        }
        Some(_) => Err(Refusal::IdempotencyMismatch.into()),
    }
}

/// As it was sent, a request is the same whatever the defaults are by now. Spelt otherwise it is, as long as it asks for what was made of the first.
fn is_repeated(known: &Remembered, sent: &IdempotencyKey, request: &Request) -> bool {
    let Some(remembered) = &known.fingerprint else {
        return false;
    };
    let is_alike = sent.alike.contains(remembered)
        && (known.format, &known.layers) == (request.format, &request.layers);
    sent.fingerprint == *remembered || is_alike
}

fn check_modules(tenant: &Tenant, check: &CategoryCheck) -> Result<(), Refusal> {
    let off: Vec<&String> = check
        .modules
        .iter()
        .filter(|(_, (module, configured))| !tenant.module_is_on(module, *configured))
        .map(|(category, _)| category)
        .collect();
    if off.is_empty() {
        return Ok(());
    }
    Err(not_there(check, off))
}

fn check_categories(check: &CategoryCheck) -> Result<(), Refusal> {
    if !check.unknown.is_empty() || !check.forbidden.is_empty() {
        return Err(not_there(check, Vec::new()));
    }
    // Only now: a category that isn't there for the caller must not be told apart by its scope.
    match check.unscoped.is_empty() {
        true => Ok(()),
        false => Err(Refusal::ScopeUnsupported),
    }
}

/// Names everything that isn't there for the caller, whatever the reason.
fn not_there(check: &CategoryCheck, off: Vec<&String>) -> Refusal {
    let mut ids: Vec<String> = check
        .unknown
        .iter()
        .chain(&check.forbidden)
        .chain(off)
        .cloned()
        .collect();
    ids.sort();
    ids.dedup();
    Refusal::UnknownCategories {
        ids,
        forbidden: !check.forbidden.is_empty(),
    }
}

/// The export that stands in the way of another one of `principal`, if any. `settled` ones don't.
fn check_active(
    tenant: &Tenant,
    limits: &Limits,
    principal: &PrincipalId,
    settled: &BTreeMap<ExportId, Outcome>,
) -> Result<(), Refusal> {
    let all: Vec<_> = tenant
        .active
        .iter()
        .filter(|(export, _)| !settled.contains_key(export))
        .collect();
    let own: Vec<_> = all
        .iter()
        .filter(|(_, active)| active.principal == *principal)
        .copied()
        .collect();
    let blocking = if own.len() >= limits.active_per_user as usize {
        own.first()
    } else if all.len() >= limits.active_per_tenant as usize {
        all.first()
    } else {
        None
    };
    blocking.map_or(Ok(()), |(export, active)| {
        Err(Refusal::InProgress {
            active: **export,
            principal: active.principal.clone(),
        })
    })
}

/// The slots that turn out to be free, released in the batch that takes one.
fn released(tenant: &Tenant, admit: &Admit) -> Vec<TenantEvent> {
    admit
        .settled
        .iter()
        .filter(|(export, _)| tenant.active.contains_key(export))
        .map(|(export, outcome)| {
            TenantEvent::ExportReleased(ExportReleased {
                export: *export,
                outcome: *outcome,
            })
        })
        .collect()
}

fn check_windows(
    tenant: &Tenant,
    admit: &Admit,
    at: Timestamp,
) -> Result<(Standing, Vec<String>), Refusal> {
    let Windows {
        user,
        tenant: whole,
    } = windows(tenant, &admit.limits, &admit.request.principal, at);
    let standing = Standing {
        user: user.accepted,
        tenant: whole.accepted,
    };
    match admit.request.origin {
        Origin::Schedule | Origin::Operator => Ok((standing, Vec::new())),
        Origin::User => {
            let used = fit_both(tenant, &admit.request.principal, (user, whole), at)?;
            let used = used.into_iter().map(|exemption| exemption.id.clone());
            Ok((standing, used.collect()))
        }
    }
}

/// Whether a request fits into both windows, and the exemptions it takes for that. Where it fits into neither it is told when
/// the later one opens: at the earlier time it would be refused again.
fn fit_both<'a>(
    tenant: &'a Tenant,
    principal: &PrincipalId,
    (user, whole): (Window, Window),
    at: Timestamp,
) -> Result<Vec<&'a Exemption>, Refusal> {
    let user = fit(tenant, principal, LimitKind::User, user, at);
    let whole = fit(tenant, principal, LimitKind::Tenant, whole, at);
    match (user, whole) {
        (Ok(user), Ok(whole)) => Ok(user.into_iter().chain(whole).collect()),
        (
            Err(Refusal::LimitReached {
                limit,
                next_allowed_at: one,
            }),
            Err(Refusal::LimitReached {
                next_allowed_at: other,
                ..
            }),
        ) => Err(Refusal::LimitReached {
            limit,
            next_allowed_at: one.zip(other).map(|(one, other)| one.max(other)),
        }),
        (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
    }
}

/// Whether a request fits into `window`, and the exemption it takes for that: one of the person's own before one that
/// others could use as well.
fn fit<'a>(
    tenant: &'a Tenant,
    principal: &PrincipalId,
    limit: LimitKind,
    window: Window,
    at: Timestamp,
) -> Result<Option<&'a Exemption>, Refusal> {
    if window.fits() {
        return Ok(None);
    }
    tenant
        .exemptions
        .iter()
        .filter(|exemption| exemption.is_for(limit, principal, at))
        .min_by_key(|exemption| exemption.person.is_none())
        .map(Some)
        .ok_or(Refusal::LimitReached {
            limit,
            next_allowed_at: window.next_allowed_at,
        })
}

/// What the service itself may have against a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Whether operators have paused the intake of requests.
    pub intake_paused: bool,
    /// Whether the tenant's storage is configured and verified.
    pub storage_verified: bool,
}

/// What a request of this person would be refused for now, categories and idempotency aside; for showing it
/// before it is asked.
pub fn blocked_by(
    tenant: &Tenant,
    limits: &Limits,
    principal: &PrincipalId,
    service: Service,
    settled: &BTreeMap<ExportId, Outcome>,
    at: Timestamp,
) -> Option<Refusal> {
    if !tenant.admits_at(at) {
        return Some(Refusal::TenantClosed);
    }
    if service.intake_paused {
        return Some(Refusal::IntakePaused);
    }
    if !service.storage_verified {
        return Some(Refusal::StorageUnverified);
    }
    let Windows {
        user,
        tenant: whole,
    } = windows(tenant, limits, principal, at);
    check_active(tenant, limits, principal, settled)
        .and_then(|()| fit_both(tenant, principal, (user, whole), at).map(drop))
        .err()
}
