//! Properties that hold for any sequence of commands, sensible or not.

use std::time::Duration;

use proptest::prelude::*;

use super::super::command::{Failure, Runner};
use super::super::*;
use super::{artifact, claim, runner};
use crate::codec::{Context, decode, encode};
use crate::domain::testing::{at, principal, request, seconds};
use crate::domain::{Decider, Timed};
use crate::envelope::{Position, Recorded};
use crate::stream::StreamName;

fn any_runner() -> impl Strategy<Value = Runner> {
    (0u32..5, 1u128..4).prop_map(|(attempt, by)| runner(attempt, by))
}

fn any_command() -> impl Strategy<Value = ExportCommand> {
    prop_oneof![
        prop_oneof![Just("ada"), Just("bob")].prop_map(|by| ExportCommand::Request(request(by))),
        (1u128..4).prop_map(|by| ExportCommand::Start(claim(by))),
        (0u32..5, any::<bool>(), 1u128..4, 1u128..4).prop_map(|(lost, own, by, process)| {
            let mut claim = claim(by);
            claim.incarnation = crate::domain::testing::incarnation(process);
            let ground = if own {
                LostGround::OwnEarlierIncarnation
            } else {
                LostGround::LeaseLapsed
            };
            ExportCommand::TakeOver {
                lost,
                ground,
                claim,
            }
        }),
        (any_runner(), any::<u64>()).prop_map(|(runner, rows)| {
            let progress = Progress {
                phase: Phase::Reading,
                category: None,
                rows,
                bytes: rows / 2,
            };
            ExportCommand::Progress(runner, progress)
        }),
        (any_runner(), "[ab]", proptest::option::of(0i64..200)).prop_map(
            |(runner, key, expires)| ExportCommand::Complete {
                runner,
                artifact: artifact(&key),
                categories: Default::default(),
                expires_at: expires.map(at),
            }
        ),
        (any_runner(), proptest::option::of(0u64..200)).prop_map(|(runner, wait)| {
            ExportCommand::FailAttempt(
                runner,
                Failure {
                    code: "x".to_owned(),
                    parameters: Default::default(),
                    retry_after: wait.map(Duration::from_secs),
                    max_attempts: 3,
                },
            )
        }),
        any_runner().prop_map(ExportCommand::HandBack),
        Just(ExportCommand::Abort {
            code: "x".to_owned(),
            parameters: Default::default(),
            principal: None,
        }),
        Just(ExportCommand::Requeue {
            principal: principal("op")
        }),
        Just(ExportCommand::Cancel {
            principal: principal("ada"),
            code: "x".to_owned()
        }),
        Just(ExportCommand::Expire),
        Just(ExportCommand::Hold {
            principal: principal("eve")
        }),
        Just(ExportCommand::ReleaseHold {
            principal: principal("eve")
        }),
        prop_oneof![
            Just(DeletionCause::Expired),
            Just(DeletionCause::Purged),
            Just(DeletionCause::Operator)
        ]
        .prop_map(|cause| ExportCommand::StartDeletion { cause }),
        Just(ExportCommand::RecordDeletion),
        (proptest::option::of(any::<u64>()), any::<bool>())
            .prop_map(|(block, document)| ExportCommand::RecordDamage { block, document }),
        Just(ExportCommand::RecordRestoration),
        proptest::option::of(Just(principal("ada"))).prop_map(|of| ExportCommand::RevokeLinks {
            principal: principal("eve"),
            of
        }),
    ]
}

fn any_commands() -> impl Strategy<Value = Vec<(i64, ExportCommand)>> {
    let request = Just((0i64, ExportCommand::Request(request("ada"))));
    let rest = proptest::collection::vec((0i64..200, any_command()), 0..60);
    (request, rest).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
}

/// Drives the decider, and gives its history with the live state.
fn drive(commands: Vec<(i64, ExportCommand)>) -> (Vec<Timed<ExportEvent>>, ExportState) {
    let mut state = ExportDecider::initial();
    let mut history = Vec::new();
    for (seconds, command) in commands {
        let Ok(decision) = ExportDecider::decide(&state, &Timed::new(at(seconds), command)) else {
            continue;
        };
        for event in decision.events {
            let event = Timed::new(decision.at, event);
            state = ExportDecider::evolve(state, &event);
            history.push(event);
        }
    }
    (history, state)
}

