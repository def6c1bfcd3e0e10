//! The life of an export, told as given / when / then.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod links;
mod operators;
mod properties;

use std::time::Duration;

use super::command::{BackOff, Claim, Failure, Runner};
use super::*;
use crate::domain::testing::{
    at, digest, given, incarnation, node, policies, principal, request, seconds,
};

pub(super) fn claim(by: u128) -> Claim {
    Claim {
        node: node(by),
        incarnation: incarnation(by),
        lease: seconds(30),
        policy_digests: policies(),
        back_off: BackOff {
            free_losses: 2,
            first: seconds(10),
            longest: seconds(600),
        },
    }
}

pub(super) fn runner(attempt: u32, by: u128) -> Runner {
    Runner {
        attempt,
        node: node(by),
        incarnation: incarnation(by),
    }
}

pub(super) fn artifact(key: &str) -> PublishedArtifact {
    PublishedArtifact {
        key: key.to_owned(),
        bytes: 10,
        sha256: digest(2),
        media_type: "application/gzip".to_owned(),
        json_bytes: 100,
        json_sha256: digest(3),
        checksum: digest(4),
        blocks_root: digest(5),
    }
}

fn requested() -> ExportEvent {
    ExportEvent::Requested(request("ada"))
}

fn started(attempt: u32, by: u128) -> ExportEvent {
    ExportEvent::Started(Started {
        attempt,
        node: node(by),
        incarnation: incarnation(by),
        lease_ms: 30_000,
        policy_digests: policies(),
    })
}

fn completed(attempt: u32, expires: Option<i64>) -> ExportEvent {
    ExportEvent::Completed(Completed {
        attempt,
        artifact: artifact("one"),
        categories: Default::default(),
        expires_at: expires.map(at),
    })
}

fn complete(attempt: u32, by: u128) -> ExportCommand {
    ExportCommand::Complete {
        runner: runner(attempt, by),
        artifact: artifact("one"),
        categories: Default::default(),
        expires_at: Some(at(1000)),
    }
}

fn failure(wait: Option<u64>) -> Failure {
    Failure {
        code: "source_unavailable".to_owned(),
        parameters: Default::default(),
        retry_after: wait.map(Duration::from_secs),
        max_attempts: 3,
    }
}

fn lost(attempt: u32, retry: Option<i64>) -> ExportEvent {
    ExportEvent::AttemptLost(AttemptLost {
        attempt,
        retry_at: retry.map(at),
    })
}

fn cancel() -> ExportCommand {
    ExportCommand::Cancel {
        principal: principal("ada"),
        code: "requested".to_owned(),
    }
}

fn take_over(attempt: u32, ground: LostGround, by: u128) -> ExportCommand {
    ExportCommand::TakeOver {
        lost: attempt,
        ground,
        claim: claim(by),
    }
}

#[test]
fn a_request_is_queued_started_and_completed() {
    given::<ExportDecider>([])
        .when(ExportCommand::Request(request("ada")))
        .then(&[requested()])
        .when(ExportCommand::Start(claim(1)))
        .then(&[started(1, 1)])
        .when(complete(1, 1))
        .then(&[completed(1, Some(1000))]);
}

#[test]
fn the_same_request_again_changes_nothing_and_another_is_illegal() {
    given::<ExportDecider>([(0, requested())])
        .when(ExportCommand::Request(request("ada")))
        .then(&[])
        .when(ExportCommand::Request(request("bob")))
        .refuses(&IllegalCommand::AlreadyRequested);
}

#[test]
fn a_second_claim_loses() {
    given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .when(ExportCommand::Start(claim(2)))
        .refuses(&IllegalCommand::NotStartable {
            status: Status::Running,
        });
}

#[test]
fn a_failed_attempt_waits_then_runs_again_and_the_last_one_fails_the_export() {
    let failed = |attempt, retry_at| {
        ExportEvent::AttemptFailed(AttemptFailed {
            attempt,
            code: "source_unavailable".to_owned(),
            parameters: Default::default(),
            retry_at: at(retry_at),
        })
    };
    given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .at(10)
        .when(ExportCommand::FailAttempt(runner(1, 1), failure(Some(10))))
        .then(&[failed(1, 20)])
        .at(19)
        .when(ExportCommand::Start(claim(1)))
        .refuses(&IllegalCommand::NotStartable {
            status: Status::Queued,
        })
        .at(20)
        .when(ExportCommand::Start(claim(1)))
        .then(&[started(2, 1)])
        .when(ExportCommand::FailAttempt(runner(2, 1), failure(Some(10))))
        .then(&[failed(2, 30)])
        .at(30)
        .when(ExportCommand::Start(claim(1)))
        .then(&[started(3, 1)])
        .when(ExportCommand::FailAttempt(runner(3, 1), failure(Some(10))))
        .then(&[ExportEvent::Failed(Failed {
            attempt: Some(3),
            code: "source_unavailable".to_owned(),
            parameters: Default::default(),
            principal: None,
        })]);
}

