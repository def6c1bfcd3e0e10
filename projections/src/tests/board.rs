//! What operators look at besides the overview: series, depth, stuck exports, nodes, switches, tenants.

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::domain::export::{ExportEvent, HandedBack, Phase, Progressed, Started};
use carnet_events::domain::platform::{ConfigurationApplied, Drain, Intake, PlatformEvent};
use carnet_events::domain::tenant::{Closed, ExemptionGranted, LimitKind, Reopened, TenantEvent};
use carnet_events::ids::{Incarnation, NodeId};
use uuid::Uuid;

use super::given::{
    World, admitted, completed, digest, export, principal, request, started, tenant, time,
};
use crate::ProjectionName;
use crate::operations::{DepthPoint, Grain};

const MINUTE: i64 = 60_000;

fn node(number: u128) -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(number))
}

fn process(number: u128) -> Incarnation {
    Incarnation::from_uuid(Uuid::from_u128(number))
}

fn started_by(attempt: u32, node: NodeId, incarnation: Incarnation) -> ExportEvent {
    match started(attempt) {
        ExportEvent::Started(started) => ExportEvent::Started(Started {
            node,
            incarnation,
            ..started
        }),
        other => other,
    }
}

fn progressed(attempt: u32) -> ExportEvent {
    ExportEvent::Progressed(Progressed {
        attempt,
        phase: Phase::Reading,
        category: None,
        rows: 1,
        bytes: 1,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_and_depth_follow_the_exports() {
    let mut world = World::new();
    let projections = world.start().await;
    let acme = tenant("acme");
    let request = request(&acme, &principal("ann"));
    // The beginning of a minute and of an hour.
    let begin = 46 * MINUTE + 40_000;
    let from = time(begin);
    assert_eq!(from.as_millis() % (60 * MINUTE), 0);
    for number in 1..=3 {
        let requested = ExportEvent::Requested(request.clone());
        world
            .export(export(number), &acme, time(begin), requested)
            .await;
    }
    world
        .export(export(1), &acme, time(begin + 1000), started(1))
        .await;
    let back = ExportEvent::HandedBack(HandedBack { attempt: 1 });
    world
        .export(export(1), &acme, time(begin + 2000), back)
        .await;
    world
        .export(export(1), &acme, time(begin + 3 * MINUTE), started(2))
        .await;
    let done = completed(2, None);
    world
        .export(export(1), &acme, time(begin + 3 * MINUTE + 500), done)
        .await;
    world.settle(&projections).await;

    let operations = projections.operations();
    let (hour, to) = (time(begin + 60 * MINUTE), time(begin + 10 * MINUTE));
    let series = operations.series(Grain::Minute, from, to).await.unwrap();
    let times: Vec<_> = series.iter().map(|point| point.at).collect();
    assert_eq!(times, [from, time(begin + 3 * MINUTE)]);
    assert_eq!(series[0].waited.count, 1);
    assert!((1000..1150).contains(&series[0].waited.p50_ms));
    assert_eq!((series[1].completed, series[1].rows), (1, 42));
    assert!(series[1].ran.p90_ms >= 179_500 && series[1].ran.count == 1);
    assert!(series[1].total.p50_ms >= series[1].ran.p50_ms);
    let hours = operations.series(Grain::Hour, from, hour).await.unwrap();
    assert_eq!((hours.len(), hours[0].completed), (1, 1));

    let point = |at, queued, running, queued_max, running_max| DepthPoint {
        at,
        queued,
        running,
        queued_max,
        running_max,
    };
    let depth = operations.depth(Grain::Minute, from, to).await.unwrap();
    let third = time(begin + 3 * MINUTE);
    assert_eq!(
        depth,
        [point(from, 3, 0, 3, 1), point(third, 2, 0, 3, 1)],
        "the end of each minute, and the most in it"
    );
    let second = time(begin + 2 * MINUTE);
    let depth = operations.depth(Grain::Minute, second, to).await.unwrap();
    assert_eq!(depth[0], point(second, 3, 0, 3, 0), "carried from before");
    let before = time(begin - MINUTE);
    let depth = operations.depth(Grain::Minute, before, from).await.unwrap();
    assert_eq!(depth, [], "nothing is known");

    let seen = operations.depth(Grain::Hour, from, hour).await.unwrap();
    projections.rebuild(&ProjectionName::ALL).await.unwrap();
    assert_eq!(
        operations.depth(Grain::Hour, from, hour).await.unwrap(),
        seen
    );
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_told_by_what_they_wrote() {
    let mut world = World::new();
    let mut projections = world.start().await;
    let acme = tenant("acme");
    let request = request(&acme, &principal("ann"));
    let operator = principal("operator");
    for (number, at) in [(1, 0), (2, 10)] {
        let applied = ConfigurationApplied {
            node: node(number),
            incarnation: process(number),
            digest: digest(1),
            version: "0.1.0".to_owned(),
            policies: BTreeMap::new(),
        };
        let applied = PlatformEvent::ConfigurationApplied(applied);
        world.platform(time(at), applied).await;
    }
    for number in 1..=2 {
        let requested = ExportEvent::Requested(request.clone());
        world
            .export(export(number), &acme, time(20), requested)
            .await;
    }
    let (first, second) = (
        started_by(1, node(1), process(1)),
        started_by(1, node(2), process(22)),
    );
    world.export(export(1), &acme, time(30), first).await;
    world.export(export(2), &acme, time(40), second).await;
    let drain = Drain {
        node: node(2),
        principal: operator.clone(),
    };
    world
        .platform(time(50), PlatformEvent::DrainStarted(drain.clone()))
        .await;
    world.settle(&projections).await;
    // What is written by another process than the one that claimed is still the node's.
    projections.shutdown().await;
    projections = world.start().await;
    world
        .export(export(1), &acme, time(60), progressed(1))
        .await;
    world.settle(&projections).await;

    let operations = projections.operations();
    let nodes = operations.nodes(10).await.unwrap();
    assert_eq!(nodes.len(), 2);
    let (first, second) = (&nodes[0], &nodes[1]);
    assert_eq!((first.node, first.alive_at), (node(1), Some(time(60))));
    assert_eq!((first.running, first.is_draining()), (1, false));
    assert_eq!(first.version.as_deref(), Some("0.1.0"));
    assert_eq!(first.started_at, Some(time(0)));
    assert_eq!((second.node, second.alive_at), (node(2), Some(time(40))));
    assert_eq!(second.incarnation, Some(process(22)));
    assert_eq!(
        (second.drained_by.as_ref(), second.drained_since),
        (Some(&operator), Some(time(50)))
    );

    let age = Duration::from_millis(30);
    let stuck = operations.stuck(time(80), age, 10).await.unwrap();
    assert_eq!((stuck.total, stuck.exports.len()), (1, 1));
    assert_eq!(stuck.exports[0].mark.export, export(2));
    let stuck = operations.stuck(time(90), age, 1).await.unwrap();
    assert_eq!((stuck.total, stuck.exports.len()), (2, 1));
    assert_eq!(stuck.exports[0].mark.export, export(2), "silent longest");

    world
        .platform(time(100), PlatformEvent::DrainEnded(drain))
        .await;
    world
        .export(export(2), &acme, time(110), completed(1, None))
        .await;
    world.settle(&projections).await;
    let nodes = operations.nodes(1).await.unwrap();
    assert_eq!((nodes.len(), nodes[0].node), (1, node(2)), "seen last");
    assert_eq!((nodes[0].running, nodes[0].is_draining()), (0, false));
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switches_and_tenants_are_told_with_who_and_when() {
    let mut world = World::new();
    let projections = world.start().await;
    let operations = projections.operations();
    let (acme, globex, operator) = (tenant("acme"), tenant("globex"), principal("operator"));
    let by = || Intake {
        principal: operator.clone(),
    };
    assert!(!operations.intake().await.unwrap().paused);
    assert_eq!(operations.closed_tenants(10).await.unwrap(), []);

    world
        .platform(time(1), PlatformEvent::IntakePaused(by()))
        .await;
    for (number, tenant) in [&acme, &globex].into_iter().enumerate() {
        let principal = operator.clone();
        let closed = TenantEvent::Closed(Closed { principal });
        world.tenant(tenant, time(10 + number as i64), closed).await;
    }
    let granted = |id: &str, until| {
        TenantEvent::ExemptionGranted(ExemptionGranted {
            id: id.to_owned(),
            limit: LimitKind::Tenant,
            count: 2,
            until: time(until),
            principal: operator.clone(),
            person: Some(operator.clone()),
        })
    };
    world.tenant(&acme, time(20), granted("e-1", 1000)).await;
    world.tenant(&globex, time(21), granted("e-1", 500)).await;
    world.tenant(&acme, time(22), granted("e-1", 2000)).await;
    let admitted = match admitted(export(1), &request(&acme, &operator)) {
        TenantEvent::ExportAdmitted(mut admitted) => {
            admitted.exemptions = vec!["e-1".to_owned()];
            TenantEvent::ExportAdmitted(admitted)
        }
        other => other,
    };
    world.tenant(&acme, time(30), admitted).await;
    world.settle(&projections).await;

    let intake = operations.intake().await.unwrap();
    assert!(intake.paused);
    assert_eq!(
        (intake.by, intake.at),
        (Some(operator.clone()), Some(time(1)))
    );
    let closed = operations.closed_tenants(10).await.unwrap();
    let closed: Vec<_> = closed.iter().map(|one| one.tenant.as_str()).collect();
    assert_eq!(closed, ["globex", "acme"]);
    let exemptions = operations.exemptions(None, 10).await.unwrap();
    let told: Vec<_> = exemptions
        .iter()
        .map(|one| (one.tenant.as_str(), one.used, one.until))
        .collect();
    assert_eq!(
        told,
        [("globex", 0, time(500)), ("acme", 1, time(1000))],
        "one is granted once"
    );
    assert_eq!(exemptions[0].person, Some(operator.clone()));
    let open = operations.exemptions(Some(time(500)), 10).await.unwrap();
    assert_eq!(open, exemptions[1..]);

    let principal = operator.clone();
    let reopened = TenantEvent::Reopened(Reopened { principal });
    world.tenant(&globex, time(40), reopened).await;
    world
        .platform(time(41), PlatformEvent::IntakeResumed(by()))
        .await;
    world.settle(&projections).await;
    assert_eq!(operations.closed_tenants(10).await.unwrap().len(), 1);
    let intake = operations.intake().await.unwrap();
    assert_eq!((intake.paused, intake.at), (false, Some(time(41))));
    projections.rebuild(&ProjectionName::ALL).await.unwrap();
    assert_eq!(operations.intake().await.unwrap(), intake);
    assert_eq!(operations.exemptions(None, 10).await.unwrap(), exemptions);
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_of_last_time_are_those_of_the_newest_whole_export() {
    let mut world = World::new();
    let projections = world.start().await;
    let (acme, ann) = (tenant("acme"), principal("ann"));
    let whole = request(&acme, &ann);
    let mut part = whole.clone();
    part.scope = Some(carnet_events::domain::request::Scope {
        id: "team-1".to_owned(),
    });
    for (number, request, at) in [(1, &whole, 10), (2, &whole, 20), (3, &part, 30)] {
        let requested = ExportEvent::Requested(request.clone());
        world
            .export(export(number), &acme, time(at), requested)
            .await;
        world
            .export(export(number), &acme, time(at), started(1))
            .await;
        let done = completed(1, None);
        world
            .export(export(number), &acme, time(at + 5), done)
            .await;
        world.settle(&projections).await;
    }
    let exports = projections.exports();
    let last = exports.last_rows(acme).await.unwrap();
    assert_eq!(last.len(), 1);
    assert_eq!((last["users"].rows, last["users"].at), (42, time(25)));
    assert!(
        exports
            .last_rows(tenant("globex"))
            .await
            .unwrap()
            .is_empty()
    );
    projections.shutdown().await;
}
