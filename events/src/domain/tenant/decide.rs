//! Which events a command leads to.

use super::admission;
use super::command::{IllegalCommand, Reply, TenantCommand};
use super::event::{
    Closed, ExemptionGranted, ExportReleased, ModuleSwitched, PurgeStarted, Purged, Reactivated,
    Reopened, ScheduleSet, ScheduleSkipped, TenantCancelled, TenantEvent,
};
use super::state::{Lifecycle, MAX_EXEMPTIONS, Tenant};
use crate::domain::{Decision, Timed, not_before};
use crate::ids::Timestamp;

pub(super) type Answer = Result<(Vec<TenantEvent>, Reply), IllegalCommand>;

const UNCHANGED: Answer = Ok((Vec::new(), Reply::Unchanged));

/// Decides `command` in `state`.
pub(super) fn decide(
    state: &Tenant,
    command: &Timed<TenantCommand>,
) -> Result<Decision<TenantEvent, Reply>, IllegalCommand> {
    let at = not_before(command.at, state.updated_at);
    let (events, reply) = answer(state, &command.what, at)?;
    Ok(Decision { at, events, reply })
}

fn answer(tenant: &Tenant, command: &TenantCommand, at: Timestamp) -> Answer {
    match command {
        TenantCommand::Admit(admit) => admission::admit(tenant, admit, at),
        TenantCommand::Release { export, outcome } => {
            if tenant.active.contains_key(export) {
                done(TenantEvent::ExportReleased(ExportReleased {
                    export: *export,
                    outcome: *outcome,
                }))
            } else {
                UNCHANGED
            }
        }
        TenantCommand::GrantExemption {
            id,
            limit,
            count,
            until,
            person,
            principal,
        } => grant(
            tenant,
            ExemptionGranted {
                id: id.clone(),
                limit: *limit,
                count: *count,
                until: *until,
                principal: principal.clone(),
                person: person.clone(),
            },
            at,
        ),
        TenantCommand::Close { principal } => switch(
            !tenant.closed,
            TenantEvent::Closed(Closed {
                principal: principal.clone(),
            }),
        ),
        TenantCommand::Reopen { principal } => switch(
            tenant.closed,
            TenantEvent::Reopened(Reopened {
                principal: principal.clone(),
            }),
        ),
        TenantCommand::Cancel { grace, principal } => match tenant.lifecycle {
            Lifecycle::Active => done(TenantEvent::Cancelled(TenantCancelled {
                grace_until: at.plus(*grace),
                principal: principal.clone(),
            })),
            Lifecycle::Cancelled { .. } => UNCHANGED,
            Lifecycle::Purging | Lifecycle::Purged => Err(IllegalCommand::Purged),
        },
        TenantCommand::Reactivate { principal } => match tenant.lifecycle {
            Lifecycle::Active => UNCHANGED,
            Lifecycle::Cancelled { grace_until } if at < grace_until => {
                done(TenantEvent::Reactivated(Reactivated {
                    principal: principal.clone(),
                }))
            }
            Lifecycle::Cancelled { .. } => Err(IllegalCommand::NotCancelled),
            Lifecycle::Purging | Lifecycle::Purged => Err(IllegalCommand::Purged),
        },
        TenantCommand::StartPurge => match tenant.lifecycle {
            Lifecycle::Active => Err(IllegalCommand::NotCancelled),
            Lifecycle::Cancelled { grace_until } if at < grace_until => {
                Err(IllegalCommand::GraceNotOver)
            }
            Lifecycle::Cancelled { .. } => done(TenantEvent::PurgeStarted(PurgeStarted {})),
            Lifecycle::Purging | Lifecycle::Purged => UNCHANGED,
        },
        TenantCommand::FinishPurge => match tenant.lifecycle {
            Lifecycle::Active | Lifecycle::Cancelled { .. } => Err(IllegalCommand::PurgeNotStarted),
            Lifecycle::Purging => done(TenantEvent::Purged(Purged {})),
            Lifecycle::Purged => UNCHANGED,
        },
        TenantCommand::SwitchModule {
            module,
            on,
            principal,
        } => switch(
            tenant.modules.get(module) != Some(on),
            TenantEvent::ModuleSwitched(ModuleSwitched {
                module: module.clone(),
                on: *on,
                principal: principal.clone(),
            }),
        ),
        TenantCommand::SetSchedule { preset, principal } => switch(
            tenant.schedule.as_ref() != Some(preset),
            TenantEvent::ScheduleSet(ScheduleSet {
                preset: preset.clone(),
                principal: principal.clone(),
            }),
        ),
        TenantCommand::SkipSchedule { due_at, code } => {
            done(TenantEvent::ScheduleSkipped(ScheduleSkipped {
                due_at: *due_at,
                code: code.clone(),
            }))
        }
    }
}

fn done(event: TenantEvent) -> Answer {
    Ok((vec![event], Reply::Done))
}

/// Grants an exemption, once: the id tells a repetition from another one.
fn grant(tenant: &Tenant, granted: ExemptionGranted, at: Timestamp) -> Answer {
    let known = tenant
        .exemptions
        .iter()
        .find(|known| known.id == granted.id);
    match known {
        Some(known) => {
            let same = known.limit == granted.limit
                && known.until == granted.until
                && known.person == granted.person;
            if same {
                UNCHANGED
            } else {
                Err(IllegalCommand::UselessExemption)
            }
        }
        None if tenant.exemption_ids.contains(&granted.id)
            || granted.count == 0
            || granted.until <= at =>
        {
            Err(IllegalCommand::UselessExemption)
        }
        None if tenant.exemptions.len() >= MAX_EXEMPTIONS => Err(IllegalCommand::TooManyExemptions),
        None => done(TenantEvent::ExemptionGranted(granted)),
    }
}

/// `event`, if it changes anything.
fn switch(changes: bool, event: TenantEvent) -> Answer {
    if changes { done(event) } else { UNCHANGED }
}
