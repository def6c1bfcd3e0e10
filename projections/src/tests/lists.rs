//! Lists of exports: filters, pages, the queue, and whose they are.

use std::collections::BTreeSet;

use carnet_events::domain::export::{Cancelled, ExportEvent, Failed, Status};
use carnet_events::ids::{ExportId, Timestamp};

use super::given::{World, completed, export, principal, request, started, tenant, time};
use crate::Projections;
use crate::exports::{ExportPage, ExportQuery, MAX_PAGE_SIZE};

/// Exports 1 to 30 of acme, a second apart; 100 to 104 of globex. In turn queued, running, completed, failed, cancelled and
/// expired, and asked for by ann or ben.
async fn history(world: &mut World) {
    for number in (1..=30).chain(100..105) {
        let tenant = tenant(if number < 100 { "acme" } else { "globex" });
        let person = principal(["ann", "ben"][number as usize % 2]);
        let id = export(number);
        let at = |plus: i64| time(number as i64 % 100 * 1000 + plus);
        let requested = ExportEvent::Requested(request(&tenant, &person));
        world.export(id, &tenant, at(0), requested).await;
        let fate = number % 6;
        if fate > 0 {
            world.export(id, &tenant, at(1), started(1)).await;
        }
        let end = match fate {
            2 => completed(1, None),
            3 => ExportEvent::Failed(Failed {
                attempt: Some(1),
                code: "schema_drift".to_owned(),
                parameters: Default::default(),
                principal: None,
            }),
            4 => ExportEvent::Cancelled(Cancelled {
                principal: person,
                code: "requested".to_owned(),
            }),
            5 => completed(1, Some(at(500))),
            _ => continue,
        };
        world.export(id, &tenant, at(2), end).await;
    }
}

fn all() -> ExportQuery {
    ExportQuery {
        tenant: tenant("acme"),
        principal: None,
        status: None,
        page: 1,
        page_size: MAX_PAGE_SIZE,
        now: time(1_000_000),
    }
}

async fn list(projections: &Projections, query: &ExportQuery) -> ExportPage {
    projections.exports().list(query.clone()).await.unwrap()
}

