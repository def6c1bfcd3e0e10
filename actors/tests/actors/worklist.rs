//! A stand-in for the worklist projection: it folds the whole log at every question.

use std::sync::Arc;

use async_trait::async_trait;
use carnet_actors::ports::{
    Due, DueAction, Mark, OpenAdmission, Page, Queued, Running, Unreleased, Worklist, WorklistError,
};
use carnet_events::ids::{TenantId, Timestamp};
use carnet_events::store::{EventStore, Filter};
use futures::TryStreamExt;

use crate::known::Known;

pub struct ScanningWorklist(pub Arc<dyn EventStore>);

impl ScanningWorklist {
    async fn known(&self) -> Known {
        let all = self.0.read_all(None, Filter::all(), usize::MAX);
        let mut known = Known::default();
        let recorded: Vec<_> = all.try_collect().await.unwrap();
        recorded.iter().for_each(|event| known.apply(event));
        known
    }
}

#[async_trait]
impl Worklist for ScanningWorklist {
    async fn open_admissions(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<OpenAdmission>, WorklistError> {
        Ok(self.known().await.open_admissions(after, limit))
    }

    async fn queued(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Queued>, WorklistError> {
        Ok(self.known().await.queued(after, limit))
    }

    async fn running(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Running>, WorklistError> {
        Ok(self.known().await.running(after, limit))
    }

    async fn due(
        &self,
        action: DueAction,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Due>, WorklistError> {
        Ok(self.known().await.due(action, ended_by, after, limit))
    }

    async fn unreleased(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Unreleased>, WorklistError> {
        Ok(self.known().await.unreleased(after, limit))
    }

    async fn ending(
        &self,
        ended_by: Timestamp,
        after: Option<TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, WorklistError> {
        Ok(self.known().await.ending(ended_by, after, limit))
    }
}