#[test]
fn a_failure_that_no_attempt_can_mend_fails_the_export_at_once() {
    let scenario = given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .when(ExportCommand::FailAttempt(runner(1, 1), failure(None)))
        .replies(&Reply::Done);
    assert_eq!(scenario.state().export().unwrap().status(), Status::Failed);
}

#[test]
fn a_process_takes_over_its_nodes_earlier_incarnation_in_one_batch() {
    let mut mine = claim(1);
    mine.incarnation = incarnation(9);
    let command = ExportCommand::TakeOver {
        lost: 1,
        ground: LostGround::OwnEarlierIncarnation,
        claim: mine,
    };
    let again = ExportEvent::Started(Started {
        attempt: 2,
        node: node(1),
        incarnation: incarnation(9),
        lease_ms: 30_000,
        policy_digests: policies(),
    });
    given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .when(command)
        .then(&[lost(1, None), again]);
}

#[test]
fn a_process_never_takes_over_itself_nor_another_node_on_the_wrong_ground() {
    given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .when(take_over(1, LostGround::OwnEarlierIncarnation, 1))
        .refuses(&IllegalCommand::NotLost)
        .when(take_over(1, LostGround::LeaseLapsed, 1))
        .refuses(&IllegalCommand::NotLost)
        .when(take_over(1, LostGround::OwnEarlierIncarnation, 2))
        .refuses(&IllegalCommand::NotLost)
        .when(take_over(1, LostGround::LeaseLapsed, 2))
        .then(&[lost(1, None), started(2, 2)]);
}

#[test]
fn attempts_that_keep_being_lost_wait_longer_and_in_the_end_fail() {
    let mut history = vec![(0, requested())];
    for attempt in 1..=2 {
        history.push((1, started(attempt, 1)));
        history.push((1, lost(attempt, None)));
    }
    history.push((1, started(3, 1)));
    given::<ExportDecider>(history.clone())
        .when(take_over(3, LostGround::LeaseLapsed, 2))
        .then(&[lost(3, Some(11))]);
    for attempt in 3..MAX_LOSSES {
        history.push((1, lost(attempt, None)));
        history.push((1, started(attempt + 1, 1)));
    }
    given::<ExportDecider>(history)
        .when(take_over(10, LostGround::LeaseLapsed, 2))
        .then(&[
            lost(10, None),
            ExportEvent::Failed(Failed {
                attempt: Some(10),
                code: "attempts_lost".to_owned(),
                parameters: [("attempts".to_owned(), "10".to_owned())].into(),
                principal: None,
            }),
        ]);
}

#[test]
fn the_late_result_of_a_lost_attempt_is_fenced_off() {
    let history = [
        (0, requested()),
        (1, started(1, 1)),
        (2, lost(1, None)),
        (2, started(2, 2)),
    ];
    let fenced = IllegalCommand::Fenced {
        reported: 1,
        current: 2,
        status: Status::Running,
    };
    given::<ExportDecider>(history)
        .when(complete(1, 1))
        .refuses(&fenced)
        .when(ExportCommand::Progress(runner(1, 1), Progress::START))
        .refuses(&fenced)
        .when(ExportCommand::HandBack(runner(1, 1)))
        .refuses(&fenced);
}

#[test]
fn the_same_attempt_of_another_process_is_fenced_off_too() {
    given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .when(complete(1, 2))
        .refuses(&IllegalCommand::Fenced {
            reported: 1,
            current: 1,
            status: Status::Running,
        });
}

#[test]
fn completing_twice_with_one_file_is_harmless() {
    given::<ExportDecider>([
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, None)),
    ])
    .when(complete(1, 1))
    .replies(&Reply::Unchanged);
}

#[test]
fn handing_back_counts_towards_nothing() {
    let scenario = given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .when(ExportCommand::HandBack(runner(1, 1)))
        .then(&[ExportEvent::HandedBack(HandedBack { attempt: 1 })]);
    let export = scenario.state().export().unwrap();
    assert_eq!(
        (export.failures, export.losses, export.status()),
        (0, 0, Status::Queued)
    );
    scenario
        .when(ExportCommand::Start(claim(2)))
        .then(&[started(2, 2)]);
}

#[test]
fn queued_and_running_exports_can_be_cancelled_and_twice_is_once() {
    let cancelled = ExportEvent::Cancelled(Cancelled {
        principal: principal("ada"),
        code: "requested".to_owned(),
    });
    given::<ExportDecider>([(0, requested())])
        .when(cancel())
        .then(std::slice::from_ref(&cancelled))
        .when(cancel())
        .then(&[]);
    given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .when(cancel())
        .then(&[cancelled])
        .when(complete(1, 1))
        .refuses(&IllegalCommand::Fenced {
            reported: 1,
            current: 1,
            status: Status::Cancelled,
        });
}

#[test]
fn a_finished_export_can_not_be_cancelled() {
    given::<ExportDecider>([
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, None)),
    ])
    .when(cancel())
    .refuses(&IllegalCommand::NotCancellable {
        status: Status::Completed,
    });
}

