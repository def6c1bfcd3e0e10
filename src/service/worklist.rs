//! The actors' worklist, answered by the worklist projection.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carnet_actors::ports::{
    Clock, Due, DueAction, Mark, OpenAdmission, Page, Queued, Running, Unreleased, Worklist,
    WorklistError,
};
use carnet_events::ids::{TenantId, Timestamp};
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
    async fn open_admissions(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<OpenAdmission>, WorklistError> {
        let (now, after, limit) = (self.clock.now(), mark(after), count(limit));
        let found = self.worklist.open_admissions(now, after, limit).await;
        page(found, limit, |item| {
            let open = OpenAdmission {
                tenant: item.tenant,
                export: item.mark.export,
            };
            (item.mark, open)
        })
    }

    async fn queued(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Queued>, WorklistError> {
        let (now, after, limit) = (self.clock.now(), mark(after), count(limit));
        page(
            self.worklist.queued(now, after, limit).await,
            limit,
            |item| {
                let queued = Queued {
                    tenant: item.tenant,
                    export: item.mark.export,
                    not_before: item.not_before,
                };
                (item.mark, queued)
            },
        )
    }

    async fn running(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Running>, WorklistError> {
        let (after, limit) = (mark(after), count(limit));
        page(self.worklist.running(after, limit).await, limit, |item| {
            let running = Running {
                tenant: item.tenant,
                export: item.mark.export,
                attempt: item.attempt,
                node: item.node,
                incarnation: item.incarnation,
                lease: Duration::from_millis(item.lease_ms),
            };
            (item.mark, running)
        })
    }

    async fn due(
        &self,
        action: DueAction,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Due>, WorklistError> {
        let (after, limit) = (mark(after), count(limit));
        let found = match action {
            DueAction::Expire => self.worklist.due_expiry(ended_by, after, limit).await,
            DueAction::Delete => self.worklist.due_deletion(ended_by, after, limit).await,
            DueAction::FinishDeleting => self.worklist.deleting(after, limit).await,
        };
        page(found, limit, |item| {
            let due = Due {
                tenant: item.tenant,
                export: item.mark.export,
            };
            (item.mark, due)
        })
    }

    async fn unreleased(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Unreleased>, WorklistError> {
        let (after, limit) = (mark(after), count(limit));
        page(
            self.worklist.unreleased(after, limit).await,
            limit,
            |item| {
                let unreleased = Unreleased {
                    tenant: item.tenant,
                    export: item.mark.export,
                };
                (item.mark, unreleased)
            },
        )
    }

    async fn ending(
        &self,
        ended_by: Timestamp,
        after: Option<TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, WorklistError> {
        let found = self.worklist.ending(ended_by, after, count(limit)).await;
        found.map_err(unreadable)
    }
}

/// What was found, in the actors' words; a full page has one after it.
fn page<A, B>(
    found: Result<Vec<A>, carnet_projections::Error>,
    limit: u32,
    translate: impl Fn(A) -> (worklist::Mark, B),
) -> Result<Page<B>, WorklistError> {
    let found = found.map_err(unreadable)?;
    let is_full = found.len() >= limit as usize;
    let mut last = None;
    let entries = found
        .into_iter()
        .map(|item| {
            let (mark, entry) = translate(item);
            last = Some(Mark {
                at: mark.at,
                export: mark.export,
            });
            entry
        })
        .collect();
    Ok(Page {
        entries,
        next: last.filter(|_| is_full),
    })
}

fn mark(mark: Option<Mark>) -> Option<worklist::Mark> {
    mark.map(|Mark { at, export }| worklist::Mark { at, export })
}

fn count(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

fn unreadable(error: carnet_projections::Error) -> WorklistError {
    WorklistError {
        reason: error.to_string(),
    }
}
