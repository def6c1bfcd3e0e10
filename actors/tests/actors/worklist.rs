//! A stand-in for the worklist projection: it folds the whole log at every question.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carnet_actors::ports::{
    Due, DueAction, OpenAdmission, Queued, Running, Unreleased, Worklist, WorklistError,
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

#[async_trait]
impl Worklist for ScanningWorklist {
    async fn open_admissions(&self, limit: usize) -> Result<Vec<OpenAdmission>, WorklistError> {
        let (exports, tenants) = self.fold().await;
        let mut open = Vec::new();
        for (tenant, state) in tenants {
            for export in state.active.keys() {
                if !exports.iter().any(|(id, _)| id == export) {
                    open.push(OpenAdmission {
                        tenant: tenant.clone(),
                        export: *export,
                    });
                }
            }
        }
        open.truncate(limit);
        Ok(open)
    }

    async fn queued(&self, limit: usize) -> Result<Vec<Queued>, WorklistError> {
        let (exports, _) = self.fold().await;
        let queued = exports
            .into_iter()
            .filter_map(|(export, state)| match state.stage {
                Stage::Queued { not_before, .. } => Some(Queued {
                    tenant: state.request.tenant,
                    export,
                    not_before,
                }),
                _ => None,
            });
        Ok(queued.take(limit).collect())
    }

    async fn running(&self, limit: usize) -> Result<Vec<Running>, WorklistError> {
        let (exports, _) = self.fold().await;
        let running = exports.into_iter().filter_map(|(export, state)| {
            let attempt = state.running()?.claim.clone();
            Some(Running {
                tenant: state.request.tenant,
                export,
                attempt: attempt.attempt,
                node: attempt.node,
                incarnation: attempt.incarnation,
                lease: Duration::from_millis(attempt.lease_ms),
            })
        });
        Ok(running.take(limit).collect())
    }

    async fn due(
        &self,
        now: Timestamp,
        deletion_delay: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, WorklistError> {
        let (exports, _) = self.fold().await;
        let due = exports.into_iter().filter_map(|(export, state)| {
            let published = state.published()?;
            let over = |delay| {
                published
                    .expires_at
                    .is_some_and(|end| now >= end.plus(delay))
            };
            let action = if matches!(state.stage, Stage::Completed(_)) && over(Duration::ZERO) {
                DueAction::Expire
            } else {
                match state.deletion {
                    Deletion::Kept if over(deletion_delay) && !state.held => DueAction::Delete,
                    Deletion::Started { .. } => DueAction::Delete,
                    Deletion::Kept | Deletion::Done { .. } => return None,
                }
            };
            Some(Due {
                tenant: state.request.tenant,
                export,
                action,
            })
        });
        Ok(due.take(limit).collect())
    }

    async fn unreleased(&self, limit: usize) -> Result<Vec<Unreleased>, WorklistError> {
        let (exports, tenants) = self.fold().await;
        let settled = exports
            .into_iter()
            .filter(|(_, state)| state.outcome().is_some());
        let held = settled.filter(|(id, state)| {
            tenants
                .get(&state.request.tenant)
                .is_some_and(|tenant| tenant.active.contains_key(id))
        });
        let unreleased = held.map(|(export, state)| Unreleased {
            tenant: state.request.tenant,
            export,
        });
        Ok(unreleased.take(limit).collect())
    }
}