#[test]
fn a_download_window_ends_to_the_millisecond() {
    let history = [
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, Some(1000))),
    ];
    let scenario = given::<ExportDecider>(history).at(999);
    let export = scenario.state().export().unwrap();
    assert_eq!(export.status_at(at(999)), Status::Completed);
    assert_eq!(export.status_at(at(1000)), Status::Expired);
    scenario
        .when(ExportCommand::Expire)
        .refuses(&IllegalCommand::NotDue)
        .at(1000)
        .when(ExportCommand::Expire)
        .then(&[ExportEvent::Expired(Expired {})])
        .when(ExportCommand::Expire)
        .then(&[]);
}

#[test]
fn deletion_leaves_a_receipt_and_can_be_repeated() {
    let receipt = ExportEvent::ArtifactDeleted(ArtifactDeleted {
        key: "one".to_owned(),
        sha256: digest(2),
        bytes: 10,
        cause: DeletionCause::Expired,
    });
    let start = ExportCommand::StartDeletion {
        cause: DeletionCause::Expired,
    };
    given::<ExportDecider>([
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, Some(10))),
    ])
    .when(start.clone())
    .refuses(&IllegalCommand::NotDue)
    .when(ExportCommand::RecordDeletion)
    .refuses(&IllegalCommand::DeletionNotStarted)
    .at(10)
    .when(start.clone())
    .then(&[ExportEvent::DeletionStarted(DeletionStarted {
        cause: DeletionCause::Expired,
    })])
    .when(start)
    .then(&[])
    .when(ExportCommand::RecordDeletion)
    .then(&[receipt])
    .when(ExportCommand::RecordDeletion)
    .then(&[]);
}

#[test]
fn a_hold_stops_deletion_but_not_expiry_and_comes_too_late_after_deletion_began() {
    let hold = || ExportCommand::Hold {
        principal: principal("eve"),
    };
    let start = || ExportCommand::StartDeletion {
        cause: DeletionCause::Expired,
    };
    given::<ExportDecider>([
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, Some(10))),
    ])
    .at(10)
    .when(hold())
    .then(&[ExportEvent::Held(Held {
        principal: principal("eve"),
    })])
    .when(ExportCommand::Expire)
    .replies(&Reply::Done)
    .when(start())
    .refuses(&IllegalCommand::OnHold)
    .when(ExportCommand::ReleaseHold {
        principal: principal("eve"),
    })
    .replies(&Reply::Done)
    .when(start())
    .replies(&Reply::Done)
    .when(hold())
    .refuses(&IllegalCommand::DeletionStarted);
}

#[test]
fn damage_is_recorded_once_with_the_block_that_is_to_be_looked_at_again() {
    let after = given::<ExportDecider>([
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, None)),
    ])
    .when(ExportCommand::RecordDamage {
        block: Some(3),
        document: false,
    })
    .then(&[ExportEvent::ArtifactDamaged(ArtifactDamaged {
        block: Some(3),
        document: false,
    })])
    .when(ExportCommand::RecordDamage {
        block: Some(4),
        document: false,
    })
    .then(&[]);
    let export = after.state().export().unwrap();
    assert_eq!((export.damaged, export.damaged_block), (true, Some(3)));
}

#[test]
fn a_restored_file_may_be_damaged_again_and_only_a_damaged_one_is_restored() {
    let damage = |block, document| ExportCommand::RecordDamage { block, document };
    let damaged =
        |block, document| ExportEvent::ArtifactDamaged(ArtifactDamaged { block, document });
    let restored = ExportEvent::ArtifactRestored(ArtifactRestored {});
    let completed = given::<ExportDecider>([
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, None)),
    ]);
    let after = completed
        .when(ExportCommand::RecordRestoration)
        .then(&[])
        .when(damage(Some(3), false))
        .then(&[damaged(Some(3), false)])
        .when(ExportCommand::RecordRestoration)
        .then(std::slice::from_ref(&restored));
    let export = after.state().export().unwrap();
    assert_eq!((export.damaged, export.damaged_block), (false, None));
    let after = after.when(damage(None, true)).then(&[damaged(None, true)]);
    assert!(after.state().export().unwrap().damaged_document);
    let after = after
        .when(ExportCommand::RecordRestoration)
        .then(&[restored]);
    assert!(!after.state().export().unwrap().damaged_document);
    after
        .when(ExportCommand::RecordRestoration)
        .then(&[])
        .when(damage(None, false))
        .then(&[damaged(None, false)])
        .when(ExportCommand::StartDeletion {
            cause: DeletionCause::Operator,
        })
        .replies(&Reply::Done)
        .when(ExportCommand::RecordRestoration)
        .then(&[]);
}

#[test]
fn time_never_runs_backwards_within_a_stream() {
    use crate::domain::{Decider, Timed};
    let state = ExportDecider::replay(&[Timed::new(at(100), requested())]);
    let decision =
        ExportDecider::decide(&state, &Timed::new(at(50), ExportCommand::Start(claim(1)))).unwrap();
    assert_eq!(decision.at, at(100));
}
