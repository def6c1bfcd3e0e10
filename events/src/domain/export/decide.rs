//! Which events a command leads to. Each function names every stage: a new one can't be forgotten.

use super::command::{
    Claim, ExportCommand, Failure, IllegalCommand, LostGround, MAX_LOSSES, Reply, Runner,
};
use super::event::{
    ArtifactDamaged, ArtifactDeleted, ArtifactRestored, AttemptFailed, AttemptLost, Cancelled,
    Completed, DeletionCause, DeletionStarted, Expired, ExportEvent, Failed, HandedBack, Held,
    HoldReleased, LinksRevoked, Progressed, Requeued, Started,
};
use super::state::{Attempt, Deletion, Export, ExportState, Published, Stage};
use crate::domain::request::Request;
use crate::domain::{Decision, Timed, not_before};
use crate::ids::{PrincipalId, Timestamp};

type Answer = Result<(Vec<ExportEvent>, Reply), IllegalCommand>;

const UNCHANGED: Answer = Ok((Vec::new(), Reply::Unchanged));

/// Decides `command` in `state`.
pub(super) fn decide(
    state: &ExportState,
    command: &Timed<ExportCommand>,
) -> Result<Decision<ExportEvent, Reply>, IllegalCommand> {
    let at = not_before(command.at, state.export().map(|export| export.updated_at));
    let (events, reply) = match state {
        ExportState::Missing => in_nothing(&command.what),
        ExportState::Present(export) => in_export(export, &command.what, at),
    }?;
    Ok(Decision { at, events, reply })
}

fn in_nothing(command: &ExportCommand) -> Answer {
    match command {
        ExportCommand::Request(request) => done(ExportEvent::Requested(request.clone())),
        ExportCommand::Start(_)
        | ExportCommand::TakeOver { .. }
        | ExportCommand::Progress(..)
        | ExportCommand::Complete { .. }
        | ExportCommand::FailAttempt(..)
        | ExportCommand::HandBack(_)
        | ExportCommand::Requeue { .. }
        | ExportCommand::Abort { .. }
        | ExportCommand::Cancel { .. }
        | ExportCommand::Expire
        | ExportCommand::Hold { .. }
        | ExportCommand::ReleaseHold { .. }
        | ExportCommand::StartDeletion { .. }
        | ExportCommand::RecordDeletion
        | ExportCommand::RecordDamage { .. }
        | ExportCommand::RecordRestoration
        | ExportCommand::RevokeLinks { .. } => Err(IllegalCommand::Missing),
    }
}

fn in_export(export: &Export, command: &ExportCommand, at: Timestamp) -> Answer {
    match command {
        ExportCommand::Request(request) => request_again(export, request),
        ExportCommand::Start(claim) => start(export, claim, at),
        ExportCommand::TakeOver {
            lost,
            ground,
            claim,
        } => take_over(export, *lost, *ground, claim, at),
        ExportCommand::Progress(runner, progress) => {
            current(export, *runner)?;
            done(ExportEvent::Progressed(Progressed {
                attempt: runner.attempt,
                phase: progress.phase,
                category: progress.category.clone(),
                rows: progress.rows,
                bytes: progress.bytes,
            }))
        }
        ExportCommand::Complete {
            runner,
            artifact,
            categories,
            expires_at,
        } => {
            let completed = Completed {
                attempt: runner.attempt,
                artifact: artifact.clone(),
                categories: categories.clone(),
                expires_at: *expires_at,
            };
            complete(export, *runner, completed)
        }
        ExportCommand::FailAttempt(runner, failure) => fail_attempt(export, *runner, failure, at),
        ExportCommand::HandBack(runner) => {
            current(export, *runner)?;
            done(ExportEvent::HandedBack(HandedBack {
                attempt: runner.attempt,
            }))
        }
        ExportCommand::Requeue { principal } => requeue(export, principal),
        ExportCommand::Abort {
            code,
            parameters,
            principal,
        } => abort(
            export,
            Failed {
                attempt: (export.attempt > 0).then_some(export.attempt),
                code: code.clone(),
                parameters: parameters.clone(),
                principal: principal.clone(),
            },
        ),
        ExportCommand::Cancel { principal, code } => cancel(export, principal, code),
        ExportCommand::Expire => expire(export, at),
        ExportCommand::Hold { principal } => hold(export, principal),
        ExportCommand::ReleaseHold { principal } => release_hold(export, principal),
        ExportCommand::StartDeletion { cause } => start_deletion(export, *cause, at),
        ExportCommand::RecordDeletion => record_deletion(export),
        ExportCommand::RecordDamage { block, document } => record_damage(export, *block, *document),
        ExportCommand::RecordRestoration => record_restoration(export),
        ExportCommand::RevokeLinks { principal, of } => revoke_links(export, principal, of),
    }
}