/// The event as a store would give it back.
fn stored(event: &Timed<ExportEvent>) -> Timed<ExportEvent> {
    let new = encode(
        uuid::Uuid::nil(),
        event.at,
        &event.what,
        &Context::default(),
    )
    .unwrap();
    let recorded = Recorded {
        stream: StreamName::export(crate::domain::testing::export(1)),
        revision: 0,
        position: Position::single(0),
        id: new.id,
        kind: new.kind,
        data: new.data,
        metadata: new.metadata,
    };
    decode(&recorded).unwrap().1
}

proptest! {
    #[test]
    fn replayed_state_equals_live_state_through_the_stored_bytes(commands in any_commands()) {
        let (history, live) = drive(commands);
        let read: Vec<_> = history.iter().map(stored).collect();
        prop_assert_eq!(&read, &history);
        prop_assert_eq!(ExportDecider::replay(&read), live);
    }

    #[test]
    fn an_export_is_settled_at_most_once_and_publishes_at_most_one_file(commands in any_commands()) {
        let (history, _) = drive(commands);
        let settled = history.iter().filter(|event| matches!(
            event.what,
            ExportEvent::Completed(_) | ExportEvent::Failed(_) | ExportEvent::Cancelled(_)
        ));
        prop_assert!(settled.count() <= 1);
        for once in ["requested", "expired", "deletion_started", "artifact_deleted"] {
            use crate::codec::DomainEvent;
            prop_assert!(history.iter().filter(|event| event.what.kind() == once).count() <= 1);
        }
        // Damage and restoration take turns.
        let mut damaged = false;
        for event in &history {
            match event.what {
                ExportEvent::ArtifactDamaged(_) => prop_assert!(!std::mem::replace(&mut damaged, true)),
                ExportEvent::ArtifactRestored(_) => prop_assert!(std::mem::replace(&mut damaged, false)),
                _ => {}
            }
        }
    }

    #[test]
    fn attempts_count_up_and_time_never_runs_back(commands in any_commands()) {
        let (history, _) = drive(commands);
        let mut attempt = 0;
        for event in &history {
            if let ExportEvent::Started(started) = &event.what {
                prop_assert_eq!(started.attempt, attempt + 1);
                attempt = started.attempt;
            }
        }
        prop_assert!(history.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }

    #[test]
    fn any_history_at_all_can_be_replayed(
        commands in proptest::collection::vec(any_commands(), 1..4),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let events: Vec<_> = commands.into_iter().flat_map(|commands| drive(commands).0).collect();
        let shuffled: Vec<_> = picks.iter().map(|pick| pick.get(&events).clone()).collect();
        let state = ExportDecider::replay(&shuffled);
        if let Some(export) = state.export() {
            prop_assert!(Status::ALL.contains(&export.status()));
        }
    }

    #[test]
    fn a_settled_export_stays_settled_the_same_way(
        commands in any_commands(),
        more in proptest::collection::vec((0i64..10_000, any_command()), 0..30),
    ) {
        let (_, state) = drive(commands.clone());
        let outcome = state.export().and_then(Export::outcome);
        let (_, later) = drive(commands.into_iter().chain(more).collect());
        if outcome.is_some() {
            prop_assert_eq!(later.export().and_then(Export::outcome), outcome);
        }
    }
}

#[test]
fn back_off_doubles_up_to_its_longest() {
    let back_off = BackOff {
        free_losses: 2,
        first: seconds(10),
        longest: seconds(60),
    };
    let waits: Vec<_> = (0..8)
        .map(|losses| {
            back_off
                .retry_at(losses, at(0))
                .map(|due| due.as_millis() / 1000)
        })
        .collect();
    assert_eq!(
        waits,
        [
            None,
            None,
            None,
            Some(10),
            Some(20),
            Some(40),
            Some(60),
            Some(60)
        ]
    );
    assert_eq!(back_off.retry_at(u32::MAX, at(0)), Some(at(60)));
}
