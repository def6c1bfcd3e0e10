//! What becomes of a tenant that has cancelled, once its grace window is over.

use std::sync::Arc;

use carnet_actors::{Cause, Error, System};
use carnet_events::domain::export::{Deletion, DeletionCause, Stage, Status};
use carnet_events::domain::tenant::{Lifecycle, TenantCommand};
use carnet_events::ids::ExportId;
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{Direction, EventStore, ReadFrom};
use carnet_events::stream::{StreamKind, StreamName};
use futures::TryStreamExt;

use crate::faulty::{Fault, FaultyStore};
use crate::runner::Plan;
use crate::support::*;

async fn cancel(system: &System) {
    let command = TenantCommand::Cancel {
        grace: 2 * DAY,
        principal: order().by,
    };
    let acme = tenant("acme");
    let act = system.act_on_tenant(&acme, command, order());
    act.await.unwrap().unwrap();
}

async fn lifecycle(system: &System) -> Lifecycle {
    let view = system.tenant(&tenant("acme")).await.unwrap();
    view.tenant.lifecycle
}

/// An export with a file, and the file's key.
async fn completed(system: &System) -> (ExportId, String) {
    let mut asked = request("acme", "ada");
    asked.reason = Some("for my lawyer".to_owned());
    let export = accepted(system, asked).await;
    let view = until_status(system, export, Status::Completed).await;
    until_released(system, "acme").await;
    (
        export,
        view.export.published().unwrap().artifact.key.clone(),
    )
}

async fn tenant_kinds(world: &World) -> Vec<String> {
    let stream = StreamName::tenant(&tenant("acme"));
    let read = world
        .store
        .read(&stream, ReadFrom::Start, Direction::Forwards, usize::MAX);
    let all: Vec<_> = read.try_collect().await.unwrap();
    all.into_iter()
        .map(|event| event.kind.to_string())
        .collect()
}

async fn people(world: &World) -> Option<u64> {
    let directory = StreamName::directory(&tenant("acme"));
    world.store.head(&directory).await.unwrap()
}

