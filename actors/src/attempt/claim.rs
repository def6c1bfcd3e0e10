//! Claiming an export: `started` is appended where the stream stood, and who appends it runs the export.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::domain::export::{
    Claim, Export, ExportCommand, ExportState, Reply, Runner, Stage,
};
use carnet_events::stream::StreamName;

use super::{After, Attempt, standing};
use crate::error::Error;
use crate::journal::{Command, CommandError, Fold};
use crate::ports::{Job, RunFailure};
use crate::queue::Waiting;
use crate::shared::Shared;

/// The wait before a claim is tried again that could not be decided.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether the export is ours to run.
pub(super) enum Claimed<'a> {
    /// It is.
    Ours(Attempt<'a>, Box<Job>),
    /// It is not.
    Not(After),
}

/// What to do about the export as it stands.
enum Step {
    Command(Box<Command<ExportCommand>>),
    Leave(After),
}

/// Claims the export for this process, if it is there to be claimed.
pub(super) async fn claim<'a>(shared: &'a Arc<Shared>, waiting: &Waiting) -> Claimed<'a> {
    loop {
        match try_claim(shared, waiting).await {
            Ok(claimed) => return claimed,
            Err(error) if error.is_transient() && !shared.hand_back.is_cancelled() => {
                tracing::warn!(export = %waiting.export, %error, "a claim could not be decided");
                shared.ports.clock.sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::error!(export = %waiting.export, %error, "an export can't be claimed");
                return Claimed::Not(After::Unclear);
            }
        }
        // Offered because its runner was silent: a new look is a new judgement, which is not made here.
        if waiting
            .takeover
            .is_some_and(|takeover| takeover.silent_at.is_some())
        {
            return Claimed::Not(After::Unclear);
        }
    }
}

async fn try_claim<'a>(shared: &'a Arc<Shared>, waiting: &Waiting) -> Result<Claimed<'a>, Error> {
    let fold = shared
        .exports
        .load(&StreamName::export(waiting.export))
        .await?;
    let Some(export) = fold.state.export() else {
        return Ok(Claimed::Not(After::Settled));
    };
    let command = match next_step(shared, waiting, export, &fold) {
        Step::Command(command) => *command,
        Step::Leave(after) => {
            release_if_settled(shared, waiting, export).await;
            return Ok(Claimed::Not(after));
        }
    };
    let (answer, fold) = shared.command_export(waiting.export, command).await?;
    match (answer, fold.state.export()) {
        (Ok(Reply::Claimed { attempt }), Some(export)) => {
            Ok(ours(shared, waiting, attempt, export))
        }
        (Ok(Reply::Done | Reply::Unchanged | Reply::NotClaimed), Some(export)) => {
            release_if_settled(shared, waiting, export).await;
            Ok(Claimed::Not(standing(export)))
        }
        (Err(CommandError::Illegal(_)), Some(export)) => Ok(Claimed::Not(standing(export))),
        (Err(CommandError::Failed(error)), _) => Err(error),
        (_, None) => Ok(Claimed::Not(After::Settled)),
    }
}

fn next_step(
    shared: &Arc<Shared>,
    waiting: &Waiting,
    export: &Export,
    fold: &Fold<ExportState>,
) -> Step {
    let (node, incarnation) = (shared.options.node, shared.options.incarnation);
    match &export.stage {
        Stage::Queued { not_before, .. } => match not_before {
            Some(at) if shared.ports.clock.now() < *at => Step::Leave(standing(export)),
            Some(_) | None => with_claim(shared, waiting, export, ExportCommand::Start),
        },
        // Claimed by this process, which doesn't run it: the answer to the claim was lost. A process never resumes.
        Stage::Running(attempt) if attempt.is_of(export.attempt, node, incarnation) => {
            let runner = Runner {
                attempt: export.attempt,
                node,
                incarnation,
            };
            let command = shared.own_command(&waiting.tenant, ExportCommand::HandBack(runner));
            Step::Command(Box::new(command))
        }
        Stage::Running(_) => match waiting.takeover {
            Some(takeover) if takeover.lost == export.attempt => {
                let silent = takeover.silent_at.is_none() || takeover.silent_at == fold.revision;
                if !silent {
                    return Step::Leave(After::Settled);
                }
                let step = with_claim(shared, waiting, export, |claim| ExportCommand::TakeOver {
                    lost: takeover.lost,
                    ground: takeover.ground,
                    claim,
                });
                only_at(step, takeover.silent_at)
            }
            Some(_) | None => Step::Leave(After::Settled),
        },
        Stage::Completed(_) | Stage::Expired(_) | Stage::Failed(_) | Stage::Cancelled(_) => {
            Step::Leave(After::Settled)
        }
    }
}

fn only_at(step: Step, head: Option<u64>) -> Step {
    match step {
        Step::Command(mut command) => {
            command.only_at = head;
            Step::Command(command)
        }
        Step::Leave(after) => Step::Leave(after),
    }
}

/// The command that claims, under today's policies; or the one that fails the export, if they are gone.
fn with_claim(
    shared: &Arc<Shared>,
    waiting: &Waiting,
    export: &Export,
    command: impl FnOnce(Claim) -> ExportCommand,
) -> Step {
    let request = &export.request;
    let runner = &shared.ports.runner;
    let what = match runner.current_digests(&request.categories) {
        Ok(policy_digests) => command(Claim {
            node: shared.options.node,
            incarnation: shared.options.incarnation,
            lease: shared.options.lease,
            policy_digests,
            back_off: shared.options.losses,
        }),
        Err(RunFailure {
            code, parameters, ..
        }) => ExportCommand::Abort {
            code,
            parameters,
            principal: None,
        },
    };
    Step::Command(Box::new(shared.own_command(&waiting.tenant, what)))
}

/// The export as ours to run, if it still is: where the answer to the claim was lost and came late, others may have taken
/// the export over since.
fn ours<'a>(
    shared: &'a Arc<Shared>,
    waiting: &Waiting,
    attempt: u32,
    export: &Export,
) -> Claimed<'a> {
    let (node, incarnation) = (shared.options.node, shared.options.incarnation);
    let running = export
        .running()
        .filter(|running| running.is_of(attempt, node, incarnation));
    let Some(running) = running else {
        return Claimed::Not(standing(export));
    };
    let attempt = Attempt {
        shared,
        tenant: waiting.tenant.clone(),
        export: waiting.export,
        runner: Runner {
            attempt: running.claim.attempt,
            node: running.claim.node,
            incarnation: running.claim.incarnation,
        },
        failures: export.failures,
    };
    let job = Job {
        export: waiting.export,
        request: export.request.clone(),
        attempt: running.claim.attempt,
        claim: shared.ports.ids.random(),
        policy_digests: running.claim.policy_digests.clone(),
        started_at: running.started_at,
        ttl: shared.options.ttl,
    };
    Claimed::Ours(attempt, Box::new(job))
}

async fn release_if_settled(shared: &Arc<Shared>, waiting: &Waiting, export: &Export) {
    if let Some(outcome) = export.outcome() {
        shared
            .release(&waiting.tenant, waiting.export, outcome)
            .await;
    }
}
