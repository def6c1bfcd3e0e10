//! Who is let in.

use std::sync::Arc;

use carnet_actors::{Admission, Error};
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::{Outcome, Status};
use carnet_events::domain::tenant::{IdempotencyKey, LimitKind, Refusal, TenantCommand};
use carnet_events::ids::Digest;
use futures::FutureExt;
use futures::future::join_all;

use crate::faulty::{Fault, FaultyStore};
use crate::runner::Plan;
use crate::support::*;
use crate::worklist::scanning;
use carnet_actors::ports::Worklist;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_becomes_a_completed_export() {
    let world = World::new();
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    let view = until_status(&system, export, Status::Completed).await;
    assert_eq!(
        world.kinds(export).await,
        ["requested", "started", "completed"]
    );
    let published = view.export.published().unwrap();
    assert!(world.runner.has(&published.artifact.key));
    let job = world.runner.jobs_of(export).remove(0);
    assert_eq!(job.ttl, Some(7 * DAY));
    assert_eq!(published.expires_at, Some(job.started_at.plus(7 * DAY)));
    assert_eq!(job.policy_digests, view.export.request.policy_digests);
    until_released(&system, "acme").await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_at_once_exactly_one_is_let_in() {
    let world = World::new();
    world.runner.otherwise(Plan::UntilCancelled);
    let system = world.start(1).await;
    let asked = (0..50).map(|_| {
        let system = system.clone();
        tokio::spawn(async move { ask(&system, request("acme", "ada")).await.unwrap() })
    });
    let answers: Vec<_> = join_all(asked)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let let_in: Vec<_> = answers
        .iter()
        .filter_map(|answer| match answer {
            Admission::Accepted { export, .. } => Some(*export),
            Admission::Refused(_) => None,
        })
        .collect();
    assert_eq!(let_in.len(), 1);
    for answer in &answers {
        if let Admission::Refused(refusal) = answer {
            let Refusal::InProgress { active, .. } = refusal else {
                panic!("{refusal:?}");
            };
            assert_eq!(*active, let_in[0]);
        }
    }
    // All 49 are in the records: the first, and the others folded.
    stop(system).await;
    let counts = refusals(&world).await;
    assert_eq!(counts, (1, 48));
}

async fn refusals(world: &World) -> (u64, u64) {
    let mut counts = (0, 0);
    for record in world.access_records().await {
        match record {
            AccessEvent::ExportRefused(refused) => {
                assert_eq!(refused.code, "export_in_progress");
                counts.0 += 1;
            }
            AccessEvent::Repeated(repeated) => {
                assert_eq!(repeated.of, "export_refused");
                counts.1 += repeated.count;
            }
            other => panic!("{other:?}"),
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fourth_in_a_day_waits_until_the_window_moves_on() {
    let world = World::new();
    let system = world.start(1).await;
    let first_at = carnet_actors::ports::Clock::now(&world.clock);
    for _ in 0..3 {
        let export = accepted(&system, request("acme", "ada")).await;
        until_status(&system, export, Status::Completed).await;
        until_released(&system, "acme").await;
        world.clock.advance(HOUR);
    }
    let refusal = refused(&system, request("acme", "ada")).await;
    let expected = Refusal::LimitReached {
        limit: LimitKind::User,
        next_allowed_at: Some(first_at.plus(DAY)),
    };
    assert_eq!(refusal, expected);
    let standing = system
        .standing(&tenant("acme"), &person("ada"), &limits())
        .await
        .unwrap();
    assert_eq!(standing.blocked_by, Some(expected));
    assert_eq!(standing.windows.user.remaining(), 0);
    world.clock.advance(DAY - 3 * HOUR - SECOND);
    refused(&system, request("acme", "ada")).await;
    world.clock.advance(2 * SECOND);
    accepted(&system, request("acme", "ada")).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_eleventh_of_a_tenant_is_refused_whoever_asks() {
    let world = World::new();
    let system = world.start(1).await;
    for number in 0..10 {
        let export = accepted(&system, request("acme", &format!("user {number}"))).await;
        until_status(&system, export, Status::Completed).await;
        until_released(&system, "acme").await;
    }
    let refusal = refused(&system, request("acme", "user 10")).await;
    assert!(matches!(
        refusal,
        Refusal::LimitReached {
            limit: LimitKind::Tenant,
            ..
        }
    ));
    accepted(&system, request("globex", "user 10")).await;
    world.clock.advance(DAY);
    accepted(&system, request("acme", "user 10")).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_gives_the_same_export() {
    let world = World::new();
    let system = world.start(1).await;
    let with_key = |fingerprint| {
        let mut asked = request("acme", "ada");
        asked.key = Some(IdempotencyKey {
            key: Digest::from_bytes([1; 32]),
            fingerprint: Digest::from_bytes([fingerprint; 32]),
            alike: Vec::new(),
        });
        asked
    };
    let export = accepted(&system, with_key(1)).await;
    let again = ask(&system, with_key(1)).await.unwrap();
    assert_eq!(
        again,
        Admission::Accepted {
            export,
            repeated: true
        }
    );
    let other = refused(&system, with_key(2)).await;
    assert_eq!(other, Refusal::IdempotencyMismatch);
    // Pausing the intake takes nothing back.
    system.pause_intake(true, order()).await.unwrap();
    assert_eq!(ask(&system, with_key(1)).await.unwrap(), again);
    let other = refused(&system, with_key(2)).await;
    assert_eq!(other, Refusal::IdempotencyMismatch);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_let_in_without_storage_or_while_intake_is_paused_or_the_tenant_closed() {
    let world = World::new();
    let system = world.start(1).await;
    *world.runner.verified.lock().unwrap() = false;
    assert_eq!(
        refused(&system, request("acme", "ada")).await,
        Refusal::StorageUnverified
    );
    *world.runner.verified.lock().unwrap() = true;

    system.pause_intake(true, order()).await.unwrap();
    assert_eq!(
        refused(&system, request("acme", "ada")).await,
        Refusal::IntakePaused
    );
    system.pause_intake(false, order()).await.unwrap();

    let close = TenantCommand::Close {
        principal: person("op"),
    };
    let acme = tenant("acme");
    let closed = system.act_on_tenant(&acme, close, order()).await.unwrap();
    assert_eq!(closed.unwrap().kind, "closed");
    assert_eq!(
        refused(&system, request("acme", "ada")).await,
        Refusal::TenantClosed
    );
    let codes: Vec<_> = world
        .access_records()
        .await
        .iter()
        .map(|record| record.code().unwrap().to_owned())
        .collect();
    assert_eq!(
        codes,
        ["storage_unverified", "intake_paused", "tenant_closed"]
    );
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_category_is_recorded_only_if_the_catalog_has_it() {
    let world = World::new();
    let system = world.start(1).await;
    let mut asked = request("acme", "ada");
    asked.categories.unknown = vec!["anything <script>".to_owned()];
    asked.categories.forbidden = vec!["salaries".to_owned()];
    let refusal = refused(&system, asked).await;
    assert!(matches!(
        refusal,
        Refusal::UnknownCategories {
            forbidden: true,
            ..
        }
    ));
    let AccessEvent::ExportRefused(record) = world.access_records().await.remove(0) else {
        panic!("another record");
    };
    assert_eq!(record.categories, ["salaries"]);
    stop(system).await;
}

/// A system whose store doesn't take `requested`, as if the process died between the two steps.
async fn half_admitted(world: &World) -> (carnet_actors::System, Arc<FaultyStore>) {
    let store = FaultyStore::new(Arc::clone(&world.store));
    let system = world
        .start_on(
            1,
            Arc::clone(&store) as _,
            Arc::clone(&world.runner) as _,
            |_| {},
        )
        .await;
    store.fail(|_, events| (events[0].kind == "requested").then_some(Fault::NotMade));
    let failed = ask(&system, request("acme", "ada")).await;
    assert!(
        matches!(failed, Err(Error::Unavailable { .. })),
        "{failed:?}"
    );
    (system, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_the_two_steps_is_made_up_for_at_the_restart() {
    let world = World::new();
    let (dead, _) = half_admitted(&world).await;
    let open = scanning(&world.store)
        .open_admissions(None, 9)
        .await
        .unwrap();
    let restarted = world.start(1).await;
    until_status(&restarted, open.entries[0].export, Status::Completed).await;
    until_released(&restarted, "acme").await;
    stop(restarted).await;
    stop(dead).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_request_makes_up_for_the_missing_step_and_counts_it_as_active() {
    let world = World::new();
    world.runner.otherwise(Plan::UntilCancelled);
    let (system, store) = half_admitted(&world).await;
    store.mend();
    let refusal = refused(&system, request("acme", "ada")).await;
    let Refusal::InProgress { active, .. } = refusal else {
        panic!("{refusal:?}");
    };
    until_status(&system, active, Status::Running).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreleased_slot_is_released_in_the_batch_that_takes_it() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    let system = world
        .start_on(
            1,
            Arc::clone(&store) as _,
            Arc::clone(&world.runner) as _,
            |_| {},
        )
        .await;
    store.fail(|_, events| {
        let alone = events.len() == 1 && events[0].kind == "export_released";
        alone.then_some(Fault::NotMade)
    });
    let first = accepted(&system, request("acme", "ada")).await;
    until_status(&system, first, Status::Completed).await;
    let view = system.tenant(&tenant("acme")).await.unwrap();
    assert!(view.tenant.active.contains_key(&first));
    let second = accepted(&system, request("acme", "ada")).await;
    let view = system.tenant(&tenant("acme")).await.unwrap();
    assert!(!view.tenant.active.contains_key(&first));
    until_status(&system, second, Status::Completed).await;
    // The reconciler does it once it can, whatever time that takes.
    store.mend();
    world
        .advance_until(SECOND, || async {
            system
                .tenant(&tenant("acme"))
                .await
                .unwrap()
                .tenant
                .active
                .is_empty()
        })
        .await;
    let outcome = system
        .export(second)
        .await
        .unwrap()
        .unwrap()
        .export
        .outcome();
    assert_eq!(outcome, Some(Outcome::Completed));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_outlives_whoever_asked() {
    let world = World::new();
    let system = world.start(1).await;
    // Polled once, then dropped: the client is gone.
    let _ = ask(&system, request("acme", "ada")).now_or_never();
    until(|| async { !world.runner.jobs.lock().unwrap().is_empty() }).await;
    let export = world.runner.jobs.lock().unwrap()[0].export;
    until_status(&system, export, Status::Completed).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_change_nothing() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    let system = world
        .start_on(
            1,
            Arc::clone(&store) as _,
            Arc::clone(&world.runner) as _,
            |_| {},
        )
        .await;
    let mut seen = std::collections::HashSet::new();
    store.fail(move |_, events| seen.insert(events[0].id).then_some(Fault::AnswerLost));
    let export = accepted(&system, request("acme", "ada")).await;
    until_status(&system, export, Status::Completed).await;
    until_released(&system, "acme").await;
    assert_eq!(
        world.kinds(export).await,
        ["requested", "started", "completed"]
    );
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_store_keep_the_limits_exactly() {
    let world = World::new();
    let systems = [world.start(1).await, world.start(2).await];
    let asked = (0..60).map(|number| {
        let system = systems[number % 2].clone();
        let mut asked = request("acme", &format!("user {}", number % 20));
        asked.limits.active_per_user = 100;
        asked.limits.active_per_tenant = 100;
        tokio::spawn(async move { ask(&system, asked).await.unwrap() })
    });
    let answers: Vec<_> = join_all(asked)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let mut let_in = Vec::new();
    for answer in answers {
        if let Admission::Accepted { export, .. } = answer {
            let_in.push(export);
        }
    }
    assert_eq!(let_in.len(), 10);
    for export in let_in {
        until_status(&systems[0], export, Status::Completed).await;
        let kinds = world.kinds(export).await;
        assert_eq!(kinds, ["requested", "started", "completed"]);
    }
    for system in systems {
        stop(system).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_commands_than_the_node_takes_are_turned_away() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    let system = world
        .start_on(
            1,
            Arc::clone(&store) as _,
            Arc::clone(&world.runner) as _,
            |options| {
                options.max_commands = 1;
            },
        )
        .await;
    // The first command waits for an answer that is lost again and again, and holds the one permit.
    let (told, mut tried) = tokio::sync::watch::channel(false);
    store.fail(move |stream, _| {
        told.send_replace(true);
        stream.tenant_id().map(|_| Fault::AnswerLost)
    });
    let waiting = tokio::spawn({
        let system = system.clone();
        async move { ask(&system, request("acme", "ada")).await }
    });
    tried.wait_for(|tried| *tried).await.unwrap();
    let turned_away = ask(&system, request("globex", "bob")).await;
    assert_eq!(turned_away, Err(Error::Overloaded));
    store.mend();
    assert!(matches!(
        waiting.await.unwrap(),
        Ok(Admission::Accepted { .. })
    ));
    stop(system).await;
}
