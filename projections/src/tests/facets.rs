//! Facets and density hold what counting entry by entry gives.

use std::collections::BTreeMap;

use carnet_events::domain::access::{AccessDenied, AccessEvent, DownloadEnded};
use carnet_events::domain::tenant::TenantEvent;
use carnet_events::domain::tenant::{PurgeStarted, Reopened};
use carnet_events::ids::Timestamp;

use super::given::{World, export, principal, tenant, time};
use crate::Projections;
use crate::audit_log::{AuditEntry, AuditQuery, MAX_PAGE_SIZE};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Two weeks of three persons and the service itself.
async fn history(world: &mut World) {
    let acme = tenant("acme");
    for number in 0..160_i64 {
        // Moments that lie anywhere, some of them twice.
        let at = time((number / 2 * 7_919_311) % (14 * DAY));
        let principal = principal(["ann", "ben", "cyd"][(number % 3) as usize]);
        if number % 11 == 0 {
            let event = TenantEvent::PurgeStarted(PurgeStarted {});
            world.tenant(&acme, at, event).await;
        } else if number % 4 == 0 {
            world
                .tenant(&acme, at, TenantEvent::Reopened(Reopened { principal }))
                .await;
        } else if number % 4 == 1 {
            let route = "get_export".to_owned();
            let denied = AccessEvent::AccessDenied(AccessDenied { principal, route });
            world.access(&acme, at, denied).await;
        } else {
            let ended = AccessEvent::DownloadEnded(DownloadEnded {
                principal,
                export: export(number as u128 % 5),
                bytes: 1,
                complete: true,
            });
            world.access(&acme, at, ended).await;
        }
    }
    let stranger = AccessEvent::AccessDenied(AccessDenied {
        principal: principal("ann"),
        route: "get_export".to_owned(),
    });
    world.access(&tenant("globex"), time(DAY), stranger).await;
}

fn queries() -> Vec<AuditQuery> {
    let ranges = [
        (None, None),
        (Some(time(0)), None),
        (None, Some(time(9 * DAY + 5 * HOUR))),
        (Some(time(2 * DAY + HOUR)), Some(time(11 * DAY + 7 * HOUR))),
        (Some(time(3 * DAY + HOUR)), Some(time(3 * DAY + 9 * HOUR))),
        (Some(time(5 * DAY)), Some(time(5 * DAY))),
        (Some(time(90 * DAY)), Some(time(91 * DAY))),
    ];
    let mut queries = Vec::new();
    for (from, to) in ranges {
        for kind in [None, Some("download_ended"), Some("no_such_type")] {
            for person in [None, Some("ben"), Some("nobody")] {
                for export in [None, Some(export(2))] {
                    queries.push(AuditQuery {
                        from,
                        to,
                        kind: kind.map(str::to_owned),
                        principal: person.map(principal),
                        export,
                        ..AuditQuery::new(tenant("acme"))
                    });
                }
            }
        }
    }
    queries
}

async fn entries(projections: &Projections, query: &AuditQuery) -> Vec<AuditEntry> {
    let log = projections.audit_log();
    let page = log.page(query.clone(), None, MAX_PAGE_SIZE).await.unwrap();
    assert_eq!(page.next, None);
    page.entries
}

async fn without(
    projections: &Projections,
    query: &AuditQuery,
    take_out: impl Fn(&mut AuditQuery),
) -> Vec<AuditEntry> {
    let mut query = query.clone();
    take_out(&mut query);
    entries(projections, &query).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facets_are_what_the_entries_come_to() {
    let mut world = World::new();
    history(&mut world).await;
    let projections = world.start().await;
    world.settle(&projections).await;
    for query in queries() {
        let facets = projections.audit_log().facets(query.clone()).await.unwrap();
        assert_eq!(facets.counted_since, None);
        assert_eq!(facets.persons_counted_since, None);
        let all = entries(&projections, &query).await;
        assert_eq!(facets.total, all.len() as u64, "{query:?}");
        let mut types = BTreeMap::new();
        for entry in without(&projections, &query, |query| query.kind = None).await {
            *types.entry(entry.kind).or_default() += 1_u64;
        }
        assert_eq!(facets.types, types, "{query:?}");
        let mut persons = BTreeMap::new();
        for entry in without(&projections, &query, |query| query.principal = None).await {
            if let Some(principal) = entry.principal {
                *persons.entry(principal.to_string()).or_default() += 1_u64;
            }
        }
        let mut persons: Vec<_> = persons.into_iter().collect();
        persons.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name.clone()));
        assert_eq!(facets.persons_total, persons.len() as u64);
        let told = facets.persons.iter();
        let told: Vec<_> = told
            .map(|one| (one.principal.to_string(), one.count))
            .collect();
        assert_eq!(told, persons, "{query:?}");
    }
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bar_counts_the_entries_of_its_own_range() {
    let mut world = World::new();
    history(&mut world).await;
    let projections = world.start().await;
    world.settle(&projections).await;
    for (number, query) in queries().into_iter().enumerate() {
        let bars = [96, 24, 7][number % 3];
        let log = projections.audit_log();
        let density = log.density(query.clone(), bars).await.unwrap();
        assert_eq!(density.counted_since, None);
        assert!(density.bars.len() <= bars as usize);
        let all = entries(&projections, &query).await;
        let counted: u64 = density.bars.iter().map(|bar| bar.count).sum();
        assert_eq!(counted, all.len() as u64, "{query:?}");
        for bar in &density.bars {
            let inside = |entry: &&AuditEntry| entry.at >= bar.from && entry.at < bar.to;
            let inside = all.iter().filter(inside).count();
            assert_eq!(bar.count, inside as u64, "{bar:?} {query:?}");
        }
        if let (Some(from), Some(first)) = (query.from, density.bars.first()) {
            assert_eq!(first.from, from);
        }
        if let (Some(to), Some(last)) = (query.to, density.bars.last()) {
            assert_eq!(last.to, to);
        }
    }
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_range_is_too_odd_for_a_chart() {
    let mut world = World::new();
    history(&mut world).await;
    let projections = world.start().await;
    world.settle(&projections).await;
    let log = projections.audit_log();
    let extremes = [i64::MIN, -1, 0, 1, i64::MAX].map(Timestamp::from_millis);
    for from in extremes {
        for to in extremes {
            let query = AuditQuery {
                from: Some(from),
                to: Some(to),
                ..AuditQuery::new(tenant("acme"))
            };
            let density = log.density(query.clone(), 0).await.unwrap();
            assert!(density.bars.len() <= 3, "{from} {to}");
            let facets = log.facets(query).await.unwrap();
            let counted: u64 = density.bars.iter().map(|bar| bar.count).sum();
            assert_eq!(counted, facets.total, "{from} {to}");
        }
    }
    let nobody = AuditQuery::new(tenant("initech"));
    assert_eq!(log.density(nobody.clone(), 96).await.unwrap().bars, []);
    assert_eq!(log.facets(nobody).await.unwrap().total, 0);
    projections.shutdown().await;
}