fn done(event: ExportEvent) -> Answer {
    Ok((vec![event], Reply::Done))
}

fn request_again(export: &Export, request: &Request) -> Answer {
    if export.request == *request {
        UNCHANGED
    } else {
        Err(IllegalCommand::AlreadyRequested)
    }
}

fn claimed(export: &Export, claim: &Claim) -> (ExportEvent, Reply) {
    let attempt = export.attempt.saturating_add(1);
    let started = Started {
        attempt,
        node: claim.node,
        incarnation: claim.incarnation,
        lease_ms: u64::try_from(claim.lease.as_millis()).unwrap_or(u64::MAX),
        policy_digests: claim.policy_digests.clone(),
    };
    (ExportEvent::Started(started), Reply::Claimed { attempt })
}

fn start(export: &Export, claim: &Claim, at: Timestamp) -> Answer {
    match &export.stage {
        Stage::Queued { not_before, .. } if not_before.is_none_or(|due| at >= due) => {
            let (started, reply) = claimed(export, claim);
            Ok((vec![started], reply))
        }
        Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Completed(_)
        | Stage::Expired(_)
        | Stage::Failed(_)
        | Stage::Cancelled(_) => Err(IllegalCommand::NotStartable {
            status: export.status(),
        }),
    }
}

/// The running attempt is given up and, in the same batch, either begun anew, sent to the queue for a
/// while (its attempts keep being lost) or failed (they have been lost too often).
fn take_over(
    export: &Export,
    lost: u32,
    ground: LostGround,
    claim: &Claim,
    at: Timestamp,
) -> Answer {
    let attempt = match &export.stage {
        Stage::Running(attempt) if attempt.claim.attempt == lost => attempt,
        Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Completed(_)
        | Stage::Expired(_)
        | Stage::Failed(_)
        | Stage::Cancelled(_) => {
            return Err(IllegalCommand::Fenced {
                reported: lost,
                current: export.attempt,
                status: export.status(),
            });
        }
    };
    if !ground_holds(attempt, ground, claim) {
        return Err(IllegalCommand::NotLost);
    }
    let losses = export.losses.saturating_add(1);
    if losses >= MAX_LOSSES {
        let failed = Failed {
            attempt: Some(lost),
            code: "attempts_lost".to_owned(),
            parameters: [("attempts".to_owned(), losses.to_string())].into(),
            principal: None,
        };
        let lost = AttemptLost {
            attempt: lost,
            retry_at: None,
        };
        return Ok((
            vec![ExportEvent::AttemptLost(lost), ExportEvent::Failed(failed)],
            Reply::NotClaimed,
        ));
    }
    let retry_at = claim.back_off.retry_at(losses, at);
    let lost = ExportEvent::AttemptLost(AttemptLost {
        attempt: lost,
        retry_at,
    });
    if retry_at.is_some() {
        return Ok((vec![lost], Reply::NotClaimed));
    }
    let (started, reply) = claimed(export, claim);
    Ok((vec![lost, started], reply))
}

