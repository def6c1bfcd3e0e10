//! The Export aggregate: one job, one stream `export-{uuid}`, at most one published artifact.
//!
//! ```text
//!            requested          started{n}             completed             expired
//!   (none) ────────────► queued ───────────► running ────────────► completed ────────► expired
//!                         │ ▲ │               │ │ │ └─ started{n+1}: takeover
//!               cancelled │ │ │ failed        │ │ └─── failed
//!                         ▼ │ ▼               │ └───── cancelled
//!                           └─────────────────┘ attempt_failed | attempt_lost | handed_back | requeued
//! ```

mod command;
mod decide;
mod event;
mod evolve;
mod state;
#[cfg(test)]
mod tests;

pub use command::{
    BackOff, Claim, ExportCommand, Failure, IllegalCommand, LostGround, MAX_LOSSES, Reply, Runner,
};
pub use event::{
    ArtifactDamaged, ArtifactDeleted, ArtifactRestored, AttemptFailed, AttemptLost, Cancelled,
    CategoryResult, Completed, DeletionCause, DeletionStarted, Expired, ExportEvent, Failed,
    HandedBack, Held, HoldReleased, LinksRevoked, Parameters, Phase, Progressed, PublishedArtifact,
    Requeued, Started,
};
pub use state::{
    Attempt, Deletion, Ending, Export, ExportState, MAX_REVOCATIONS, Outcome, Progress, Published,
    Revocations, Stage, Status,
};

use super::{Decider, Decision, Timed};

/// The Export decider.
#[derive(Debug, Clone, Copy)]
pub struct ExportDecider;

impl Decider for ExportDecider {
    type State = ExportState;
    type Command = ExportCommand;
    type Event = ExportEvent;
    type Reply = Reply;
    type Illegal = IllegalCommand;

    fn initial() -> ExportState {
        ExportState::Missing
    }

    fn decide(
        state: &ExportState,
        command: &Timed<ExportCommand>,
    ) -> Result<Decision<ExportEvent, Reply>, IllegalCommand> {
        decide::decide(state, command)
    }

    fn evolve(state: ExportState, event: &Timed<ExportEvent>) -> ExportState {
        evolve::evolve(state, event)
    }
}
