//! The Tenant aggregate: who may export how often, and whether the tenant exists at all.
//!
//! Stream `tenant-{id}`. The rolling windows, the active exports and the life cycle are folded from
//! these events alone, so two nodes can't both admit: the second append conflicts.

mod admission;
mod command;
mod decide;
mod event;
mod evolve;
mod state;
#[cfg(test)]
mod tests;
pub mod window;

pub use admission::{Service, blocked_by};
pub use command::{
    Admit, CategoryCheck, IdempotencyKey, IllegalCommand, Refusal, Reply, TenantCommand,
};
pub use event::{
    Closed, ExemptionGranted, ExportAdmitted, ExportReleased, LimitKind, Limits, ModuleSwitched,
    PurgeStarted, Purged, Quota, Reactivated, Reopened, ScheduleSet, ScheduleSkipped, Standing,
    TenantCancelled, TenantEvent,
};
pub use state::{
    Accepted, Active, Exemption, KEY_MEMORY, LONGEST_WINDOW, Lifecycle, MAX_EXEMPTIONS, Remembered,
    Tenant,
};

use super::{Decider, Decision, Timed};

/// The Tenant decider.
#[derive(Debug, Clone, Copy)]
pub struct TenantDecider;

impl Decider for TenantDecider {
    type State = Tenant;
    type Command = TenantCommand;
    type Event = TenantEvent;
    type Reply = Reply;
    type Illegal = IllegalCommand;

    fn initial() -> Tenant {
        Tenant::default()
    }

    fn decide(
        state: &Tenant,
        command: &Timed<TenantCommand>,
    ) -> Result<Decision<TenantEvent, Reply>, IllegalCommand> {
        decide::decide(state, command)
    }

    fn evolve(state: Tenant, event: &Timed<TenantEvent>) -> Tenant {
        evolve::evolve(state, event)
    }
}
