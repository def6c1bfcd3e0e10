//! Persons, and what concerns every tenant.

use std::collections::BTreeMap;

use carnet_actors::ports::RandomIds;
use carnet_actors::{Cause, Keys, log_id, publish_policies};
use carnet_events::codec::decode;
use carnet_events::domain::export::Status;
use carnet_events::domain::policy::PolicyEvent;
use carnet_events::ids::{Digest, NodeId};
use carnet_events::store::{Direction, ReadFrom};
use carnet_events::stream::StreamName;
use futures::TryStreamExt;
use uuid::Uuid;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_never_runs_backwards_in_the_platforms_stream() {
    let world = World::new();
    let system = world.start(1).await;
    let digest = Digest::from_bytes([1; 32]);
    for (ahead, paused) in [(4_000, true), (0, false), (-4_000, true)] {
        world.clock.set_ahead(ahead);
        let order = order();
        assert!(system.pause_intake(paused, order).await.unwrap().is_some());
        let next = world.start(2).await;
        next.configuration_applied(digest, "1", &BTreeMap::new())
            .await
            .unwrap();
        stop(next).await;
    }
    let log = system.platform_log(None, 99).await.unwrap();
    let times: Vec<_> = log.iter().map(|entry| entry.metadata.recorded_at).collect();
    assert!(
        times.len() >= 5 && times.is_sorted_by(|a, b| a >= b),
        "{times:?}"
    );
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn persons_have_one_pseudonym_per_tenant_and_are_known_only_in_the_directory() {
    let world = World::new();
    let systems = [world.start(1).await, world.start(2).await];
    let (acme, none) = (tenant("acme"), Cause::default());
    let asked = systems
        .iter()
        .map(|system| system.principal(&acme, "ada@example.com", &none));
    let found = futures::future::try_join_all(asked).await.unwrap();
    assert_eq!(found[0], found[1]);
    assert!(found[0].as_str().starts_with("p-") && found[0].as_str().len() == 34);
    let elsewhere = systems[0]
        .principal(&tenant("globex"), "ada@example.com", &Cause::default())
        .await
        .unwrap();
    assert_ne!(found[0], elsewhere);
    for system in &systems {
        let subject = system.subject(&acme, &found[0]).await.unwrap();
        assert_eq!(subject.as_deref(), Some("ada@example.com"));
        assert_eq!(system.subject(&acme, &elsewhere).await.unwrap(), None);
    }
    let directory = StreamName::directory(&acme);
    assert_eq!(world.store.head(&directory).await.unwrap(), Some(1));
    // Digests are keyed likewise, and are no pseudonyms.
    let mut digests = Vec::new();
    for (system, of) in [(0, "acme"), (1, "acme"), (0, "globex")] {
        let of = tenant(of);
        let digest = systems[system].keyed_digest(&of, b"ada@example.com");
        digests.push(digest.await.unwrap());
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
    assert!(!digests[0].to_string().contains(&found[0].as_str()[2..]));

    world.store.erase(&directory).await.unwrap();
    assert_eq!(systems[0].subject(&acme, &found[0]).await.unwrap(), None);
    let erased = systems[1]
        .principal(&acme, "bob@example.com", &Cause::default())
        .await;
    assert_eq!(erased, Err(carnet_actors::Error::DirectoryErased));
    for system in systems {
        stop(system).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reasons_stay_in_the_directory() {
    let world = World::new();
    let system = world.start(1).await;
    let mut asked = request("acme", "ada");
    asked.reason = Some("for my lawyer, Ms Example".to_owned());
    let export = accepted(&system, asked).await;
    let reason = system.reason(&tenant("acme"), export).await.unwrap();
    assert_eq!(reason.as_deref(), Some("for my lawyer, Ms Example"));
    let all: Vec<_> = world
        .store
        .read_all(None, carnet_events::store::Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    let elsewhere = all.iter().filter(|event| event.kind != "reason_given");
    for event in elsewhere {
        assert!(
            !String::from_utf8_lossy(&event.data).contains("lawyer"),
            "{}",
            event.kind
        );
    }
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_has_one_id_for_ever() {
    let world = World::new();
    let (one, two) = tokio::join!(world.start(1), world.start(2));
    let (store, clock) = (world.store.as_ref(), &world.clock);
    let id = log_id(store, &RandomIds, clock).await.unwrap();
    one.configuration_applied(Digest::from_bytes([1; 32]), "0.1.0", &BTreeMap::new())
        .await
        .unwrap();
    one.configuration_applied(Digest::from_bytes([1; 32]), "0.1.0", &BTreeMap::new())
        .await
        .unwrap();
    assert_eq!(
        world.store.head(&StreamName::platform()).await.unwrap(),
        Some(1)
    );
    stop(one).await;
    stop(two).await;
    let again = world.start(1).await;
    assert_eq!(log_id(store, &RandomIds, clock).await.unwrap(), id);
    let first = world.store.read(
        &StreamName::platform(),
        ReadFrom::Start,
        Direction::Forwards,
        1,
    );
    let first: Vec<_> = first.try_collect().await.unwrap();
    assert!(String::from_utf8_lossy(&first[0].data).contains(&id.to_string()));
    stop(again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_not_the_logs_are_found_out() {
    let world = World::new();
    let system = world.start(1).await;
    let key = |n| Digest::from_bytes([n; 32]);
    let node = NodeId::from_uuid(Uuid::from_u128(1));
    let (store, ids, clock) = (world.store.as_ref(), &RandomIds, &world.clock);
    let apply = async |keys: &[Digest], replace| {
        carnet_actors::apply_keys(store, ids, clock, node, keys, replace)
            .await
            .unwrap()
    };
    let head = async || store.head(&StreamName::platform()).await.unwrap();
    assert_eq!(apply(&[key(1)], false).await, Keys::Known);
    let recorded = head().await;
    assert_eq!(apply(&[key(1)], false).await, Keys::Known);
    assert_eq!(apply(&[key(9)], false).await, Keys::Foreign);
    assert_eq!(head().await, recorded, "nothing new to say");
    // A change of keys goes over one that both rings have.
    assert_eq!(apply(&[key(1), key(2)], false).await, Keys::Known);
    assert_eq!(apply(&[key(2), key(1)], false).await, Keys::Known);
    assert_eq!(apply(&[key(2)], false).await, Keys::Known);
    assert_eq!(apply(&[key(1)], false).await, Keys::Foreign);
    assert_eq!(apply(&[key(1)], true).await, Keys::Known);
    assert_eq!(apply(&[key(1)], false).await, Keys::Known);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_published_once() {
    let world = World::new();
    let (options, ports) = world.parts(1);
    let digest = Digest::from_bytes([3; 32]);
    let policies = || vec![(digest, "users".to_owned(), "{}".to_owned())];
    for _ in 0..2 {
        publish_policies(&options, &ports, policies())
            .await
            .unwrap();
        world.clock.advance(SECOND);
    }
    let stream = StreamName::policy(&digest);
    let events = world
        .store
        .read(&stream, ReadFrom::Start, Direction::Forwards, 9);
    let events: Vec<_> = events.try_collect().await.unwrap();
    let [event] = &events[..] else {
        panic!("published {} times", events.len());
    };
    let PolicyEvent::Published(published) = decode::<PolicyEvent>(event).unwrap().1.what;
    assert_eq!(
        (published.category.as_str(), published.document.as_str()),
        ("users", "{}")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_an_export_hears_of_every_change_on_any_node() {
    let world = World::new();
    let here = world.start(1).await;
    let elsewhere = world.start_with(2, |options| options.max_running = 1).await;
    world.runner.otherwise(crate::runner::Plan::UntilCancelled);
    let export = accepted(&elsewhere, request("acme", "ada")).await;
    let mut changes = here.watch(export);
    let follower = tokio::spawn({
        let here = here.clone();
        async move {
            loop {
                if status_of(&here, export).await == Some(Status::Cancelled) {
                    return;
                }
                assert!(changes.changed().await);
            }
        }
    });
    until_status(&elsewhere, export, Status::Running).await;
    elsewhere
        .cancel(export, person("ada"), Cause::default())
        .await
        .unwrap();
    follower.await.unwrap();

    let history = here.history(export, None, 100).await.unwrap();
    let revisions: Vec<_> = history.iter().map(|entry| entry.revision).collect();
    assert_eq!(revisions, (0..history.len() as u64).collect::<Vec<_>>());
    assert_eq!(history.last().unwrap().after.status(), Status::Cancelled);
    assert_eq!(
        history.last().unwrap().metadata.principal,
        Some(person("ada"))
    );
    let rest = here.history(export, Some(0), 1).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].revision, 1);
    let mut ended = here.watch(export);
    stop(here).await;
    assert!(!ended.changed().await);
    stop(elsewhere).await;
}