fn ids(page: &ExportPage) -> Vec<ExportId> {
    page.rows.iter().map(|row| row.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_part_a_tenants_exports_and_nobody_elses() {
    let mut world = World::new();
    let projections = world.start().await;
    history(&mut world).await;
    world.settle(&projections).await;

    let page = list(&projections, &all()).await;
    let newest_first: Vec<_> = (1..=30).rev().map(export).collect();
    assert_eq!((ids(&page), page.total), (newest_first, 30));

    let mut found = BTreeSet::new();
    for (fate, status) in [
        (0, Status::Queued),
        (1, Status::Running),
        (2, Status::Completed),
        (3, Status::Failed),
        (4, Status::Cancelled),
        (5, Status::Expired),
    ] {
        for person in ["ann", "ben"] {
            let query = ExportQuery {
                principal: Some(principal(person)),
                status: Some(status),
                ..all()
            };
            let page = list(&projections, &query).await;
            let is_theirs = |number: &u128| {
                number % 6 == fate && ["ann", "ben"][*number as usize % 2] == person
            };
            let theirs: Vec<_> = (1..=30).rev().filter(is_theirs).map(export).collect();
            assert_eq!(ids(&page), theirs, "{status} {person}");
            assert_eq!(page.total, theirs.len() as u64, "{status} {person}");
            found.extend(theirs);
        }
    }
    assert_eq!(found.len(), 30);

    let globex = ExportQuery {
        tenant: tenant("globex"),
        ..all()
    };
    let page = list(&projections, &globex).await;
    let theirs: Vec<_> = (100..105).rev().map(export).collect();
    assert_eq!(
        (ids(&page), page.total),
        (theirs, 5),
        "same persons, same ids of persons"
    );
    let nobody = ExportQuery {
        principal: Some(principal("cyd")),
        ..all()
    };
    assert_eq!(list(&projections, &nobody).await, ExportPage::default());
    // The id of a person is no tenant.
    let person = ExportQuery {
        tenant: tenant("ann"),
        ..all()
    };
    assert_eq!(list(&projections, &person).await, ExportPage::default());
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_counts_as_over_from_its_end_on() {
    let mut world = World::new();
    let projections = world.start().await;
    history(&mut world).await;
    world.settle(&projections).await;
    for now in [0, 5_499, 5_500, 11_499, 11_500, 30_000] {
        let seen = |status| ExportQuery {
            status: Some(status),
            now: time(now),
            ..all()
        };
        let completed = list(&projections, &seen(Status::Completed)).await;
        let expired = list(&projections, &seen(Status::Expired)).await;
        let over = (5..=30)
            .step_by(6)
            .filter(|number| number * 1000 + 500 <= now);
        let over = over.count() as u64;
        assert_eq!((completed.total, expired.total), (10 - over, over), "{now}");
        assert_eq!(completed.rows.len() as u64, completed.total, "{now}");
        assert_eq!(expired.rows.len() as u64, expired.total, "{now}");
    }
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_and_end() {
    let mut world = World::new();
    let projections = world.start().await;
    history(&mut world).await;
    world.settle(&projections).await;
    let paged = |page, page_size| ExportQuery {
        page,
        page_size,
        ..all()
    };
    let mut found = Vec::new();
    for number in 1..=5 {
        let page = list(&projections, &paged(number, 7)).await;
        assert_eq!(page.total, 30);
        found.extend(ids(&page));
    }
    assert_eq!(found, ids(&list(&projections, &all()).await));
    for beyond in [6, u32::MAX] {
        let page = list(&projections, &paged(beyond, 7)).await;
        assert_eq!((page.rows.len(), page.total), (0, 30));
    }
    let first = list(&projections, &paged(0, 7)).await;
    assert_eq!(ids(&first), found[..7], "there is no page before the first");
    assert_eq!(list(&projections, &paged(1, 0)).await.rows.len(), 1);
    assert_eq!(list(&projections, &paged(1, u32::MAX)).await.rows.len(), 30);
    projections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_counted_over_all_tenants_and_moves_up() {
    let mut world = World::new();
    let projections = world.start().await;
    let places = |projections: Projections| async move {
        let mut places = Vec::new();
        for number in 1..=3 {
            let place = projections.exports().queue_position(export(number)).await;
            places.push(place.unwrap());
        }
        places
    };
    for (number, name) in [(1, "acme"), (2, "globex"), (3, "acme")] {
        let tenant = tenant(name);
        let requested = ExportEvent::Requested(request(&tenant, &principal("ann")));
        // All in the same moment: their ids decide.
        world
            .export(export(number), &tenant, time(0), requested)
            .await;
    }
    world.settle(&projections).await;
    assert_eq!(
        places(projections.clone()).await,
        [Some(1), Some(2), Some(3)]
    );
    world
        .export(export(1), &tenant("acme"), time(5), started(1))
        .await;
    world.settle(&projections).await;
    assert_eq!(places(projections.clone()).await, [None, Some(1), Some(2)]);
    let page = list(&projections, &all()).await;
    let told: Vec<_> = page.rows.iter().map(|row| row.queue_position).collect();
    assert_eq!(told, [Some(2), None]);
    let unknown = projections.exports().queue_position(export(9)).await;
    assert_eq!(unknown.unwrap(), None);
    assert_eq!(projections.exports().get(export(9)).await.unwrap(), None);
    let row = projections.exports().get(export(1)).await.unwrap().unwrap();
    assert_eq!((row.revision, row.export.created_at), (1, time(0)));
    assert!(row.export.created_at > Timestamp::EPOCH);
    projections.shutdown().await;
}
