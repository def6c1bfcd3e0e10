//! What operators do: each act once, with a reason that no event holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use carnet_actors::ports::RunFailure;
use carnet_actors::{Cause, Error, WaitReason};
use carnet_events::domain::export::{Stage, Status};
use carnet_events::domain::tenant::{LimitKind, TenantCommand};
use carnet_events::ids::{ExportId, NodeId};
use carnet_events::store::Filter;
use carnet_events::stream::StreamName;
use futures::TryStreamExt;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::faulty::FaultyStore;
use crate::runner::Plan;
use crate::support::*;

/// All events that hold `text`, by stream and type.
async fn holding(world: &World, text: &str) -> Vec<(StreamName, String)> {
    let all = world.store.read_all(None, Filter::all(), usize::MAX);
    let all: Vec<_> = all.try_collect().await.unwrap();
    let holds = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
    all.into_iter()
        .filter(|event| holds(&event.data) || holds(&event.metadata))
        .map(|event| (event.stream, event.kind.to_string()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requeuing_a_running_export_fences_its_runner_and_starts_another() {
    let world = World::new();
    let told = Arc::new(Notify::new());
    world.runner.plan(Plan::WhenTold(Arc::clone(&told)));
    let one = world.start(1).await;
    let export = accepted(&one, request("acme", "ada")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    // The runner is deaf to being told to stop; another node takes the export up.
    let two = world.start(2).await;
    let written = two.requeue(export, order()).await.unwrap().unwrap();
    assert_eq!((written.kind.as_str(), written.revision), ("requeued", 2));
    let view = until_status(&two, export, Status::Completed).await;
    assert_eq!(view.export.published().unwrap().attempt, 2);
    // Its report comes too late, and what it stored is removed.
    told.notify_one();
    until(|| async { *world.runner.running.borrow() == 0 }).await;
    until(|| async { !world.runner.deleted.lock().unwrap().is_empty() }).await;
    assert_eq!(
        world.kinds(export).await,
        ["requested", "started", "requeued", "started", "completed"]
    );
    stop(one).await;
    stop(two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requeuing_on_the_node_that_runs_it_starts_it_anew_there() {
    let world = World::new();
    world.runner.plan(Plan::UntilCancelled);
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    assert!(system.requeue(export, order()).await.unwrap().is_some());
    let view = until_status(&system, export, Status::Completed).await;
    assert_eq!((view.export.attempt, view.export.losses), (2, 0));
    let late = system.requeue(export, order()).await;
    assert!(matches!(late, Err(Error::Illegal { .. })), "{late:?}");
    let unknown = ExportId::from_uuid(Uuid::from_u128(5));
    assert_eq!(system.requeue(unknown, order()).await, Err(Error::NotFound));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requeuing_ends_the_wait_for_the_next_attempt() {
    let world = World::new();
    let failure = RunFailure::retryable("source_unavailable");
    world.runner.plan(Plan::Fail(failure));
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { world.kinds(export).await.len() == 3 }).await;
    assert!(system.requeue(export, order()).await.unwrap().is_some());
    // The clock stands still: it did not wait.
    until_status(&system, export, Status::Completed).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_an_export_stops_its_runner_frees_its_slot_and_says_who_did_it() {
    let world = World::new();
    world.runner.plan(Plan::UntilCancelled);
    let system = world.start(1).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    let written = system.fail(export, order()).await.unwrap().unwrap();
    assert_eq!(written.kind, "failed");
    assert_eq!(system.fail(export, order()).await, Ok(None));
    until(|| async { *world.runner.running.borrow() == 0 }).await;
    let view = system.export(export).await.unwrap().unwrap();
    let Stage::Failed(ending) = &view.export.stage else {
        panic!("not failed");
    };
    assert_eq!(
        (ending.code.as_str(), &ending.by),
        ("operator", &Some(person("op")))
    );
    let next = accepted(&system, request("acme", "ada")).await;
    until_status(&system, next, Status::Completed).await;
    assert!(matches!(
        system.fail(next, order()).await,
        Err(Error::Illegal { .. })
    ));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reasons_stand_in_the_directory_of_whom_they_concern_and_nowhere_else() {
    let world = World::new();
    let system = world.start(1).await;
    let acme = tenant("acme");
    let principal = system
        .operator("olga@example.com", &Cause::default())
        .await
        .unwrap();
    assert_eq!(
        system
            .operator("olga@example.com", &Cause::default())
            .await
            .unwrap(),
        principal
    );
    assert!(principal.as_str().starts_with("op-"));
    assert_ne!(
        system
            .principal(&acme, "olga@example.com", &Cause::default())
            .await
            .unwrap(),
        principal
    );
    let mut asked = order();
    asked.by = principal.clone();
    let close = |by| TenantCommand::Close { principal: by };
    let closed = system.act_on_tenant(&acme, close(principal.clone()), asked.clone());
    let closed = closed.await.unwrap().unwrap();
    assert_eq!(closed.kind, "closed");
    let again = system.act_on_tenant(&acme, close(principal.clone()), asked.clone());
    assert_eq!(again.await, Ok(None));
    let paused = system.pause_intake(true, asked.clone()).await;
    let paused = paused.unwrap().unwrap();
    assert_eq!(system.pause_intake(true, asked.clone()).await, Ok(None));

    let reason = Some(asked.reason.clone());
    assert_eq!(
        system.act_reason(Some(&acme), closed.id).await,
        Ok(reason.clone())
    );
    assert_eq!(system.act_reason(None, closed.id).await, Ok(None));
    assert_eq!(system.act_reason(None, paused.id).await, Ok(reason));
    let given = "reason_given".to_owned();
    assert_eq!(
        holding(&world, &asked.reason).await,
        [
            (StreamName::directory(&acme), given.clone()),
            (StreamName::platform_directory(), given)
        ]
    );
    let subject = system.operator_subject(&principal).await.unwrap();
    assert_eq!(subject.as_deref(), Some("olga@example.com"));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_nodes_that_have_served_can_be_drained() {
    let world = World::new();
    let system = world.start(1).await;
    let digest = carnet_events::ids::Digest::from_bytes([1; 32]);
    system
        .configuration_applied(digest, "1.2.3", &BTreeMap::new())
        .await
        .unwrap();
    let node = |number| NodeId::from_uuid(Uuid::from_u128(number));
    assert_eq!(
        system.drain(node(9), true, order()).await,
        Err(Error::NotFound)
    );
    assert!(
        system
            .drain(node(1), true, order())
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(system.drain(node(1), true, order()).await, Ok(None));
    let view = system.platform().await.unwrap();
    assert_eq!(view.draining[&node(1)].by, person("op"));
    assert_eq!(view.nodes[&node(1)].version, "1.2.3");
    assert!(view.intake_paused.is_none());
    let log = system.platform_log(None, 2).await.unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].metadata.principal, Some(person("op")));
    let older = system.platform_log(Some(log[1].revision), 10).await;
    assert_eq!(older.unwrap().len(), 1);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exemption_goes_to_somebody_who_has_been_seen() {
    let world = World::new();
    let system = world.start(1).await;
    let acme = tenant("acme");
    assert_eq!(system.knows_tenant(&acme).await, Ok(false));
    assert_eq!(system.person(&acme, "ada").await, Ok(None));
    let ada = system
        .principal(&acme, "ada", &Cause::default())
        .await
        .unwrap();
    assert_eq!(system.person(&acme, "ada").await, Ok(Some(ada.clone())));
    assert_eq!(system.person(&acme, "bob").await, Ok(None));
    assert_eq!(system.knows_tenant(&acme).await, Ok(true));

    let exemption = TenantCommand::GrantExemption {
        id: "one".to_owned(),
        limit: LimitKind::User,
        count: 1,
        until: carnet_events::ids::Timestamp::from_millis(i64::MAX),
        person: Some(ada.clone()),
        principal: person("op"),
    };
    let granted = system.act_on_tenant(&acme, exemption, order()).await;
    assert_eq!(granted.unwrap().unwrap().kind, "exemption_granted");
    let remaining = |who| {
        let (system, acme) = (system.clone(), acme.clone());
        async move {
            let standing = system.standing(&acme, &who, &limits()).await.unwrap();
            standing.windows.user.remaining()
        }
    };
    assert_eq!(remaining(ada).await, 4);
    assert_eq!(remaining(person("bob")).await, 3);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_reads_late_what_it_read_before_stays_drained() {
    let world = World::new();
    let store = FaultyStore::new(Arc::clone(&world.store));
    let runner = Arc::clone(&world.runner) as _;
    let one = world
        .start_on(1, Arc::clone(&store) as _, runner, |_| {})
        .await;
    let one = Arc::new(one);
    let digest = carnet_events::ids::Digest::from_bytes([1; 32]);
    one.configuration_applied(digest, "1.2.3", &BTreeMap::new())
        .await
        .unwrap();
    let two = world.start(2).await;
    // Something new, which one look at the stream has read and not yet taken in.
    two.pause_intake(true, order()).await.unwrap();
    two.pause_intake(false, order()).await.unwrap();
    let hold = store.hold(StreamName::platform());
    let late = {
        let one = Arc::clone(&one);
        tokio::spawn(async move { one.platform().await.map(|_| ()) })
    };
    hold.held.notified().await;
    let node = NodeId::from_uuid(Uuid::from_u128(1));
    two.drain(node, true, order()).await.unwrap();
    stop(two).await;
    assert!(one.platform().await.unwrap().draining.contains_key(&node));
    hold.go_on.notify_one();
    late.await.unwrap().unwrap();
    let export = accepted(&one, request("acme", "ada")).await;
    until(|| async { one.queue_position(export).await.is_some() }).await;
    let waiting = one.queue_position(export).await.unwrap();
    assert_eq!(waiting.reason, WaitReason::Draining);
    stop(Arc::into_inner(one).unwrap()).await;
}
