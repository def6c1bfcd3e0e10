//! What is held against every request for an export, whoever makes it, and what a refusal is to them.

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::domain::tenant::{CategoryCheck, LimitKind, Refusal};
use carnet_events::ids::{Digest, PrincipalId, TenantId, Timestamp};

use super::codes::Code;
use super::problem::Problem;
use super::state::AppState;
use crate::export::catalog::Category;

/// Storage that isn't verified is tried again by the service about this often.
const RETRY_STORAGE: Duration = Duration::from_secs(30);
/// Operators pause the intake for minutes rather than seconds.
const RETRY_INTAKE: Duration = Duration::from_secs(30);

/// Categories that are asked for, limited to a part of the tenant or not, held against the catalog and what the asker may
/// export; the tenant decides what follows from it. With today's policies of those there are.
pub(super) fn check_categories(
    state: &AppState,
    tenant: &TenantId,
    (categories, scoped): (&[String], bool),
    may_export: impl Fn(&Category) -> bool,
) -> (CategoryCheck, BTreeMap<String, Digest>) {
    let (mut check, mut digests) = (CategoryCheck::default(), BTreeMap::new());
    for id in categories {
        let Some(category) = state.catalog.get(id) else {
            check.unknown.push(id.clone());
            continue;
        };
        if !may_export(category) {
            check.forbidden.push(id.clone());
        }
        if let Some(module) = &category.module {
            let on = state.config.module_is_on(tenant, module);
            check.modules.insert(id.clone(), (module.clone(), on));
        }
        // A scoped export must be limited in every part: what doesn't bind the scope would be exported whole.
        if scoped && !category.rules.binds_scope {
            check.unscoped.push(id.clone());
        }
        digests.insert(id.clone(), category.policy.digest());
    }
    (check, digests)
}

/// What a refusal at `now` is to a client; `shows` says of whose active export it may name the id.
pub(super) fn refused(
    now: Timestamp,
    refusal: &Refusal,
    shows: impl FnOnce(&PrincipalId) -> bool,
) -> Problem {
    match refusal {
        Refusal::IdempotencyMismatch => Code::IdempotencyMismatch.into(),
        Refusal::IntakePaused => Problem::from(Code::IntakePaused).retry_after(RETRY_INTAKE),
        Refusal::TenantClosed => Code::TenantClosed.into(),
        Refusal::StorageUnverified => {
            Problem::from(Code::StorageUnverified).retry_after(RETRY_STORAGE)
        }
        Refusal::UnknownCategories { ids, .. } => {
            Problem::from(Code::UnknownCategory).with("categories", ids.clone())
        }
        Refusal::ScopeUnsupported => Problem::new(
            Code::UnsupportedOption,
            "`scope` can't be used with these categories.",
        ),
        Refusal::InProgress { active, principal } => {
            let shown = shows(principal).then(|| active.to_string());
            Problem::from(Code::ExportInProgress).with("active_export_id", shown)
        }
        Refusal::LimitReached {
            limit,
            next_allowed_at,
        } => {
            let code = match limit {
                LimitKind::User => Code::LimitUser,
                LimitKind::Tenant => Code::LimitTenant,
            };
            let problem = Problem::from(code)
                .with("next_allowed_at", next_allowed_at.map(|at| at.to_string()));
            match next_allowed_at {
                Some(at) => problem.retry_after(at.since(now)),
                None => problem,
            }
        }
    }
}
