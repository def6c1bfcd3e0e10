//! What events go back to: the request, whoever carries on what it began.

use carnet_actors::{Admission, Cause, Order, System};
use carnet_events::domain::access::{AccessDenied, AccessEvent};
use carnet_events::domain::export::{Deletion, Status};
use carnet_events::envelope::{Metadata, Recorded};
use carnet_events::ids::ExportId;
use carnet_events::store::{Direction, ReadFrom};
use carnet_events::stream::{StreamKind, StreamName};
use futures::TryStreamExt;
use uuid::Uuid;

use crate::lifecycle::cuttable;
use crate::runner::Plan;
use crate::support::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn cause(number: u128) -> Cause {
    Cause {
        correlation: Some(Uuid::from_u128(number)),
        trace: Some(TRACE.to_owned()),
    }
}

async fn admit(system: &System, of: &str, number: u128) -> ExportId {
    let asked = request(of, "ada");
    match system.admit(asked, cause(number)).await.unwrap() {
        Admission::Accepted { export, .. } => export,
        Admission::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

async fn events(world: &World, stream: &StreamName) -> Vec<(Recorded, Metadata)> {
    let read = world
        .store
        .read(stream, ReadFrom::Start, Direction::Forwards, usize::MAX);
    let all: Vec<_> = read.try_collect().await.unwrap();
    all.into_iter()
        .map(|event| {
            let metadata = Metadata::from_bytes(&event.metadata).unwrap();
            (event, metadata)
        })
        .collect()
}

/// Holds every event of the export, and the one that frees its slot, against the request it goes back to.
async fn goes_back_to(world: &World, of: &str, export: ExportId, number: u128) -> Vec<String> {
    let stream = events(world, &StreamName::export(export)).await;
    let released = events(world, &StreamName::tenant(&tenant(of))).await;
    let last = released.last().unwrap();
    assert_eq!(last.0.kind, "export_released");
    for (event, metadata) in stream.iter().chain([last]) {
        assert_eq!(metadata.correlation, cause(number).correlation, "{event:?}");
        assert_eq!(metadata.trace.as_deref(), Some(TRACE), "{event:?}");
        assert!(metadata.causation.is_some(), "{event:?}");
        assert_eq!(metadata.tenant, Some(tenant(of)));
    }
    let settled = stream.iter().find(|(event, _)| event.kind == "completed");
    assert_eq!(last.1.causation, settled.map(|(event, _)| event.id));
    // Each follows from what stood there, and those of one decision from the same.
    for (index, (event, metadata)) in stream.iter().enumerate().skip(1) {
        let earlier: Vec<_> = stream[..index].iter().map(|(event, _)| event.id).collect();
        let follows = metadata.causation.unwrap();
        let newest = &earlier[earlier.len().saturating_sub(2)..];
        assert!(newest.contains(&follows), "{event:?}");
    }
    let kinds = stream.iter().map(|(event, _)| event.kind.to_string());
    kinds.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_becomes_of_an_export_goes_back_to_its_request() {
    let world = World::new();
    let (dead, line, runner) = cuttable(&world, 1).await;
    runner.otherwise(Plan::UntilCancelled);
    let export = admit(&dead, "acme", 7).await;
    until(|| async { *runner.running.borrow() == 1 }).await;
    line.cut();
    // Another process, which has seen nothing of the request, takes it up and brings it to its end.
    let next = world.start(1).await;
    until_status(&next, export, Status::Completed).await;
    until_released(&next, "acme").await;
    let kinds = goes_back_to(&world, "acme", export, 7).await;
    assert!(kinds.contains(&"attempt_lost".to_owned()), "{kinds:?}");
    world.pass(7 * DAY, DAY).await;
    world
        .advance_until(10 * SECOND, || async {
            let view = next.export(export).await.unwrap().unwrap();
            matches!(view.export.deletion, Deletion::Done { .. })
        })
        .await;
    let kinds = goes_back_to(&world, "acme", export, 7).await;
    assert_eq!(kinds.last().unwrap(), "artifact_deleted");
    stop(next).await;
    line.mend();
    stop(dead).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_attempts_and_signs_of_life_go_back_to_the_request() {
    let world = World::new();
    world.runner.plan(Plan::UntilCancelled);
    let system = world.start(1).await;
    let export = admit(&system, "acme", 8).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    // It stalls, and the next attempt completes.
    let done = || async { status_of(&system, export).await == Some(Status::Completed) };
    world.advance_until(10 * SECOND, done).await;
    until_released(&system, "acme").await;
    let kinds = goes_back_to(&world, "acme", export, 8).await;
    for kind in ["progressed", "attempt_failed"] {
        assert!(kinds.iter().any(|one| one == kind), "no {kind}: {kinds:?}");
    }
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_go_back_to_their_request_and_counts_to_the_first_record() {
    let world = World::new();
    let system = world.start(1).await;
    let denied = AccessEvent::AccessDenied(AccessDenied {
        principal: person("ada"),
        route: "export".to_owned(),
    });
    for number in [1, 2, 3] {
        system
            .record_access(&tenant("acme"), denied.clone(), &cause(number))
            .await
            .unwrap();
    }
    stop(system).await;
    let all: Vec<_> = world
        .store
        .read_all(
            None,
            carnet_events::store::Filter::all().streams([StreamKind::Access]),
            9,
        )
        .try_collect()
        .await
        .unwrap();
    let [first, repeated] = &all[..] else {
        panic!("{all:?}");
    };
    let [one, other] =
        [first, repeated].map(|event| Metadata::from_bytes(&event.metadata).unwrap());
    assert_eq!(one.causation, cause(1).correlation);
    assert_eq!(one.correlation, cause(1).correlation);
    assert_eq!(other.causation, Some(first.id));
    assert_eq!(other.correlation, cause(1).correlation);
    assert_eq!(other.trace.as_deref(), Some(TRACE));
}

/// Persons, reasons and a directory's key come of requests, too; their ids tell nothing of a person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_of_persons_goes_back_to_its_request() {
    let world = World::new();
    let system = world.start(1).await;
    let acme = tenant("acme");
    let ada = system.principal(&acme, "ada", &cause(1)).await.unwrap();
    let mut asked = request("acme", "ada");
    asked.reason = Some("because".to_owned());
    system.admit(asked, cause(2)).await.unwrap();
    let olga = system.operator("olga", &cause(3)).await.unwrap();
    let order = Order {
        by: olga.clone(),
        reason: "because".to_owned(),
        cause: cause(4),
    };
    system.pause_intake(true, order).await.unwrap();

    let directory = events(&world, &StreamName::directory(&acme)).await;
    let platform = events(&world, &StreamName::platform_directory()).await;
    let all: Vec<_> = directory.iter().chain(&platform).collect();
    let kinds: Vec<_> = all.iter().map(|(event, _)| event.kind.as_ref()).collect();
    let each = ["key_created", "person_seen", "reason_given"];
    assert_eq!(kinds, [each, each].concat());
    for ((event, metadata), number) in all.iter().zip([1, 1, 2, 3, 3, 4]) {
        assert_eq!(metadata.correlation, cause(number).correlation, "{event:?}");
        assert_eq!(metadata.causation, metadata.correlation, "{event:?}");
        assert_eq!(metadata.trace.as_deref(), Some(TRACE), "{event:?}");
    }
    let principals: Vec<_> = all.iter().map(|(_, said)| said.principal.clone()).collect();
    let (ada, asker, olga) = (Some(ada), Some(person("ada")), Some(olga));
    let expected = [None, ada, asker, None, olga.clone(), olga];
    assert_eq!(principals, expected);
    let paused = events(&world, &StreamName::platform()).await;
    let (event, metadata) = paused.last().unwrap();
    assert_eq!(event.kind, "intake_paused");
    assert_eq!(metadata.causation, cause(4).correlation);
    stop(system).await;
}
