//! The audit log: pages, cursors, filters, and whose entries they are.

use carnet_events::domain::access::{AccessDenied, AccessEvent, Downloaded};

use super::given::{World, export, principal, tenant, time};
use crate::Projections;
use crate::audit_log::{AuditCursor, AuditOrder, AuditPage, AuditQuery, MAX_PAGE_SIZE};

/// An entry of `name`'s at a moment; its place among others is told by its export or its route.
async fn entry(world: &mut World, name: &str, at: i64, number: u128) {
    let principal = principal(["ann", "ben"][number as usize % 2]);
    let event = match number % 3 {
        0 => AccessEvent::AccessDenied(AccessDenied {
            principal,
            route: "get_export".to_owned(),
        }),
        _ => AccessEvent::Downloaded(Downloaded {
            principal,
            export: export(number),
            representation: "json".to_owned(),
            link: None,
            partial: false,
        }),
    };
    world.access(&tenant(name), time(at), event).await;
}

fn newest_first(name: &str) -> AuditQuery {
    AuditQuery::new(tenant(name))
}

fn oldest_first(name: &str) -> AuditQuery {
    AuditQuery {
        order: AuditOrder::OldestFirst,
        ..newest_first(name)
    }
}

async fn page(
    projections: &Projections,
    query: &AuditQuery,
    after: Option<AuditCursor>,
    size: u32,
) -> AuditPage {
    let log = projections.audit_log();
    log.page(query.clone(), after, size).await.unwrap()
}

