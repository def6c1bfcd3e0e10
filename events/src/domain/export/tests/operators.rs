//! What operators may do to an export.

use super::super::*;
use super::{claim, complete, completed, requested, runner, started};
use crate::domain::testing::{at, given, principal};

fn requeue() -> ExportCommand {
    ExportCommand::Requeue {
        principal: principal("op"),
    }
}

fn requeued(attempt: u32) -> ExportEvent {
    ExportEvent::Requeued(Requeued {
        attempt,
        principal: principal("op"),
    })
}

fn abort() -> ExportCommand {
    ExportCommand::Abort {
        code: "operator".to_owned(),
        parameters: Default::default(),
        principal: Some(principal("op")),
    }
}

#[test]
fn a_requeued_export_may_start_at_once_and_the_stuck_runner_is_fenced_off() {
    let scenario = given::<ExportDecider>([(0, requested()), (1, started(1, 1))])
        .at(2)
        .when(requeue())
        .then(&[requeued(1)])
        .when(requeue())
        .replies(&Reply::Unchanged);
    let export = scenario.state().export().unwrap();
    assert_eq!(
        (export.failures, export.losses, export.status()),
        (0, 0, Status::Queued)
    );
    scenario
        .when(complete(1, 1))
        .refuses(&IllegalCommand::Fenced {
            reported: 1,
            current: 1,
            status: Status::Queued,
        })
        .when(ExportCommand::Start(claim(2)))
        .then(&[started(2, 2)])
        .when(ExportCommand::HandBack(runner(1, 1)))
        .refuses(&IllegalCommand::Fenced {
            reported: 1,
            current: 2,
            status: Status::Running,
        });
}

#[test]
fn requeuing_ends_the_wait_for_the_next_attempt() {
    let failed = ExportEvent::AttemptFailed(AttemptFailed {
        attempt: 1,
        code: "source_unavailable".to_owned(),
        parameters: Default::default(),
        retry_at: at(100),
    });
    given::<ExportDecider>([(0, requested()), (1, started(1, 1)), (2, failed)])
        .at(3)
        .when(ExportCommand::Start(claim(1)))
        .refuses(&IllegalCommand::NotStartable {
            status: Status::Queued,
        })
        .when(requeue())
        .then(&[requeued(1)])
        .when(ExportCommand::Start(claim(1)))
        .then(&[started(2, 1)]);
}

#[test]
fn an_operator_fails_what_is_not_settled_and_it_says_who_it_was() {
    for history in [
        vec![(0, requested())],
        vec![(0, requested()), (1, started(1, 1))],
    ] {
        let attempt = (history.len() > 1).then_some(1);
        let scenario = given::<ExportDecider>(history)
            .at(2)
            .when(abort())
            .then(&[ExportEvent::Failed(Failed {
                attempt,
                code: "operator".to_owned(),
                parameters: Default::default(),
                principal: Some(principal("op")),
            })])
            .when(abort())
            .replies(&Reply::Unchanged)
            .when(requeue())
            .refuses(&IllegalCommand::Settled {
                status: Status::Failed,
            });
        let Stage::Failed(ending) = &scenario.state().export().unwrap().stage else {
            panic!("not failed");
        };
        assert_eq!(ending.by, Some(principal("op")));
    }
    given::<ExportDecider>([
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, None)),
    ])
    .when(abort())
    .refuses(&IllegalCommand::Settled {
        status: Status::Completed,
    })
    .when(requeue())
    .refuses(&IllegalCommand::Settled {
        status: Status::Completed,
    });
}
