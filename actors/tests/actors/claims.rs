//! Claims whose answers are lost.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::codec::{Context, encode};
use carnet_events::domain::export::{AttemptLost, ExportEvent, Started};
use carnet_events::ids::{Incarnation, NodeId};
use carnet_events::store::Expected;
use futures::executor::block_on;
use uuid::Uuid;

use crate::faulty::{Fault, FaultyStore};
use crate::runner::Plan;
use crate::support::*;

/// What another node appends when it takes an export over from its first attempt.
fn takeover(world: &World) -> Vec<carnet_events::envelope::NewEvent> {
    let lost = ExportEvent::AttemptLost(AttemptLost {
        attempt: 1,
        retry_at: None,
    });
    let started = ExportEvent::Started(Started {
        attempt: 2,
        node: NodeId::from_uuid(Uuid::from_u128(99)),
        incarnation: Incarnation::from_uuid(Uuid::from_u128(990)),
        lease_ms: 30_000,
        policy_digests: Default::default(),
    });
    let at = carnet_actors::ports::Clock::now(&world.clock);
    let encoded = |event| encode(Uuid::new_v4(), at, event, &Context::default()).unwrap();
    [&lost, &started].map(encoded).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_was_taken_over_before_its_answer_came_is_not_run_in_the_others_name() {
    let world = World::new();
    world.runner.otherwise(Plan::UntilCancelled);
    let store = FaultyStore::new(Arc::clone(&world.store));
    let (behind, batch) = (Arc::clone(&world.store), takeover(&world));
    let mut claims = 0;
    store.fail(move |stream, events| {
        if events.iter().all(|event| event.kind != "started") {
            return None;
        }
        claims += 1;
        match claims {
            1 => Some(Fault::AnswerLost),
            // Until the repetition comes the other node was there, and this store has forgotten the first try.
            2 => {
                let taken = behind.append(stream, Expected::Exact(1), batch.clone());
                block_on(taken).unwrap();
                Some(Fault::Forgotten)
            }
            _ => None,
        }
    });
    let (store, runner) = (Arc::clone(&store) as _, Arc::clone(&world.runner) as _);
    let system = world.start_on(1, store, runner, |_| {}).await;
    let export = accepted(&system, request("acme", "ada")).await;
    until(|| async { world.kinds(export).await.len() == 4 }).await;
    // Long enough for a runner to have begun, and for a sign of life in the other's name; less than a lease.
    world.pass(Duration::from_secs(20), SECOND).await;
    assert!(world.runner.jobs_of(export).is_empty());
    assert_eq!(
        world.all_kinds(export).await,
        ["requested", "started", "attempt_lost", "started"]
    );
    stop(system).await;
}
