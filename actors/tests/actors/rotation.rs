//! What can't be worked on keeps nothing behind it in its list from its turn.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use carnet_actors::{Options, System};
use carnet_events::domain::export::{Deletion, Status};
use carnet_events::ids::ExportId;
use carnet_events::store::EventStore;
use carnet_events::store::memory::MemoryStore;

use crate::faulty::{Fault, FaultyStore};
use crate::runner::{FakeRunner, Plan};
use crate::support::*;

const TENANTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Two entries to a page: the first two are stuck in each test.
fn narrow(options: &mut Options) {
    options.page = 2;
    options.max_running = 5;
}

/// Streams that can't be written.
type Stuck = Arc<Mutex<BTreeSet<ExportId>>>;

/// A store on which chosen exports can't be written; all, until `stuck` is set.
fn sticky(behind: &Arc<dyn EventStore>) -> (Arc<FaultyStore>, Arc<Mutex<Option<Stuck>>>) {
    let store = FaultyStore::new(Arc::clone(behind));
    let chosen: Arc<Mutex<Option<Stuck>>> = Arc::default();
    let rule = Arc::clone(&chosen);
    store.fail(move |stream, _| {
        let export = stream.export_id()?;
        let is_stuck = match rule.lock().unwrap().as_ref() {
            Some(stuck) => stuck.lock().unwrap().contains(&export),
            None => true,
        };
        is_stuck.then_some(Fault::NotMade)
    });
    (store, chosen)
}

async fn completed(system: &System, tenant: &str) -> (ExportId, String) {
    let export = accepted(system, request(tenant, "ada")).await;
    let view = until_status(system, export, Status::Completed).await;
    until_released(system, tenant).await;
    (
        export,
        view.export.published().unwrap().artifact.key.clone(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_cannot_be_deleted_keep_no_other_from_deletion() {
    let world = World::new();
    let system = world.start_with(1, narrow).await;
    let mut exports = Vec::new();
    for tenant in TENANTS {
        exports.push(completed(&system, tenant).await);
    }
    *world.runner.delete_fails.lock().unwrap() = true;
    world.pass(7 * DAY, DAY).await;
    let all_begun = || async {
        for (export, _) in &exports {
            let view = system.export(*export).await.unwrap().unwrap();
            if view.export.deletion == Deletion::Kept {
                return false;
            }
        }
        true
    };
    world.advance_until(60 * SECOND, all_begun).await;
    let stuck = exports[..2].iter().map(|(_, key)| key.clone()).collect();
    *world.runner.stuck.lock().unwrap() = stuck;
    *world.runner.delete_fails.lock().unwrap() = false;
    let rest_deleted = || async { exports[2..].iter().all(|(_, key)| !world.runner.has(key)) };
    world.advance_until(10 * SECOND, rest_deleted).await;
    assert!(exports[..2].iter().all(|(_, key)| world.runner.has(key)));
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_that_cannot_be_expired_keep_no_other_from_it() {
    let behind: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let (store, chosen) = sticky(&behind);
    let stuck = Stuck::default();
    *chosen.lock().unwrap() = Some(Arc::clone(&stuck));
    let world = World::on(store);
    let system = world.start_with(1, narrow).await;
    let mut exports = Vec::new();
    for tenant in TENANTS {
        exports.push(completed(&system, tenant).await.0);
    }
    stuck.lock().unwrap().extend(&exports[..2]);
    world.pass(7 * DAY, DAY).await;
    let expired = || async {
        let mut all = exports[2..].iter();
        let mut is_so = true;
        while let (true, Some(export)) = (is_so, all.next()) {
            is_so = status_of(&system, *export).await == Some(Status::Expired);
        }
        is_so
    };
    world.advance_until(10 * SECOND, expired).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admissions_that_cannot_be_finished_keep_no_other_from_it() {
    let behind: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let (store, chosen) = sticky(&behind);
    let world = World::on(store);
    let system = world.start_with(1, narrow).await;
    let mut exports = Vec::new();
    for name in TENANTS {
        assert!(ask(&system, request(name, "ada")).await.is_err());
        let view = system.tenant(&tenant(name)).await.unwrap();
        exports.extend(view.tenant.active.keys().copied());
    }
    assert_eq!(exports.len(), TENANTS.len());
    exports.sort();
    let stuck: Stuck = Arc::new(Mutex::new(exports[..2].iter().copied().collect()));
    *chosen.lock().unwrap() = Some(stuck);
    let rest_done = || async {
        let mut done = 0;
        for export in &exports[2..] {
            done += usize::from(status_of(&system, *export).await == Some(Status::Completed));
        }
        done == 3
    };
    world.advance_until(10 * SECOND, rest_done).await;
    assert_eq!(status_of(&system, exports[0]).await, None);
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_that_run_well_elsewhere_keep_no_lost_one_from_being_taken_over() {
    let world = World::new();
    let (store, chosen) = sticky(&world.store);
    let silenced = Stuck::default();
    *chosen.lock().unwrap() = Some(Arc::clone(&silenced));
    let runner = FakeRunner::new();
    runner.otherwise(Plan::UntilCancelled);
    let there = world
        .start_on(1, store, Arc::clone(&runner) as _, narrow)
        .await;
    let mut exports = Vec::new();
    for tenant in TENANTS {
        exports.push(accepted(&there, request(tenant, "ada")).await);
    }
    until(|| async { *runner.running.borrow() == TENANTS.len() }).await;
    exports.sort();
    silenced.lock().unwrap().insert(exports[4]);
    let here = world.start_with(2, narrow).await;
    let taken_over = || async {
        breathe().await;
        status_of(&here, exports[4]).await == Some(Status::Completed)
    };
    world.advance_until(SECOND, taken_over).await;
    for export in &exports[..4] {
        assert_eq!(status_of(&here, *export).await, Some(Status::Running));
    }
    stop(here).await;
    stop(there).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_waits_is_found_page_by_page() {
    let world = World::new();
    // A node that is not there any more has left them.
    world.runner.otherwise(Plan::UntilCancelled);
    let gone = world.start_with(1, |options| options.max_running = 1).await;
    let mut exports = Vec::new();
    for tenant in TENANTS {
        exports.push(accepted(&gone, request(tenant, "ada")).await);
    }
    stop(gone).await;
    world.runner.otherwise(Plan::Finish);
    let system = world.start_with(1, narrow).await;
    let done = || async {
        let mut done = 0;
        for export in &exports {
            done += usize::from(status_of(&system, *export).await == Some(Status::Completed));
        }
        done == TENANTS.len()
    };
    world.advance_until(SECOND, done).await;
    stop(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fell_due_on_many_pages_is_done_in_one_round() {
    let world = World::new();
    let system = world.start_with(1, narrow).await;
    let mut exports = Vec::new();
    for tenant in TENANTS {
        exports.push(completed(&system, tenant).await.0);
    }
    // Moved once: whatever waits for its next round has one, and no second.
    world.clock.advance(7 * DAY);
    let all_expired = || async {
        for export in &exports {
            if status_of(&system, *export).await != Some(Status::Expired) {
                return false;
            }
        }
        true
    };
    until(all_expired).await;
    stop(system).await;
}