/// The times of a page's entries, in milliseconds after the beginning.
fn times(page: &AuditPage) -> Vec<i64> {
    let since = |at: carnet_events::ids::Timestamp| at.as_millis() - time(0).as_millis();
    page.entries.iter().map(|entry| since(entry.at)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_keeps_its_place_whatever_is_recorded_meanwhile() {
    let mut world = World::new();
    let projections = world.start().await;
    for number in 0..10 {
        entry(&mut world, "acme", number * 10, number as u128).await;
    }
    world.settle(&projections).await;
    let back = page(&projections, &newest_first("acme"), None, 4).await;
    assert_eq!(times(&back), [90, 80, 70, 60]);
    let on = page(&projections, &oldest_first("acme"), None, 4).await;
    assert_eq!(times(&on), [0, 10, 20, 30]);

    // A newer one, and late ones on both sides of the cursors.
    for at in [100, 75, 65, 55, 35, 25, 5] {
        entry(&mut world, "acme", at, 1).await;
    }
    world.settle(&projections).await;
    let back = page(&projections, &newest_first("acme"), back.next, 5).await;
    assert_eq!(
        times(&back),
        [55, 50, 40, 35, 30],
        "none twice, none left out"
    );
    let on = page(&projections, &oldest_first("acme"), on.next, 20).await;
    assert_eq!(times(&on), [35, 40, 50, 55, 60, 65, 70, 75, 80, 90, 100]);
    assert_eq!(on.next, None);

    projections
        .rebuild(&crate::ProjectionName::ALL)
        .await
        .unwrap();
    let after = page(&projections, &newest_first("acme"), back.next, 20).await;
    assert_eq!(times(&after), [25, 20, 10, 5, 0], "rebuilt meanwhile");
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_one_millisecond_are_in_the_logs_order() {
    let mut world = World::new();
    let projections = world.start().await;
    for number in [1, 2, 4, 5, 7, 8] {
        entry(&mut world, "acme", 50, number).await;
    }
    world.settle(&projections).await;
    for (query, expected) in [
        (oldest_first("acme"), [1, 2, 4, 5, 7, 8]),
        (newest_first("acme"), [8, 7, 5, 4, 2, 1]),
    ] {
        for size in 1..=6 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = page(&projections, &query, after, size).await;
                assert!(page.entries.len() <= size as usize);
                found.extend(page.entries.iter().filter_map(|entry| entry.export_id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected.map(export), "in pages of {size}");
        }
    }
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_filter_and_no_cursor_shows_another_tenants_entries() {
    let mut world = World::new();
    let projections = world.start().await;
    for number in 0..30 {
        let name = ["acme", "globex"][number as usize % 2];
        entry(&mut world, name, number, number as u128 % 7).await;
    }
    world.settle(&projections).await;
    let foreign = page(&projections, &newest_first("globex"), None, 3).await;
    let cursors: Vec<_> = foreign.entries.iter().map(|entry| entry.cursor).collect();
    for query in [newest_first("acme"), oldest_first("acme")] {
        let filters = [
            query.clone(),
            AuditQuery {
                kind: Some("downloaded".to_owned()),
                ..query.clone()
            },
            AuditQuery {
                principal: Some(principal("ann")),
                ..query.clone()
            },
            AuditQuery {
                export: Some(export(2)),
                ..query.clone()
            },
            AuditQuery {
                from: Some(time(3)),
                to: Some(time(28)),
                ..query.clone()
            },
        ];
        for query in filters {
            let firsts = [None].into_iter().chain(cursors.iter().copied().map(Some));
            for after in firsts {
                let page = page(&projections, &query, after, MAX_PAGE_SIZE).await;
                assert!(after.is_some() || !page.entries.is_empty(), "{query:?}");
                assert!(times(&page).iter().all(|at| at % 2 == 0), "{query:?}");
                for entry in &page.entries {
                    assert!(query.kind.as_ref().is_none_or(|kind| *kind == entry.kind));
                    assert!(query.export.is_none_or(|id| entry.export_id == Some(id)));
                    let by = query.principal.as_ref();
                    assert!(by.is_none_or(|by| entry.principal.as_ref() == Some(by)));
                    assert!(query.from.is_none_or(|from| entry.at >= from));
                    assert!(query.to.is_none_or(|to| entry.at < to));
                }
            }
        }
    }
    let stranger = page(&projections, &newest_first("initech"), None, 10).await;
    assert_eq!(stranger, AuditPage::default());
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_have_bounds_and_filters_that_match_nothing_are_no_error() {
    let mut world = World::new();
    let projections = world.start().await;
    for number in 0..5 {
        entry(&mut world, "acme", number, number as u128).await;
    }
    world.settle(&projections).await;
    let query = newest_first("acme");
    assert_eq!(page(&projections, &query, None, 0).await.entries.len(), 1);
    let most = page(&projections, &query, None, u32::MAX).await;
    assert_eq!((most.entries.len(), most.next), (5, None));
    let exact = page(&projections, &query, None, 5).await;
    assert_eq!(
        (exact.entries.len(), exact.next),
        (5, None),
        "no empty last page"
    );
    for (at, seq) in [(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)] {
        let odd = Some(AuditCursor { at, seq });
        let found = page(&projections, &query, odd, 10).await.entries.len();
        assert_eq!(found, if at > 0 { 5 } else { 0 });
    }
    for nothing in [
        AuditQuery {
            kind: Some("no_such_type".to_owned()),
            ..query.clone()
        },
        AuditQuery {
            kind: Some("acme".to_owned()),
            ..query.clone()
        },
        AuditQuery {
            principal: Some(principal("acme")),
            ..query.clone()
        },
        AuditQuery {
            from: Some(time(3)),
            to: Some(time(3)),
            ..query.clone()
        },
    ] {
        assert_eq!(
            page(&projections, &nothing, None, 10).await,
            AuditPage::default()
        );
    }
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_holds_what_was_there_when_it_began() {
    let mut world = World::new();
    let projections = world.start().await;
    for number in 0..600 {
        entry(&mut world, "acme", number, number as u128).await;
    }
    world.settle(&projections).await;
    let mut stream = projections.audit_log().stream(oldest_first("acme"));
    let first = stream.next().await.unwrap().unwrap();
    assert!(first.len() < 600, "in pieces");
    for number in 0..10 {
        entry(&mut world, "acme", 595 + number, number as u128).await;
    }
    world.settle(&projections).await;
    let mut found = first.len();
    while let Some(more) = stream.next().await {
        found += more.unwrap().len();
    }
    assert_eq!(found, 600);
    let later = page(&projections, &oldest_first("acme"), None, MAX_PAGE_SIZE).await;
    assert_eq!(later.entries.len(), 610);
    projections.shutdown().await;
}
