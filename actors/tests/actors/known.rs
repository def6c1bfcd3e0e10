//! What the worklist projection would say, folded with the domain's own `evolve`. The simulation uses it, too.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use carnet_actors::ports::{
    Due, DueAction, Mark, OpenAdmission, Page, Queued, Running, Unreleased,
};
use carnet_events::codec::decode;
use carnet_events::domain::Decider;
use carnet_events::domain::export::{Deletion, Export, ExportDecider, ExportState, Stage};
use carnet_events::domain::tenant::{Lifecycle, Tenant, TenantDecider, TenantEvent};
use carnet_events::envelope::{Position, Recorded};
use carnet_events::ids::{ExportId, TenantId, Timestamp};
use carnet_events::stream::StreamKind;

/// Exports and tenants as the log says up to a position.
#[derive(Default)]
pub struct Known {
    pub after: Option<Position>,
    exports: BTreeMap<ExportId, ExportState>,
    tenants: BTreeMap<TenantId, Tenant>,
}

impl Known {
    pub fn apply(&mut self, event: &Recorded) {
        self.after = Some(event.position);
        match event.stream.kind() {
            StreamKind::Export => {
                let state = self.exports.entry(event.stream.export_id().unwrap());
                let state = state.or_insert_with(ExportDecider::initial);
                let before = mem::replace(state, ExportDecider::initial());
                *state = ExportDecider::evolve(before, &decode(event).unwrap().1);
            }
            StreamKind::Tenant => {
                let tenant = self.tenants.entry(event.stream.tenant_id().unwrap());
                let tenant = tenant.or_default();
                let (_, event) = decode::<TenantEvent>(event).unwrap();
                *tenant = TenantDecider::evolve(mem::take(tenant), &event);
            }
            _ => {}
        }
    }

    fn exports(&self) -> impl Iterator<Item = (ExportId, &Export)> {
        let exports = self.exports.iter();
        exports.filter_map(|(id, state)| Some((*id, state.export()?)))
    }

    pub fn open_admissions(&self, after: Option<Mark>, limit: usize) -> Page<OpenAdmission> {
        let open = self.tenants.iter().flat_map(|(tenant, state)| {
            let missing = |export: &&ExportId| !self.exports.contains_key(export);
            state.active.keys().filter(missing).map(|export| {
                let tenant = tenant.clone();
                let export = *export;
                (export, OpenAdmission { tenant, export })
            })
        });
        page(open, after, limit)
    }

    pub fn queued(&self, after: Option<Mark>, limit: usize) -> Page<Queued> {
        let queued = self.exports().filter_map(|(export, state)| {
            let Stage::Queued { not_before, .. } = state.stage else {
                return None;
            };
            let queued = Queued {
                tenant: state.request.tenant.clone(),
                export,
                not_before,
            };
            Some((export, queued))
        });
        page(queued, after, limit)
    }

    pub fn running(&self, after: Option<Mark>, limit: usize) -> Page<Running> {
        let running = self.exports().filter_map(|(export, state)| {
            let claim = &state.running()?.claim;
            let running = Running {
                tenant: state.request.tenant.clone(),
                export,
                attempt: claim.attempt,
                node: claim.node,
                incarnation: claim.incarnation,
                lease: Duration::from_millis(claim.lease_ms),
            };
            Some((export, running))
        });
        page(running, after, limit)
    }

    pub fn due(
        &self,
        action: DueAction,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: usize,
    ) -> Page<Due> {
        let due = self.exports().filter_map(|(export, state)| {
            let published = state.published()?;
            let over = published.expires_at.is_some_and(|end| ended_by >= end);
            let is_due = match action {
                DueAction::Expire => over && matches!(state.stage, Stage::Completed(_)),
                DueAction::Delete => over && state.deletion == Deletion::Kept && !state.held,
                DueAction::FinishDeleting => matches!(state.deletion, Deletion::Started { .. }),
            };
            let tenant = state.request.tenant.clone();
            is_due.then_some((export, Due { tenant, export }))
        });
        page(due, after, limit)
    }

    pub fn unreleased(&self, after: Option<Mark>, limit: usize) -> Page<Unreleased> {
        let unreleased = self.tenants.iter().flat_map(|(tenant, state)| {
            let settled = |export: &&ExportId| {
                let state = self.exports.get(export).and_then(ExportState::export);
                state.is_some_and(|state| state.outcome().is_some())
            };
            state.active.keys().filter(settled).map(|export| {
                let tenant = tenant.clone();
                let export = *export;
                (export, Unreleased { tenant, export })
            })
        });
        page(unreleased, after, limit)
    }
}

impl Known {
    pub fn ending(
        &self,
        ended_by: Timestamp,
        after: Option<TenantId>,
        limit: usize,
    ) -> Vec<TenantId> {
        let ending = self
            .tenants
            .iter()
            .filter(|(_, state)| match state.lifecycle {
                Lifecycle::Cancelled { grace_until } => grace_until <= ended_by,
                Lifecycle::Purging => true,
                Lifecycle::Active | Lifecycle::Purged => false,
            });
        let ids = ending.map(|(id, _)| id.clone());
        ids.filter(|id| after.as_ref() < Some(id))
            .take(limit)
            .collect()
    }
}

/// A page of `all`, in the order of their ids, which is that of their times.
fn page<T>(all: impl Iterator<Item = (ExportId, T)>, after: Option<Mark>, limit: usize) -> Page<T> {
    let mut all: Vec<_> = all
        .filter(|(export, _)| after.is_none_or(|mark| *export > mark.export))
        .collect();
    all.sort_by_key(|(export, _)| *export);
    let next = (all.len() > limit).then(|| Mark {
        at: Timestamp::EPOCH,
        export: all[limit - 1].0,
    });
    let entries = all.into_iter().take(limit).map(|(_, entry)| entry);
    Page {
        entries: entries.collect(),
        next,
    }
}