fn ground_holds(attempt: &Attempt, ground: LostGround, claim: &Claim) -> bool {
    match ground {
        LostGround::OwnEarlierIncarnation => {
            attempt.claim.node == claim.node && attempt.claim.incarnation != claim.incarnation
        }
        LostGround::LeaseLapsed => {
            attempt.claim.node != claim.node || attempt.claim.incarnation != claim.incarnation
        }
    }
}

/// The running attempt, if it is `runner`'s.
fn current(export: &Export, runner: Runner) -> Result<&Attempt, IllegalCommand> {
    match &export.stage {
        Stage::Running(attempt)
            if attempt.is_of(runner.attempt, runner.node, runner.incarnation) =>
        {
            Ok(attempt)
        }
        Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Completed(_)
        | Stage::Expired(_)
        | Stage::Failed(_)
        | Stage::Cancelled(_) => Err(IllegalCommand::Fenced {
            reported: runner.attempt,
            current: export.attempt,
            status: export.status(),
        }),
    }
}

fn complete(export: &Export, runner: Runner, completed: Completed) -> Answer {
    match &export.stage {
        Stage::Completed(published) | Stage::Expired(published)
            if published.artifact.key == completed.artifact.key =>
        {
            UNCHANGED
        }
        Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Completed(_)
        | Stage::Expired(_)
        | Stage::Failed(_)
        | Stage::Cancelled(_) => {
            current(export, runner)?;
            done(ExportEvent::Completed(completed))
        }
    }
}

fn fail_attempt(export: &Export, runner: Runner, failure: &Failure, at: Timestamp) -> Answer {
    current(export, runner)?;
    let spent = export.failures.saturating_add(1) >= failure.max_attempts;
    match failure.retry_after {
        Some(wait) if !spent => done(ExportEvent::AttemptFailed(AttemptFailed {
            attempt: runner.attempt,
            code: failure.code.clone(),
            parameters: failure.parameters.clone(),
            retry_at: at.plus(wait),
        })),
        Some(_) | None => done(ExportEvent::Failed(Failed {
            attempt: Some(runner.attempt),
            code: failure.code.clone(),
            parameters: failure.parameters.clone(),
            principal: None,
        })),
    }
}

/// Ends the running attempt, or the wait for the next one. One that is in line already stays where it is.
fn requeue(export: &Export, principal: &PrincipalId) -> Answer {
    match &export.stage {
        Stage::Running(_)
        | Stage::Queued {
            not_before: Some(_),
            ..
        } => done(ExportEvent::Requeued(Requeued {
            attempt: export.attempt,
            principal: principal.clone(),
        })),
        Stage::Queued {
            not_before: None, ..
        } => UNCHANGED,
        Stage::Completed(_) | Stage::Expired(_) | Stage::Failed(_) | Stage::Cancelled(_) => {
            Err(IllegalCommand::Settled {
                status: export.status(),
            })
        }
    }
}

fn abort(export: &Export, failed: Failed) -> Answer {
    match &export.stage {
        Stage::Queued { .. } | Stage::Running(_) => done(ExportEvent::Failed(failed)),
        Stage::Failed(ending) if ending.code == failed.code => UNCHANGED,
        Stage::Completed(_) | Stage::Expired(_) | Stage::Failed(_) | Stage::Cancelled(_) => {
            Err(IllegalCommand::Settled {
                status: export.status(),
            })
        }
    }
}

fn cancel(export: &Export, principal: &PrincipalId, code: &str) -> Answer {
    match &export.stage {
        Stage::Queued { .. } | Stage::Running(_) => done(ExportEvent::Cancelled(Cancelled {
            principal: principal.clone(),
            code: code.to_owned(),
        })),
        Stage::Cancelled(_) => UNCHANGED,
        Stage::Completed(_) | Stage::Expired(_) | Stage::Failed(_) => {
            Err(IllegalCommand::NotCancellable {
                status: export.status(),
            })
        }
    }
}

