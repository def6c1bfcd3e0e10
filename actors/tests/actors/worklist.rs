//! A stand-in for the worklist projection: it folds the whole log at every question.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carnet_actors::ports::{
    Due, DueAction, Mark, OpenAdmission, Page, Queued, Running, Unreleased, Worklist, WorklistError,
};
use carnet_events::codec::decode;
use carnet_events::domain::Decider;
use carnet_events::domain::export::{Deletion, Export, ExportDecider, ExportState, Stage};
use carnet_events::domain::tenant::{TenantDecider, TenantEvent};
use carnet_events::ids::{ExportId, TenantId, Timestamp};
use carnet_events::store::{EventStore, Filter};
use carnet_events::stream::StreamKind;
use futures::TryStreamExt;

pub struct ScanningWorklist(pub Arc<dyn EventStore>);

type Tenants = BTreeMap<TenantId, carnet_events::domain::tenant::Tenant>;

impl ScanningWorklist {
    async fn fold(&self) -> (Vec<(ExportId, Export)>, Tenants) {
        let recorded: Vec<_> = self
            .0
            .read_all(None, Filter::all(), usize::MAX)
            .try_collect()
            .await
            .unwrap();
        let mut exports: BTreeMap<ExportId, ExportState> = BTreeMap::new();
        let mut tenants = Tenants::new();
        for event in recorded {
            match event.stream.kind() {
                StreamKind::Export => {
                    let state = exports.entry(event.stream.export_id().unwrap());
                    let state = state.or_insert_with(ExportDecider::initial);
                    *state = ExportDecider::evolve(state.clone(), &decode(&event).unwrap().1);
                }
                StreamKind::Tenant => {
                    let tenant = tenants
                        .entry(event.stream.tenant_id().unwrap())
                        .or_default();
                    let (_, event) = decode::<TenantEvent>(&event).unwrap();
                    *tenant = TenantDecider::evolve(tenant.clone(), &event);
                }
                _ => {}
            }
        }
        let present = |(id, state): (ExportId, ExportState)| Some((id, state.export()?.clone()));
        (exports.into_iter().filter_map(present).collect(), tenants)
    }
}

/// A page of `all`, in the order of their ids, which is that of their times.
fn page<T>(
    all: impl Iterator<Item = (ExportId, T)>,
    after: Option<Mark>,
    limit: usize,
) -> Result<Page<T>, WorklistError> {
    let mut all: Vec<_> = all
        .filter(|(export, _)| after.is_none_or(|mark| *export > mark.export))
        .collect();
    all.sort_by_key(|(export, _)| *export);
    let next = (all.len() > limit).then(|| Mark {
        at: Timestamp::EPOCH,
        export: all[limit - 1].0,
    });
    let entries = all.into_iter().take(limit).map(|(_, entry)| entry);
    Ok(Page {
        entries: entries.collect(),
        next,
    })
}

#[async_trait]
impl Worklist for ScanningWorklist {
    async fn open_admissions(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<OpenAdmission>, WorklistError> {
        let (exports, tenants) = self.fold().await;
        let mut open = Vec::new();
        for (tenant, state) in tenants {
            for export in state.active.keys() {
                if !exports.iter().any(|(id, _)| id == export) {
                    let admission = OpenAdmission {
                        tenant: tenant.clone(),
                        export: *export,
                    };
                    open.push((*export, admission));
                }
            }
        }
        page(open.into_iter(), after, limit)
    }

    async fn queued(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Queued>, WorklistError> {
        let (exports, _) = self.fold().await;
        let queued = exports
            .into_iter()
            .filter_map(|(export, state)| match state.stage {
                Stage::Queued { not_before, .. } => {
                    let queued = Queued {
                        tenant: state.request.tenant,
                        export,
                        not_before,
                    };
                    Some((export, queued))
                }
                _ => None,
            });
        page(queued, after, limit)
    }

    async fn running(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Running>, WorklistError> {
        let (exports, _) = self.fold().await;
        let running = exports.into_iter().filter_map(|(export, state)| {
            let attempt = state.running()?.claim.clone();
            let running = Running {
                tenant: state.request.tenant,
                export,
                attempt: attempt.attempt,
                node: attempt.node,
                incarnation: attempt.incarnation,
                lease: Duration::from_millis(attempt.lease_ms),
            };
            Some((export, running))
        });
        page(running, after, limit)
    }

    async fn due(
        &self,
        action: DueAction,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Due>, WorklistError> {
        let (exports, _) = self.fold().await;
        let due = exports.into_iter().filter_map(|(export, state)| {
            let published = state.published()?;
            let over = published.expires_at.is_some_and(|end| ended_by >= end);
            let is_due = match action {
                DueAction::Expire => over && matches!(state.stage, Stage::Completed(_)),
                DueAction::Delete => over && state.deletion == Deletion::Kept && !state.held,
                DueAction::FinishDeleting => matches!(state.deletion, Deletion::Started { .. }),
            };
            let due = Due {
                tenant: state.request.tenant,
                export,
            };
            is_due.then_some((export, due))
        });
        page(due, after, limit)
    }

    async fn unreleased(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Unreleased>, WorklistError> {
        let (exports, tenants) = self.fold().await;
        let settled = exports
            .into_iter()
            .filter(|(_, state)| state.outcome().is_some());
        let held = settled.filter(|(id, state)| {
            tenants
                .get(&state.request.tenant)
                .is_some_and(|tenant| tenant.active.contains_key(id))
        });
        let unreleased = held.map(|(export, state)| {
            let tenant = state.request.tenant;
            (export, Unreleased { tenant, export })
        });
        page(unreleased, after, limit)
    }
}
