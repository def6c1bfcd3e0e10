//! Who is let in.

use std::time::Duration;

use carnet_actors::{Admission, Error};
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::Status;
use carnet_events::domain::tenant::{IdempotencyKey, LimitKind, Refusal};
use carnet_events::ids::Digest;
use futures::future::join_all;

use crate::runner::Plan;
use crate::support::*;

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
    assert_eq!(published.expires_at, job.expires_at);
    assert_eq!(job.expires_at, Some(job.started_at.plus(7 * DAY)));
    assert_eq!(job.policy_digests, view.export.request.policy_digests);
    until(|| async {
        system
            .tenant(&tenant("acme"))
            .await
            .unwrap()
            .tenant
            .active
            .is_empty()
    })
    .await;
    stop(system).await;
}
