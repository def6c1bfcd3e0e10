//! How each event changes what is known.

use super::event::{
    ArtifactDamaged, ArtifactDeleted, AttemptFailed, AttemptLost, Cancelled, Completed,
    DeletionStarted, ExportEvent, Failed, Progressed, Started,
};
use super::state::{
    Attempt, Deletion, Ending, Export, ExportState, Progress, Published, Revocations, Stage,
};
use crate::domain::Timed;
use crate::domain::request::Request;
use crate::ids::Timestamp;

/// The state after `event`. An event that makes no sense in a state changes nothing but the time.
pub(super) fn evolve(state: ExportState, event: &Timed<ExportEvent>) -> ExportState {
    let at = event.at;
    match state {
        ExportState::Missing => match &event.what {
            ExportEvent::Requested(request) => ExportState::Present(Box::new(queued(request, at))),
            ExportEvent::Started(_)
            | ExportEvent::Progressed(_)
            | ExportEvent::AttemptFailed(_)
            | ExportEvent::AttemptLost(_)
            | ExportEvent::HandedBack(_)
            | ExportEvent::Requeued(_)
            | ExportEvent::Completed(_)
            | ExportEvent::Failed(_)
            | ExportEvent::Cancelled(_)
            | ExportEvent::Expired(_)
            | ExportEvent::Held(_)
            | ExportEvent::HoldReleased(_)
            | ExportEvent::DeletionStarted(_)
            | ExportEvent::ArtifactDeleted(_)
            | ExportEvent::ArtifactDamaged(_)
            | ExportEvent::ArtifactRestored(_)
            | ExportEvent::LinksRevoked(_) => ExportState::Missing,
        },
        ExportState::Present(mut export) => {
            export.updated_at = export.updated_at.max(at);
            apply(&mut export, at, &event.what);
            ExportState::Present(export)
        }
    }
}

fn queued(request: &Request, at: Timestamp) -> Export {
    Export {
        request: request.clone(),
        created_at: at,
        updated_at: at,
        started_at: None,
        stage: Stage::Queued {
            since: at,
            not_before: None,
            last_failure: None,
        },
        attempt: 0,
        failures: 0,
        losses: 0,
        held: false,
        deletion: Deletion::Kept,
        damaged: false,
        damaged_block: None,
        damaged_document: false,
        revocations: Revocations::default(),
    }
}

fn apply(export: &mut Export, at: Timestamp, event: &ExportEvent) {
    match event {
        ExportEvent::Requested(_) => {}
        ExportEvent::Started(started) => start(export, at, started),
        ExportEvent::Progressed(progressed) => progress(export, at, progressed),
        ExportEvent::AttemptFailed(failed) => attempt_failed(export, at, failed),
        ExportEvent::AttemptLost(lost) => attempt_lost(export, at, lost),
        ExportEvent::HandedBack(_) | ExportEvent::Requeued(_) => requeue(export, at, None, None),
        ExportEvent::Completed(completed) => complete(export, at, completed),
        ExportEvent::Failed(failed) => fail(export, at, failed),
        ExportEvent::Cancelled(cancelled) => cancel(export, at, cancelled),
        ExportEvent::Expired(_) => expire(export, at),
        ExportEvent::Held(_) => export.held = true,
        ExportEvent::HoldReleased(_) => export.held = false,
        ExportEvent::DeletionStarted(DeletionStarted { cause }) => {
            export.deletion = Deletion::Started { at, cause: *cause };
        }
        ExportEvent::ArtifactDeleted(ArtifactDeleted { cause, .. }) => {
            export.deletion = Deletion::Done { at, cause: *cause };
        }
        ExportEvent::ArtifactDamaged(ArtifactDamaged { block, document }) => {
            export.damaged = true;
            export.damaged_block = *block;
            export.damaged_document = *document;
        }
        ExportEvent::ArtifactRestored(_) => {
            export.damaged = false;
            export.damaged_block = None;
            export.damaged_document = false;
        }
        ExportEvent::LinksRevoked(revoked) => export.revocations.add(revoked),
    }
}

/// Whether the stage can still change by work on the export.
fn open(stage: &Stage) -> bool {
    match stage {
        Stage::Queued { .. } | Stage::Running(_) => true,
        Stage::Completed(_) | Stage::Expired(_) | Stage::Failed(_) | Stage::Cancelled(_) => false,
    }
}

fn start(export: &mut Export, at: Timestamp, started: &Started) {
    if open(&export.stage) {
        export.started_at = export.started_at.or(Some(at));
        export.attempt = started.attempt;
        export.stage = Stage::Running(Attempt {
            claim: started.clone(),
            started_at: at,
            alive_at: at,
            progress: Progress::START,
        });
    }
}

fn progress(export: &mut Export, at: Timestamp, progressed: &Progressed) {
    if let Stage::Running(attempt) = &mut export.stage
        && attempt.claim.attempt == progressed.attempt
    {
        attempt.alive_at = at;
        attempt.progress = Progress {
            phase: progressed.phase,
            category: progressed.category.clone(),
            rows: progressed.rows,
            bytes: progressed.bytes,
        };
    }
}

fn attempt_failed(export: &mut Export, at: Timestamp, failed: &AttemptFailed) {
    if open(&export.stage) {
        export.failures = export.failures.saturating_add(1);
    }
    requeue(export, at, Some(failed.retry_at), Some(failed.code.clone()));
}

fn attempt_lost(export: &mut Export, at: Timestamp, lost: &AttemptLost) {
    if open(&export.stage) {
        export.losses = export.losses.saturating_add(1);
    }
    requeue(export, at, lost.retry_at, None);
}

fn requeue(
    export: &mut Export,
    at: Timestamp,
    not_before: Option<Timestamp>,
    last_failure: Option<String>,
) {
    if open(&export.stage) {
        export.stage = Stage::Queued {
            since: at,
            not_before,
            last_failure,
        };
    }
}

fn complete(export: &mut Export, at: Timestamp, completed: &Completed) {
    if open(&export.stage) {
        export.stage = Stage::Completed(Published {
            attempt: completed.attempt,
            at,
            artifact: completed.artifact.clone(),
            categories: completed.categories.clone(),
            expires_at: completed.expires_at,
            expired_at: None,
        });
    }
}

fn fail(export: &mut Export, at: Timestamp, failed: &Failed) {
    if open(&export.stage) {
        export.stage = Stage::Failed(Ending {
            at,
            code: failed.code.clone(),
            parameters: failed.parameters.clone(),
            by: failed.principal.clone(),
        });
    }
}

fn cancel(export: &mut Export, at: Timestamp, cancelled: &Cancelled) {
    if open(&export.stage) {
        export.stage = Stage::Cancelled(Ending {
            at,
            code: cancelled.code.clone(),
            parameters: Default::default(),
            by: Some(cancelled.principal.clone()),
        });
    }
}

fn expire(export: &mut Export, at: Timestamp) {
    let nothing = Stage::Queued {
        since: at,
        not_before: None,
        last_failure: None,
    };
    // Moved, not copied: it is the largest part of an export.
    export.stage = match std::mem::replace(&mut export.stage, nothing) {
        Stage::Completed(published) => Stage::Expired(Published {
            expired_at: Some(at),
            ..published
        }),
        same @ (Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Expired(_)
        | Stage::Failed(_)
        | Stage::Cancelled(_)) => same,
    };
}
