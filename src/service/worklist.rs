//! The actors' worklist, answered by the worklist projection.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carnet_actors::ports::{
    Clock, Due, DueAction, OpenAdmission, Queued, Running, Unreleased, Worklist, WorklistError,
};
use carnet_events::ids::Timestamp;
use carnet_projections::worklist;

/// The adapter.
pub(super) struct Projected {
    worklist: worklist::Worklist,
    clock: Arc<dyn Clock>,
}

impl Projected {
    pub(super) fn new(worklist: worklist::Worklist, clock: Arc<dyn Clock>) -> Self {
        Self { worklist, clock }
    }
}

#[async_trait]
impl Worklist for Projected {
    async fn open_admissions(&self, limit: usize) -> Result<Vec<OpenAdmission>, WorklistError> {
        let now = self.clock.now();
        let found = self
            .worklist
            .open_admissions(now, None, page(limit))
            .await
            .map_err(failed)?;
        let translate = |item: worklist::OpenAdmission| OpenAdmission {
            tenant: item.tenant,
            export: item.mark.export,
        };
        Ok(found.into_iter().map(translate).collect())
    }

    async fn queued(&self, limit: usize) -> Result<Vec<Queued>, WorklistError> {
        let now = self.clock.now();
        let found = self
            .worklist
            .queued(now, None, page(limit))
            .await
            .map_err(failed)?;
        let translate = |item: worklist::Queued| Queued {
            tenant: item.tenant,
            export: item.mark.export,
            not_before: item.not_before,
        };
        Ok(found.into_iter().map(translate).collect())
    }

    async fn running(&self, limit: usize) -> Result<Vec<Running>, WorklistError> {
        let found = self
            .worklist
            .running(None, page(limit))
            .await
            .map_err(failed)?;
        let translate = |item: worklist::Running| Running {
            tenant: item.tenant,
            export: item.mark.export,
            attempt: item.attempt,
            node: item.node,
            incarnation: item.incarnation,
            lease: Duration::from_millis(item.lease_ms),
        };
        Ok(found.into_iter().map(translate).collect())
    }

    async fn due(
        &self,
        now: Timestamp,
        deletion_delay: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, WorklistError> {
        let limit = page(limit);
        let mut found = Vec::new();
        let over = self
            .worklist
            .due_expiry(now, None, limit)
            .await
            .map_err(failed)?;
        found.extend(over.into_iter().map(|item| due(item, DueAction::Expire)));
        let begun = self.worklist.deleting(None, limit).await.map_err(failed)?;
        found.extend(begun.into_iter().map(|item| due(item, DueAction::Delete)));
        let ended_by = now.minus(deletion_delay);
        let gone = self
            .worklist
            .due_deletion(ended_by, None, limit)
            .await
            .map_err(failed)?;
        found.extend(gone.into_iter().map(|item| due(item, DueAction::Delete)));
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn unreleased(&self, limit: usize) -> Result<Vec<Unreleased>, WorklistError> {
        let found = self
            .worklist
            .unreleased(None, page(limit))
            .await
            .map_err(failed)?;
        let translate = |item: worklist::Unreleased| Unreleased {
            tenant: item.tenant,
            export: item.mark.export,
        };
        Ok(found.into_iter().map(translate).collect())
    }
}

fn due(item: worklist::Due, action: DueAction) -> Due {
    Due {
        tenant: item.tenant,
        export: item.mark.export,
        action,
    }
}

fn page(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

fn failed(error: carnet_projections::Error) -> WorklistError {
    WorklistError {
        reason: error.to_string(),
    }
}
