//! An attempt at an export, from the claim to the report. It runs outside of the actors and speaks to them in commands.

mod claim;
mod report;
mod supervise;

pub(crate) use report::is_void;

use std::sync::Arc;

use carnet_events::domain::export::{Export, Runner, Stage};
use carnet_events::ids::{ExportId, TenantId, Timestamp};
use carnet_events::stream::StreamName;

use crate::ports::RunFailure;
use crate::queue::Waiting;
use crate::shared::Shared;
use claim::Claimed;
use supervise::End;

/// Where an attempt left its export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// In the queue again.
    Queued {
        /// Not to be started before.
        not_before: Option<Timestamp>,
    },
    /// Done with, or somebody else's now.
    Settled,
    /// It can't be told; the worklist will.
    Unclear,
}

/// An attempt that this process has claimed.
struct Attempt<'a> {
    shared: &'a Arc<Shared>,
    tenant: TenantId,
    export: ExportId,
    runner: Runner,
    /// Failed attempts before this one.
    failures: u32,
}

/// Claims the export, runs it and reports what came of it.
pub(crate) async fn work(shared: &Arc<Shared>, waiting: Waiting) -> After {
    let (attempt, job) = match claim::claim(shared, &waiting).await {
        Claimed::Ours(attempt, job) => (attempt, *job),
        Claimed::Not(after) => return after,
    };
    tracing::info!(export = %attempt.export, attempt = attempt.runner.attempt, "export started");
    match attempt.run(job).await {
        End::Finished(Ok(output)) => attempt.publish(*output).await,
        End::Finished(Err(failure)) => attempt.fail(failure).await,
        End::Stalled => attempt.fail(RunFailure::retryable("stalled")).await,
        End::HandBack => attempt.hand_back().await,
        End::Unwanted => attempt.look().await,
    }
}

impl Attempt<'_> {
    /// Where the export stands, by a linearizable read.
    async fn look(&self) -> After {
        let stream = StreamName::export(self.export);
        match self.shared.exports.load(&stream).await {
            Ok(fold) => match fold.state.export() {
                Some(export) => self.after(export).await,
                None => After::Settled,
            },
            Err(_) => After::Unclear,
        }
    }

    /// Frees the slot of a settled export; a queued one is offered again.
    async fn after(&self, export: &Export) -> After {
        if let Some(outcome) = export.outcome() {
            self.shared
                .release(&self.tenant, self.export, outcome)
                .await;
        }
        standing(export)
    }
}

/// What a worker that is done with `export` tells of it.
fn standing(export: &Export) -> After {
    match &export.stage {
        Stage::Queued { not_before, .. } => After::Queued {
            not_before: *not_before,
        },
        Stage::Running(_)
        | Stage::Completed(_)
        | Stage::Expired(_)
        | Stage::Failed(_)
        | Stage::Cancelled(_) => After::Settled,
    }
}