fn expire(export: &Export, at: Timestamp) -> Answer {
    match &export.stage {
        Stage::Completed(published) if published.is_over(at) => {
            done(ExportEvent::Expired(Expired {}))
        }
        Stage::Completed(_) => Err(IllegalCommand::NotDue),
        Stage::Expired(_) => UNCHANGED,
        Stage::Queued { .. } | Stage::Running(_) | Stage::Failed(_) | Stage::Cancelled(_) => {
            Err(IllegalCommand::NoArtifact {
                status: export.status(),
            })
        }
    }
}

fn hold(export: &Export, principal: &PrincipalId) -> Answer {
    match (&export.deletion, export.held) {
        (Deletion::Started { .. } | Deletion::Done { .. }, _) => {
            Err(IllegalCommand::DeletionStarted)
        }
        (Deletion::Kept, true) => UNCHANGED,
        (Deletion::Kept, false) => done(ExportEvent::Held(Held {
            principal: principal.clone(),
        })),
    }
}

fn release_hold(export: &Export, principal: &PrincipalId) -> Answer {
    if export.held {
        done(ExportEvent::HoldReleased(HoldReleased {
            principal: principal.clone(),
        }))
    } else {
        UNCHANGED
    }
}

/// The published artifact, if there is one.
fn published(export: &Export) -> Result<&Published, IllegalCommand> {
    export.published().ok_or(IllegalCommand::NoArtifact {
        status: export.status(),
    })
}

fn start_deletion(export: &Export, cause: DeletionCause, at: Timestamp) -> Answer {
    let published = published(export)?;
    match (&export.deletion, cause) {
        (Deletion::Started { .. } | Deletion::Done { .. }, _) => UNCHANGED,
        (Deletion::Kept, _) if export.held => Err(IllegalCommand::OnHold),
        (Deletion::Kept, DeletionCause::Expired) if !published.is_over(at) => {
            Err(IllegalCommand::NotDue)
        }
        (
            Deletion::Kept,
            DeletionCause::Expired | DeletionCause::Purged | DeletionCause::Operator,
        ) => done(ExportEvent::DeletionStarted(DeletionStarted { cause })),
    }
}

fn record_deletion(export: &Export) -> Answer {
    let published = published(export)?;
    match &export.deletion {
        Deletion::Kept => Err(IllegalCommand::DeletionNotStarted),
        Deletion::Done { .. } => UNCHANGED,
        Deletion::Started { cause, .. } => done(ExportEvent::ArtifactDeleted(ArtifactDeleted {
            key: published.artifact.key.clone(),
            sha256: published.artifact.sha256,
            bytes: published.artifact.bytes,
            cause: *cause,
        })),
    }
}

fn record_damage(export: &Export, block: Option<u64>, document: bool) -> Answer {
    published(export)?;
    match &export.deletion {
        // A file that is being deleted is not damaged, it is going.
        Deletion::Started { .. } | Deletion::Done { .. } => UNCHANGED,
        Deletion::Kept if export.damaged => UNCHANGED,
        Deletion::Kept => done(ExportEvent::ArtifactDamaged(ArtifactDamaged {
            block,
            document,
        })),
    }
}

fn record_restoration(export: &Export) -> Answer {
    published(export)?;
    match &export.deletion {
        Deletion::Kept if export.damaged => {
            done(ExportEvent::ArtifactRestored(ArtifactRestored {}))
        }
        Deletion::Kept | Deletion::Started { .. } | Deletion::Done { .. } => UNCHANGED,
    }
}

/// Links lead to a file that can be had; to any other there is none that works.
fn revoke_links(export: &Export, principal: &PrincipalId, of: &Option<PrincipalId>) -> Answer {
    match &export.stage {
        Stage::Completed(_) if export.revocations.is_final() => UNCHANGED,
        Stage::Completed(_) => done(ExportEvent::LinksRevoked(LinksRevoked {
            principal: principal.clone(),
            of: of.clone(),
        })),
        Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Expired(_)
        | Stage::Failed(_)
        | Stage::Cancelled(_) => UNCHANGED,
    }
}
