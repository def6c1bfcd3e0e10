//! Records that decide nothing, and floods of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carnet_actors::{Cause, System};
use carnet_events::domain::access::{
    AccessDenied, AccessEvent, AuditRead, Downloaded, ExportRefused, LinkIssued,
};
use carnet_events::ids::ExportId;
use carnet_events::store::EventStore;
use carnet_events::store::memory::MemoryStore;
use carnet_events::stream::StreamKind;
use uuid::Uuid;

use crate::faulty::{Fault, FaultyStore};
use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

pub fn denied(by: &str) -> AccessEvent {
    AccessEvent::AccessDenied(AccessDenied {
        principal: person(by),
        route: "export".to_owned(),
    })
}

fn downloaded(partial: bool) -> AccessEvent {
    AccessEvent::Downloaded(Downloaded {
        principal: person("ada"),
        export: ExportId::from_uuid(Uuid::from_u128(1)),
        representation: "stored".to_owned(),
        link: None,
        partial,
    })
}

pub async fn record(system: &System, event: AccessEvent) {
    system
        .record_access(&tenant("acme"), event, &Cause::default())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_one_record_and_one_count_a_minute() {
    let world = World::new();
    let system = world.start(1).await;
    for _ in 0..1000 {
        record(&system, denied("ada")).await;
    }
    record(&system, denied("bob")).await;
    assert_eq!(world.access_records().await, [denied("ada"), denied("bob")]);
    let counted = || async { world.access_records().await.len() == 3 };
    world.advance_until(SECOND, counted).await;
    let AccessEvent::Repeated(repeated) = world.access_records().await.remove(2) else {
        panic!("not folded");
    };
    assert_eq!(
        (repeated.count, repeated.of.as_str()),
        (999, "access_denied")
    );
    assert_eq!(repeated.code.as_deref(), Some("export"));
    assert!(repeated.from <= repeated.to);
    // It goes on: counted again, and what is counted is written when the node stops.
    record(&system, denied("ada")).await;
    assert_eq!(world.access_records().await.len(), 3);
    stop(system).await;
    let AccessEvent::Repeated(rest) = world.access_records().await.remove(3) else {
        panic!("not flushed");
    };
    assert_eq!(rest.count, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_a_flood_is_over_the_next_is_a_first_again() {
    let world = World::new();
    let system = world.start(1).await;
    record(&system, denied("ada")).await;
    world.pass(3 * MINUTE, MINUTE).await;
    record(&system, denied("ada")).await;
    assert_eq!(world.access_records().await, [denied("ada"), denied("ada")]);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ranges_of_one_download_are_one_record() {
    let world = World::new();
    let system = world.start(1).await;
    record(&system, downloaded(false)).await;
    for _ in 0..30 {
        record(&system, downloaded(true)).await;
        world.pass(MINUTE, MINUTE).await;
    }
    // However short the pauses between them, a download doesn't last for ever.
    let two = [downloaded(false), downloaded(true)];
    assert_eq!(world.access_records().await, two);
    // A whole download is another one.
    record(&system, downloaded(false)).await;
    assert_eq!(world.access_records().await.len(), 3);
    world.pass(20 * MINUTE, MINUTE).await;
    record(&system, downloaded(true)).await;
    assert_eq!(world.access_records().await.len(), 4);
    stop(system).await;
}

fn link(id: &str) -> AccessEvent {
    AccessEvent::LinkIssued(LinkIssued {
        principal: person("ada"),
        export: ExportId::from_uuid(Uuid::from_u128(1)),
        link: id.to_owned(),
        expires_at: carnet_events::ids::Timestamp::EPOCH,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_is_its_own_record_until_there_is_a_flood_of_them() {
    let world = World::new();
    let system = world.start(1).await;
    let links: Vec<_> = (0..1000).map(|id| link(&id.to_string())).collect();
    for link in &links {
        record(&system, link.clone()).await;
    }
    let written = world.access_records().await;
    assert!((3..100).contains(&written.len()), "{}", written.len());
    assert_eq!(written, links[..written.len()]);
    stop(system).await;
    let Some(AccessEvent::Repeated(rest)) = world.access_records().await.pop() else {
        panic!("not folded");
    };
    assert_eq!(rest.of, "link_issued");
    assert_eq!(rest.count, (links.len() - written.len()) as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_minute_links_are_told_one_by_one_again() {
    let world = World::new();
    let system = world.start(1).await;
    for minute in 0..3 {
        for number in 0..15 {
            record(&system, link(&format!("{minute}-{number}"))).await;
        }
        world.pass(MINUTE, 10 * SECOND).await;
    }
    assert_eq!(world.access_records().await.len(), 45);
    stop(system).await;
}

fn refused(categories: &[&str]) -> AccessEvent {
    AccessEvent::ExportRefused(ExportRefused {
        principal: person("ada"),
        code: "unknown_category".to_owned(),
        categories: categories.iter().map(|&id| id.to_owned()).collect(),
        next_allowed_at: None,
    })
}

fn audit_read(format: &str, filters: &[(&str, &str)]) -> AccessEvent {
    let filters = filters.iter().map(|&(key, value)| (key, value));
    AccessEvent::AuditRead(AuditRead {
        principal: person("ada"),
        export: None,
        format: format.to_owned(),
        filters: filters
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_record_has_named_yet_is_no_repetition() {
    let world = World::new();
    let system = world.start(1).await;
    let told = [
        refused(&[]),
        refused(&["paid"]),
        refused(&["large", "paid"]),
        audit_read("csv", &[("type", "cancelled")]),
        audit_read("csv", &[]),
        audit_read("json", &[]),
    ];
    for event in &told {
        record(&system, event.clone()).await;
    }
    record(&system, refused(&["large"])).await;
    record(&system, audit_read("csv", &[("type", "cancelled")])).await;
    assert_eq!(world.access_records().await, told);
    // So it is in the next window of a flood, too.
    let counted = || async { world.access_records().await.len() == told.len() + 2 };
    world.advance_until(SECOND, counted).await;
    record(&system, refused(&["paid"])).await;
    let last = world.access_records().await.pop();
    assert_eq!(last, Some(refused(&["paid"])));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_that_are_all_different_are_told_up_to_a_number() {
    let world = World::new();
    let system = world.start(1).await;
    for n in 0..1000 {
        record(&system, audit_read("json", &[("from", &n.to_string())])).await;
    }
    let written = world.access_records().await.len();
    assert!((5..100).contains(&written), "{written}");
    stop(system).await;
    let Some(AccessEvent::Repeated(rest)) = world.access_records().await.pop() else {
        panic!("not folded");
    };
    assert_eq!(rest.count, 1000 - written as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repetition_is_answered_once_the_first_is_durable() {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()));
    let world = World::on(Arc::clone(&store) as Arc<dyn EventStore>);
    let system = world.start(1).await;
    let lost = Arc::new(AtomicBool::new(true));
    let is_lost = Arc::clone(&lost);
    store.fail(move |stream, _| {
        let access = stream.kind() == StreamKind::Access;
        (access && is_lost.load(Ordering::SeqCst)).then_some(Fault::InDoubt)
    });
    let [first, second] = [(), ()].map(|()| {
        let system = system.clone();
        tokio::spawn(async move { record(&system, denied("ada")).await })
    });
    settle().await;
    assert!(!first.is_finished() && !second.is_finished());
    lost.store(false, Ordering::SeqCst);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(world.access_records().await, [denied("ada")]);
    stop(system).await;
    assert_eq!(world.access_records().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_first_is_not_written_the_next_is() {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()));
    let world = World::on(Arc::clone(&store) as Arc<dyn EventStore>);
    let system = world.start(1).await;
    let mut appends = 0;
    store.fail(move |stream, _| {
        appends += usize::from(stream.kind() == StreamKind::Access);
        (appends == 1).then_some(Fault::NotMade)
    });
    let (acme, cause) = (tenant("acme"), Cause::default());
    let all = (0..3).map(|_| system.record_access(&acme, denied("ada"), &cause));
    let answers = futures::future::join_all(all).await;
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(failed, 1, "{answers:?}");
    assert_eq!(world.access_records().await, [denied("ada")]);
    stop(system).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_does_not_wait_without_end_to_write_counts() {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()));
    let world = World::on(Arc::clone(&store) as Arc<dyn EventStore>);
    let system = world.start(1).await;
    for by in 0..100 {
        for _ in 0..2 {
            record(&system, denied(&format!("p{by}"))).await;
        }
    }
    store.fail(|stream, _| (stream.kind() == StreamKind::Access).then_some(Fault::InDoubt));
    let began = tokio::time::Instant::now();
    stop(system).await;
    assert!(began.elapsed() < MINUTE, "{:?}", began.elapsed());
}
