//! Running, failing, cancelling, losing and taking over.

use std::sync::Arc;
use std::time::Duration;

use carnet_actors::ports::RunFailure;
use carnet_actors::{Cause, Error, System, WaitReason};
use carnet_events::domain::export::{Stage, Status};
use carnet_events::ids::ExportId;
use futures::future::join_all;
use tokio::sync::Notify;

use crate::faulty::FaultyStore;
use crate::runner::{FakeRunner, Plan};
use crate::support::*;

async fn cancel(system: &System, export: ExportId) -> Result<Status, Error> {
    let cancelled = system.cancel(export, person("ada"), Cause::default()).await;
    cancelled.map(|view| view.export.status())
}

/// A process whose line to the store can be cut.
pub async fn cuttable(world: &World, node: u128) -> (System, Arc<FaultyStore>, Arc<FakeRunner>) {
    let store = FaultyStore::new(Arc::clone(&world.store));
    let runner = FakeRunner::new();
    let system = world
        .start_on(
            node,
            Arc::clone(&store) as _,
            Arc::clone(&runner) as _,
            |_| {},
        )
        .await;
    (system, store, runner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_runs_as_many_as_it_may_and_the_others_know_their_place() {
    let world = World::new();
    let told = Arc::new(Notify::new());
    world.runner.otherwise(Plan::WhenTold(Arc::clone(&told)));
    let system = world.start(1).await;
    let mut exports = Vec::new();
    for number in 0..5 {
        exports.push(accepted(&system, unlimited("acme", &format!("user {number}"))).await);
    }
    until(|| async { *world.runner.running.borrow() == 2 }).await;
    for (ahead, export) in exports[2..].iter().enumerate() {
        let position = system.queue_position(*export).await.unwrap();
        assert_eq!(position.ahead, ahead as u64);
        assert_eq!(position.reason, WaitReason::FreeWorker);
    }
    assert_eq!(system.queue_position(exports[0]).await, None);
    for export in &exports {
        until(|| async {
            told.notify_one();
            status_of(&system, *export).await == Some(Status::Completed)
        })
        .await;
    }
    assert_eq!(*world.runner.most_at_once.borrow(), 2);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_one_export_does_not_wait_behind_another_ones_many() {
    let world = World::new();
    let told = Arc::new(Notify::new());
    world.runner.plan(Plan::WhenTold(Arc::clone(&told)));
    let system = world.start_with(1, |options| options.max_running = 1).await;
    let mut greedy = Vec::new();
    for number in 0..5 {
        greedy.push(accepted(&system, unlimited("greedy", &format!("user {number}"))).await);
    }
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    let modest = accepted(&system, request("modest", "ada")).await;
    until(|| async {
        system
            .queue_position(modest)
            .await
            .is_some_and(|place| place.ahead == 1)
    })
    .await;
    told.notify_one();
    until_status(&system, greedy[4], Status::Completed).await;
    let order: Vec<_> = world
        .runner
        .jobs
        .lock()
        .unwrap()
        .iter()
        .map(|job| job.export)
        .collect();
    assert_eq!(order[2], modest);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queued_export_is_cancelled_and_its_slot_is_free_at_once() {
    let world = World::new();
    world.runner.otherwise(Plan::UntilCancelled);
    let system = world.start_with(1, |options| options.max_running = 1).await;
    let running = accepted(&system, request("acme", "ada")).await;
    let queued = accepted(&system, request("globex", "bob")).await;
    until_status(&system, running, Status::Running).await;
    assert_eq!(cancel(&system, queued).await, Ok(Status::Cancelled));
    assert_eq!(cancel(&system, queued).await, Ok(Status::Cancelled));
    assert_eq!(system.queue_position(queued).await, None);
    accepted(&system, request("globex", "bob")).await;
    assert_eq!(world.kinds(queued).await, ["requested", "cancelled"]);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_a_running_export_stops_its_runner() {
    let world = World::new();
    world.runner.plan(Plan::UntilCancelled);
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    assert_eq!(cancel(&system, export).await, Ok(Status::Cancelled));
    until(|| async { *world.runner.running.borrow() == 0 }).await;
    let next = accepted(&system, request("acme", "ada")).await;
    until_status(&system, next, Status::Completed).await;
    let late = cancel(&system, next).await;
    assert_eq!(
        late,
        Err(Error::NotCancellable {
            status: Status::Completed
        })
    );
    let unknown = ExportId::from_uuid(uuid::Uuid::from_u128(5));
    assert_eq!(cancel(&system, unknown).await, Err(Error::NotFound));
    assert_eq!(
        world.kinds(export).await,
        ["requested", "started", "cancelled"]
    );
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deaf_runner_finishes_after_a_cancellation_is_discarded() {
    let world = World::new();
    let told = Arc::new(Notify::new());
    world.runner.plan(Plan::WhenTold(Arc::clone(&told)));
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    assert_eq!(cancel(&system, export).await, Ok(Status::Cancelled));
    told.notify_one();
    until(|| async { !world.runner.deleted.lock().unwrap().is_empty() }).await;
    assert!(world.runner.objects.lock().unwrap().is_empty());
    assert_eq!(status_of(&system, export).await, Some(Status::Cancelled));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_tried_again_later_and_not_for_ever() {
    let world = World::new();
    world.runner.otherwise(Plan::Fail(
        RunFailure::retryable("source_unavailable").with("source", "main"),
    ));
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { world.kinds(export).await.len() == 3 }).await;
    until(|| async { system.queue_position(export).await.is_some() }).await;
    let position = system.queue_position(export).await.unwrap();
    let view = system.export(export).await.unwrap().unwrap();
    let Stage::Queued {
        not_before: Some(at),
        ..
    } = &view.export.stage
    else {
        panic!("{:?}", view.export.stage);
    };
    assert_eq!(position.reason, WaitReason::Until(*at));
    assert_eq!(at.since(view.export.updated_at), Duration::from_secs(5));
    let failed = || async { status_of(&system, export).await == Some(Status::Failed) };
    world.advance_until(SECOND, failed).await;
    let kinds = world.kinds(export).await;
    let attempt = ["started", "attempt_failed"];
    let expected = [
        &["requested"],
        &attempt[..],
        &attempt[..],
        &["started", "failed"],
    ]
    .concat();
    assert_eq!(kinds, expected);
    until_released(&system, "acme").await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_repetition_can_mend_fails_at_once() {
    let world = World::new();
    world.runner.plan(Plan::Fail(
        RunFailure::permanent("schema_drift").with("column", "phone"),
    ));
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    let view = until_status(&system, export, Status::Failed).await;
    let Stage::Failed(ending) = &view.export.stage else {
        panic!("not failed");
    };
    assert_eq!(ending.code, "schema_drift");
    assert_eq!(ending.parameters["column"], "phone");
    // A category that was taken out of the catalog meanwhile: it fails without ever starting.
    until_released(&system, "acme").await;
    let mut gone = request("acme", "ada");
    gone.request.categories = vec!["gone".to_owned()];
    let export = accepted(&system, gone).await;
    until_status(&system, export, Status::Failed).await;
    assert_eq!(world.kinds(export).await, ["requested", "failed"]);
    until_released(&system, "acme").await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_runner_fails_the_attempt_and_nothing_else() {
    let world = World::new();
    world.runner.plan(Plan::Panic);
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    let completed = || async { status_of(&system, export).await == Some(Status::Completed) };
    world.advance_until(SECOND, completed).await;
    assert_eq!(
        world.kinds(export).await,
        [
            "requested",
            "started",
            "attempt_failed",
            "started",
            "completed"
        ]
    );
    stop(system).await;
}

/// How often the lease of an export was renewed.
async fn renewals(world: &World, export: ExportId) -> usize {
    let kinds = world.all_kinds(export).await;
    kinds.iter().filter(|kind| *kind == "progressed").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_without_progress_fails_as_stalled() {
    let world = World::new();
    world.runner.plan(Plan::UntilCancelled);
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    // Rows keep coming for twice the limit: it goes on, and its lease is renewed.
    let live = system.live_progress(export).unwrap();
    for rows in 2..62 {
        let progress = world.runner.progress.lock().unwrap().clone().unwrap();
        progress.send_modify(|progress| progress.rows = rows);
        drop(progress);
        // However long a renewal takes on a busy machine, time doesn't run away from it.
        let renewed = || async { renewals(&world, export).await >= rows as usize - 1 };
        world.advance_until(SECOND, renewed).await;
    }
    assert_eq!(live.borrow().rows, 61);
    let kinds = world.all_kinds(export).await;
    assert!(
        kinds[2..].iter().all(|kind| kind == "progressed"),
        "{kinds:?}"
    );
    // None come for longer than the limit, but the runner says that it goes on.
    for _ in 0..40 {
        let progress = world.runner.progress.lock().unwrap().clone().unwrap();
        progress.send_modify(|_| ());
        drop(progress);
        world.pass(10 * SECOND, 10 * SECOND).await;
    }
    assert_eq!(status_of(&system, export).await, Some(Status::Running));
    let kinds = world.all_kinds(export).await;
    assert!(
        kinds[2..].iter().all(|kind| kind == "progressed"),
        "{kinds:?}"
    );
    // It says nothing any more.
    let completed = || async { status_of(&system, export).await == Some(Status::Completed) };
    world.advance_until(10 * SECOND, completed).await;
    let history = system.history(export, Some(1), 1000).await.unwrap();
    let failed = history.iter().find_map(|entry| match &entry.event {
        carnet_events::domain::export::ExportEvent::AttemptFailed(failed) => Some(failed),
        _ => None,
    });
    assert_eq!(failed.unwrap().code, "stalled");
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_takes_its_work_up_at_once() {
    let world = World::new();
    let (dead, line, runner) = cuttable(&world, 1).await;
    runner.otherwise(Plan::UntilCancelled);
    let mut exports = Vec::new();
    for of in ["acme", "globex", "initech"] {
        exports.push(accepted(&dead, request(of, "ada")).await);
    }
    until(|| async { *runner.running.borrow() == 2 }).await;
    line.cut();
    // No time passes.
    let restarted = world.start(1).await;
    for export in &exports {
        until_status(&restarted, *export, Status::Completed).await;
    }
    let kinds = world.kinds(exports[0]).await;
    assert_eq!(
        kinds,
        [
            "requested",
            "started",
            "attempt_lost",
            "started",
            "completed"
        ]
    );
    stop(restarted).await;
    line.mend();
    stop(dead).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_takes_over_only_after_silence_and_the_late_result_is_discarded() {
    let world = World::new();
    let (paused, line, runner) = cuttable(&world, 1).await;
    let told = Arc::new(Notify::new());
    runner.otherwise(Plan::WhenTold(Arc::clone(&told)));
    let export = accepted(&paused, request("acme", "ada")).await;
    until(|| async { *runner.running.borrow() == 1 }).await;
    let other = world.start(2).await;
    // As long as it renews its lease, nobody takes it away.
    for _ in 0..120 {
        world.pass(SECOND, SECOND).await;
        breathe().await;
    }
    assert!(
        world
            .kinds(export)
            .await
            .iter()
            .all(|kind| kind != "attempt_lost")
    );
    let before = renewals(&world, export).await;
    let renewed = || async { renewals(&world, export).await > before };
    world.advance_until(SECOND, renewed).await;
    line.cut();
    // The last sign of life is at most ten seconds old: less than 1.5 leases will have passed.
    world.pass(Duration::from_secs(30), SECOND).await;
    assert_eq!(status_of(&other, export).await, Some(Status::Running));
    assert!(world.runner.jobs_of(export).is_empty());
    let completed = || async { status_of(&other, export).await == Some(Status::Completed) };
    world.advance_until(SECOND, completed).await;
    let published = other.export(export).await.unwrap().unwrap().export;
    let key = published.published().unwrap().artifact.key.clone();
    assert!(world.runner.has(&key));
    // The paused node finishes what it had, and is fenced off once it can speak again.
    told.notify_one();
    until(|| async { *runner.running.borrow() == 0 }).await;
    assert_eq!(runner.objects.lock().unwrap().len(), 1);
    line.mend();
    let discarded = || async { runner.objects.lock().unwrap().is_empty() };
    world.advance_until(SECOND, discarded).await;
    assert!(world.runner.has(&key));
    let kinds = world.kinds(export).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "completed").count(), 1);
    stop(paused).await;
    stop(other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_waits_for_the_store_and_is_made_once() {
    let world = World::new();
    let (system, line, runner) = cuttable(&world, 1).await;
    let told = Arc::new(Notify::new());
    runner.plan(Plan::WhenTold(Arc::clone(&told)));
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { *runner.running.borrow() == 1 }).await;
    line.cut();
    told.notify_one();
    until(|| async { *runner.running.borrow() == 0 }).await;
    world.pass(5 * SECOND, SECOND).await;
    assert_eq!(world.kinds(export).await, ["requested", "started"]);
    line.mend();
    let completed = || async { status_of(&system, export).await == Some(Status::Completed) };
    world.advance_until(SECOND, completed).await;
    assert_eq!(runner.jobs_of(export).len(), 1);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_hands_its_work_back() {
    let world = World::new();
    world.runner.plan(Plan::UntilCancelled);
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    stop(system.clone()).await;
    assert_eq!(
        world.kinds(export).await,
        ["requested", "started", "handed_back"]
    );
    assert_eq!(
        ask(&system, request("globex", "bob")).await,
        Err(Error::Stopping)
    );
    let next = world.start(1).await;
    until_status(&next, export, Status::Completed).await;
    stop(next).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_lets_what_runs_finish_within_the_grace() {
    let world = World::new();
    let told = Arc::new(Notify::new());
    world.runner.plan(Plan::WhenTold(Arc::clone(&told)));
    let system = world.start_with(1, |options| options.max_running = 1).await;
    let running = accepted(&system, request("acme", "ada")).await;
    let waiting = accepted(&system, request("globex", "bob")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    let stopping = tokio::spawn({
        let system = system.clone();
        async move { system.shutdown(HOUR).await }
    });
    until(|| async { ask(&system, request("initech", "eve")).await == Err(Error::Stopping) }).await;
    told.notify_one();
    stopping.await.unwrap();
    assert_eq!(
        world.kinds(running).await,
        ["requested", "started", "completed"]
    );
    assert_eq!(world.kinds(waiting).await, ["requested"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_node_leaves_the_work_to_others() {
    let world = World::new();
    let one = world.start(1).await;
    let node = carnet_events::ids::NodeId::from_uuid(uuid::Uuid::from_u128(1));
    one.drain(node, true, order()).await.unwrap();
    let export = accepted(&one, request("acme", "ada")).await;
    until(|| async { one.queue_position(export).await.is_some() }).await;
    assert_eq!(
        one.queue_position(export).await.unwrap().reason,
        WaitReason::Draining
    );
    let two = world.start(2).await;
    until_status(&two, export, Status::Completed).await;
    until_released(&two, "acme").await;
    one.drain(node, false, order()).await.unwrap();
    let export = accepted(&one, request("acme", "ada")).await;
    until_status(&one, export, Status::Completed).await;
    stop(one).await;
    stop(two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_exports_of_many_tenants_all_complete_on_two_nodes() {
    let world = World::new();
    let systems = [world.start(1).await, world.start(2).await];
    let asked = (0..200).map(|number| {
        let system = systems[number % 2].clone();
        async move { accepted(&system, request(&format!("tenant {number}"), "ada")).await }
    });
    for export in join_all(asked).await {
        until_status(&systems[0], export, Status::Completed).await;
        assert_eq!(
            world
                .kinds(export)
                .await
                .iter()
                .filter(|kind| *kind == "completed")
                .count(),
            1
        );
    }
    for system in systems {
        stop(system).await;
    }
}
