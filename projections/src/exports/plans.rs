//! What lists of exports cost when there are many.

#![allow(clippy::unwrap_used, reason = "tests")]

use carnet_events::domain::export::{ExportDecider, ExportEvent, Status};
use carnet_events::domain::{Decider, Timed};
use carnet_events::ids::{PrincipalId, Timestamp};
use rusqlite::{Connection, named_params};

use super::tables::write_state;
use super::{ExportQuery, last_rows, query};
use crate::tests::given::{principal, request, tenant};
use crate::tests::plans::{assert_searched, plan, steps, tables};

const EXPORTS: i64 = 100_000;
const MINUTE: i64 = 60_000;

/// A tenant's exports, a minute apart: a third of each of three principals; the newest ten wait, the others are over.
fn fill(tables: &Connection) {
    let requested = ExportEvent::Requested(request(&tenant("acme"), &principal("ann")));
    let requested = Timed::new(Timestamp::EPOCH, requested);
    let state = ExportDecider::evolve(ExportDecider::initial(), &requested);
    let export = state.export().unwrap();
    let mut state = Vec::new();
    write_state(&mut state, export).unwrap();
    let names = "INSERT INTO exports_names VALUES (1, 'acme'), (2, 'ann'), (3, 'ben'), (4, 'cyd')";
    tables.execute_batch(names).unwrap();
    tables
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :exports - 1)
             INSERT INTO exports SELECT i, unhex(printf('%032x', i)), 1, 2 + i % 3, i * 60000,
                iif(i >= :exports - 10, 0, 2 + i / 7 % 4), iif(i / 7 % 4 = 0, i * 60000 + 1000, NULL), 3, NULL FROM n",
            named_params! { ":exports": EXPORTS },
        )
        .unwrap();
    tables
        .execute(
            "INSERT INTO exports_states SELECT row, ? FROM exports",
            [state],
        )
        .unwrap();
    tables
        .execute_batch(
            "INSERT INTO exports_counts SELECT tenant, principal, status, count(*) FROM exports GROUP BY 1, 2, 3;
             INSERT INTO exports_counts SELECT tenant, 0, status, count(*) FROM exports GROUP BY 1, 3;",
        )
        .unwrap();
}

fn statuses() -> impl Iterator<Item = Option<Status>> {
    Status::ALL.into_iter().map(Some).chain([None])
}

#[test]
fn every_query_is_answered_by_an_index_in_its_order() {
    let tables = tables();
    for status in statuses().filter(|status| *status != Some(Status::Expired)) {
        for of_principal in [true, false] {
            assert_searched(&tables, &query::page_sql(of_principal, status));
        }
    }
    // Those whose window is over without that being recorded are found by its end, and so have to be sorted.
    for of_principal in [true, false] {
        let plan = plan(
            &tables,
            &query::page_sql(of_principal, Some(Status::Expired)),
        );
        assert!(
            plan.iter().all(|step| !step.starts_with("SCAN")),
            "{plan:?}"
        );
        assert!(plan[2].contains("exports_by_status"), "{plan:?}");
        assert!(plan[4].contains("exports_by_end"), "{plan:?}");
    }
    for sql in [
        query::OVER_COUNT,
        query::TOTAL,
        query::AHEAD,
        query::IN_QUEUE,
        &query::one_sql(),
        last_rows::LAST_ROWS,
    ] {
        assert_searched(&tables, sql);
    }
}

/// A page: its rows, all there are, and what it cost.
fn ask(tables: &mut Connection, query: &ExportQuery) -> (u64, u64, u64) {
    let (page, cost) = steps(tables, |tables| query::list(tables, query));
    let page = page.unwrap();
    (page.rows.len() as u64, page.total, cost)
}

fn pages(now: i64) -> impl Iterator<Item = ExportQuery> {
    let persons = [None, Some(PrincipalId::new("ben").unwrap())];
    let of = move |(status, principal)| ExportQuery {
        tenant: tenant("acme"),
        principal,
        status,
        page: 1,
        page_size: 50,
        now: Timestamp::from_millis(now),
    };
    let all = statuses().flat_map(move |status| persons.clone().map(|person| (status, person)));
    all.map(of)
}

#[test]
fn a_first_page_costs_the_same_however_many_exports_there_are() {
    let mut tables = tables();
    fill(&tables);
    for query in pages(0) {
        let (rows, total, cost) = ask(&mut tables, &query);
        assert_eq!(rows, total.min(50), "{query:?}");
        assert!(cost < 3_000, "{cost}: {query:?}");
    }
}

#[test]
fn the_last_page_and_windows_that_ended_unnoticed_cost_a_walk_along_an_index() {
    let mut tables = tables();
    fill(&tables);
    // A quarter of all files: half of those that there are.
    for query in pages(0).chain(pages(EXPORTS / 2 * MINUTE)) {
        let (_, total, cost) = ask(&mut tables, &query);
        assert!(cost < 300_000, "{cost}: {query:?}");
        let page = u32::try_from(total.div_ceil(50)).unwrap();
        let last = ExportQuery { page, ..query };
        let (rows, _, cost) = ask(&mut tables, &last);
        assert_eq!(rows == 0, total == 0, "{last:?}");
        assert!(cost < 1_000_000, "{cost}: {last:?}");
    }
}
