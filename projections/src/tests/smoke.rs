//! One export's life, seen in all projections.

use carnet_events::domain::access::{AccessEvent, Downloaded};
use carnet_events::domain::export::{ExportEvent, Outcome, Status};
use carnet_events::domain::tenant::{ExportReleased, TenantEvent};

use super::given::{World, admitted, completed, export, principal, request, started, tenant, time};
use crate::audit_log::AuditQuery;
use crate::exports::ExportQuery;
use crate::{ProjectionStatus, RunState};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_is_seen_everywhere() {
    let mut world = World::new();
    let projections = world.start().await;
    let (acme, ann, id) = (tenant("acme"), principal("ann"), export(1));
    let request = request(&acme, &ann);
    let query = |status, now| ExportQuery {
        tenant: tenant("acme"),
        principal: None,
        status,
        page: 1,
        page_size: 50,
        now: time(now),
    };

    world.tenant(&acme, time(0), admitted(id, &request)).await;
    world.settle(&projections).await;
    let open = projections
        .worklist()
        .open_admissions(time(0), None, 10)
        .await;
    assert_eq!(open.unwrap().len(), 1);

    world
        .export(id, &acme, time(1), ExportEvent::Requested(request))
        .await;
    world.settle(&projections).await;
    let page = projections.exports().list(query(None, 1)).await.unwrap();
    assert_eq!((page.total, page.rows[0].queue_position), (1, Some(1)));
    let queued = projections
        .worklist()
        .queued(time(2), None, 10)
        .await
        .unwrap();
    assert_eq!(queued.len(), 1);

    world.export(id, &acme, time(2), started(1)).await;
    world.settle(&projections).await;
    let overview = projections.operations().overview(time(3)).await.unwrap();
    assert_eq!(overview.statuses[&Status::Running], 1);
    assert_eq!(overview.running[0].attempt, 1);

    world
        .export(id, &acme, time(5), completed(1, Some(time(100))))
        .await;
    world.settle(&projections).await;
    let unreleased = projections.worklist().unreleased(None, 10).await.unwrap();
    assert_eq!(unreleased[0].outcome, Outcome::Completed);
    let released = TenantEvent::ExportReleased(ExportReleased {
        export: id,
        outcome: Outcome::Completed,
    });
    world.tenant(&acme, time(6), released).await;
    let downloaded = AccessEvent::Downloaded(Downloaded {
        principal: ann.clone(),
        export: id,
        representation: "json".to_owned(),
        link: None,
        partial: false,
    });
    world.access(&acme, time(7), downloaded).await;
    world.settle(&projections).await;
    for (status, now, total) in [
        (Status::Completed, 99, 1),
        (Status::Completed, 100, 0),
        (Status::Expired, 99, 0),
        (Status::Expired, 100, 1),
    ] {
        let page = projections
            .exports()
            .list(query(Some(status), now))
            .await
            .unwrap();
        assert_eq!(
            (page.total, page.rows.len() as u64),
            (total, total),
            "{status} {now}"
        );
    }
    let due = projections
        .worklist()
        .due_expiry(time(100), None, 10)
        .await
        .unwrap();
    assert_eq!(due.len(), 1);

    let log = projections
        .audit_log()
        .page(AuditQuery::new(acme.clone()), None, 10)
        .await
        .unwrap();
    let kinds: Vec<_> = log
        .entries
        .iter()
        .map(|entry| entry.kind.as_str())
        .collect();
    assert_eq!(kinds, ["downloaded", "completed", "export_admitted"]);
    assert_eq!(log.entries[1].details["rows"]["users"], 42);

    projections
        .rebuild(&crate::ProjectionName::ALL)
        .await
        .unwrap();
    let again = projections
        .audit_log()
        .page(AuditQuery::new(acme), None, 10)
        .await
        .unwrap();
    assert_eq!(log, again);
    let status = projections.status(time(8)).await;
    let whole = |one: &ProjectionStatus| {
        one.state == RunState::Live && one.generation == 2 && one.lag_events == Some(0)
    };
    assert!(status.projections.iter().all(whole), "{status:?}");
    projections.shutdown().await;
    assert_eq!(
        crate::stored_status(&world.options().path).unwrap().len(),
        4
    );
}
