//! A worklist that answers from a fold of the log, whichever way it comes by one. The simulation uses it, too.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carnet_actors::ports::{
    Due, DueAction, Mark, OpenAdmission, Page, Queued, Running, Unreleased, Worklist, WorklistError,
};
use carnet_events::ids::{TenantId, Timestamp};

use crate::known::Known;

/// Where a fold comes from.
#[async_trait]
pub trait Fold: Send + Sync {
    /// The fold to answer from.
    async fn known(&self) -> Arc<Mutex<Known>>;
}

/// The worklist over it.
pub struct Folded<F>(pub F);

impl<F: Fold> Folded<F> {
    async fn ask<T>(&self, question: impl FnOnce(&Known) -> T) -> Result<T, WorklistError> {
        let known = self.0.known().await;
        let known = known.lock().unwrap();
        Ok(question(&known))
    }
}

#[async_trait]
impl<F: Fold> Worklist for Folded<F> {
    async fn open_admissions(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<OpenAdmission>, WorklistError> {
        self.ask(|known| known.open_admissions(after, limit)).await
    }

    async fn queued(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Queued>, WorklistError> {
        self.ask(|known| known.queued(after, limit)).await
    }

    async fn running(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Running>, WorklistError> {
        self.ask(|known| known.running(after, limit)).await
    }

    async fn due(
        &self,
        action: DueAction,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Due>, WorklistError> {
        self.ask(|known| known.due(action, ended_by, after, limit))
            .await
    }

    async fn unreleased(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Unreleased>, WorklistError> {
        self.ask(|known| known.unreleased(after, limit)).await
    }

    async fn ending(
        &self,
        ended_by: Timestamp,
        after: Option<TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, WorklistError> {
        self.ask(|known| known.ending(ended_by, after, limit)).await
    }
}