async fn until_purged(world: &World, system: &System) {
    let purged = || async {
        breathe().await;
        lifecycle(system).await == Lifecycle::Purged
    };
    world.advance_until(SECOND, purged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_grace_is_over_everything_goes_and_the_events_stay() {
    let world = World::new();
    let (one, two) = (world.start(1).await, world.start(2).await);
    let acme = tenant("acme");
    let ada = one
        .principal(&acme, "ada@example.com", &Cause::default())
        .await
        .unwrap();
    assert_eq!(
        two.principal(&acme, "ada@example.com", &Cause::default())
            .await
            .unwrap(),
        ada
    );
    let (export, key) = completed(&one).await;
    let kept = world.runner.objects.lock().unwrap().clone();
    cancel(&one).await;
    world.pass(2 * DAY - 60 * SECOND, DAY / 4).await;
    world.runner.plan(Plan::UntilCancelled);
    let running = accepted(&two, request("acme", "ada")).await;
    until(|| async { *world.runner.running.borrow() == 1 }).await;
    // Whoever comes within the grace finds everything.
    assert!(matches!(lifecycle(&one).await, Lifecycle::Cancelled { .. }));
    assert_eq!(*world.runner.objects.lock().unwrap(), kept);
    assert!(world.runner.has(&key) && people(&world).await.is_some());

    until_purged(&world, &one).await;
    assert!(world.runner.objects.lock().unwrap().is_empty());
    assert_eq!(people(&world).await, None);
    assert_eq!(one.subject(&acme, &ada).await.unwrap(), None);
    assert_eq!(one.reason(&acme, export).await.unwrap(), None);
    let kinds = world.kinds(export).await;
    assert_eq!(kinds[3..], ["deletion_started", "artifact_deleted"]);
    let view = one.export(export).await.unwrap().unwrap();
    let Deletion::Done { cause, .. } = view.export.deletion else {
        panic!("{:?}", view.export.deletion);
    };
    assert_eq!(cause, DeletionCause::Purged);
    let view = one.export(running).await.unwrap().unwrap();
    let Stage::Failed(failed) = &view.export.stage else {
        panic!("{:?}", view.export.stage);
    };
    assert_eq!(failed.code, "tenant_purged");
    let ended = || async { *world.runner.running.borrow() == 0 };
    world.advance_until(SECOND, ended).await;
    let kinds = tenant_kinds(&world).await;
    let ended = kinds.iter().position(|kind| kind == "cancelled").unwrap();
    let count = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!(
        (count("purge_started"), count("purged")),
        (1, 1),
        "{kinds:?}"
    );
    assert!(kinds[ended..].contains(&"purge_started".to_owned()));
    // Of two nodes that purge at once one may be done before the other has freed the slot of what it ended.
    let last = kinds.iter().rfind(|kind| *kind != "export_released");
    assert_eq!(last.unwrap(), "purged");

    // Neither node knows anybody any more, nor takes anybody up.
    for system in [&one, &two] {
        let forgotten = || async {
            system
                .principal(&acme, "ada@example.com", &Cause::default())
                .await
                == Err(Error::DirectoryErased)
        };
        world.advance_until(SECOND, forgotten).await;
        let refused = refused(system, request("acme", "ada")).await;
        assert_eq!(refused.code(), "tenant_closed");
    }
    stop(one).await;
    stop(two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_keeps_its_file_and_the_people_until_it_is_released() {
    let world = World::new();
    let system = world.start(1).await;
    let (held, key) = completed(&system).await;
    let (_, other) = completed(&system).await;
    system.hold(held, true, order()).await.unwrap();
    cancel(&system).await;
    world.pass(2 * DAY, DAY / 4).await;
    let deleted = || async { !world.runner.has(&other) };
    world.advance_until(10 * SECOND, deleted).await;
    world.pass(HOUR, 60 * SECOND).await;
    assert_eq!(lifecycle(&system).await, Lifecycle::Purging);
    assert!(world.runner.has(&key) && people(&world).await.is_some());
    system.hold(held, false, order()).await.unwrap();
    // At once: not when everything would have been looked at anew.
    let released_at = carnet_actors::ports::Clock::monotonic(&world.clock);
    until_purged(&world, &system).await;
    let waited = carnet_actors::ports::Clock::monotonic(&world.clock) - released_at;
    assert!(waited < 60 * SECOND, "{waited:?}");
    assert!(!world.runner.has(&key));
    assert_eq!(people(&world).await, None);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_comes_back_in_time_keeps_everything() {
    let world = World::new();
    let system = world.start(1).await;
    let (export, key) = completed(&system).await;
    cancel(&system).await;
    world.pass(DAY, DAY / 4).await;
    let principal = order().by;
    let back = TenantCommand::Reactivate { principal };
    let acme = tenant("acme");
    let act = system.act_on_tenant(&acme, back, order());
    act.await.unwrap().unwrap();
    world.pass(3 * DAY, DAY / 4).await;
    world.pass(60 * SECOND, 10 * SECOND).await;
    assert_eq!(lifecycle(&system).await, Lifecycle::Active);
    assert_eq!(status_of(&system, export).await, Some(Status::Completed));
    assert!(world.runner.has(&key) && people(&world).await.is_some());
    stop(system).await;
}

/// Writes of a purge of a tenant with one file and one waiting export.
const WRITES: [&str; 7] = [
    "purge_started",
    "failed",
    "export_released",
    "deletion_started",
    "artifact_deleted",
    "erase",
    "purged",
];

/// A purge whose process dies before write number `survived`, and the one that goes on.
async fn dies_after(survived: usize, behind: Arc<dyn EventStore>) {
    let store = FaultyStore::new(behind);
    let world = World::on(Arc::clone(&store) as Arc<dyn EventStore>);
    let system = world.start(1).await;
    let (export, key) = completed(&system).await;
    let act = system.drain(system.node(), true, order()).await;
    assert!(act.unwrap().is_some());
    let waiting = accepted(&system, request("acme", "ada")).await;
    cancel(&system).await;
    let (sender, seen) = tokio::sync::watch::channel(Vec::new());
    store.fail(move |stream, events| {
        let counts = matches!(
            stream.kind(),
            StreamKind::Tenant | StreamKind::Export | StreamKind::Directory
        );
        if !counts {
            return None;
        }
        let what = events.first().map_or("erase", |event| &event.kind);
        let dies = sender.borrow().len() >= survived;
        sender.send_modify(|seen: &mut Vec<String>| seen.push(what.to_owned()));
        dies.then_some(Fault::NotMade)
    });
    world.pass(2 * DAY, DAY / 4).await;
    let died = || async { seen.borrow().len() > survived };
    world.advance_until(10 * SECOND, died).await;
    stop(system).await;
    // Its exports are cleared in any order; nobody is forgotten before.
    assert_eq!(people(&world).await.is_none(), survived > 5, "{survived}");
    assert!(world.runner.has(&key) || survived >= 2, "{survived}");

    store.mend();
    let next = world.start(1).await;
    until_purged(&world, &next).await;
    let released = || async {
        let view = next.tenant(&tenant("acme")).await.unwrap();
        view.tenant.active.is_empty()
    };
    world.advance_until(10 * SECOND, released).await;
    assert_eq!(people(&world).await, None);
    assert!(world.runner.objects.lock().unwrap().is_empty());
    let mut kinds = world.kinds(export).await.split_off(3);
    kinds.extend(world.kinds(waiting).await.split_off(1));
    kinds.extend(tenant_kinds(&world).await.split_off(3));
    kinds.sort_unstable();
    let mut once: Vec<_> = WRITES.into_iter().filter(|kind| *kind != "erase").collect();
    once.push("cancelled");
    once.sort_unstable();
    assert_eq!(kinds, once, "{survived}: {:?}", seen.borrow());
    stop(next).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_goes_on_wherever_its_process_died() {
    let files = tempfile::tempdir().unwrap();
    for survived in 0..WRITES.len() {
        dies_after(survived, Arc::new(MemoryStore::new())).await;
        let file = files.path().join(format!("{survived}.db"));
        dies_after(survived, Arc::new(SqliteStore::open(file).unwrap())).await;
    }
}
