//! What an audit log's queries cost when it is long.

#![allow(clippy::unwrap_used, reason = "tests")]

use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use rusqlite::Connection;
use uuid::Uuid;

use super::scan::{Narrow, SPANS, Scope, entries_sql};
use super::{AuditCursor, AuditOrder, AuditQuery, density, facets, query};
use crate::tests::plans::{assert_searched, plan, steps, tables};

fn names(tables: &Connection) {
    let names = "INSERT INTO audit_names VALUES (1, 'acme'), (2, 'downloaded'), (3, 'ann')";
    tables.execute_batch(names).unwrap();
}

/// Every combination of filters.
fn queries() -> Vec<AuditQuery> {
    let mut queries = Vec::new();
    for bits in 0..64_u32 {
        let on = |bit: u32| bits & (1 << bit) != 0;
        queries.push(AuditQuery {
            tenant: TenantId::new("acme").unwrap(),
            from: on(0).then_some(Timestamp::EPOCH),
            to: on(1).then_some(Timestamp::MAX),
            kind: on(2).then(|| "downloaded".to_owned()),
            principal: on(3).then(|| PrincipalId::new("ann").unwrap()),
            export: on(4).then(|| ExportId::from_uuid(Uuid::from_u128(7))),
            order: match on(5) {
                true => AuditOrder::OldestFirst,
                false => AuditOrder::NewestFirst,
            },
        });
    }
    queries
}

#[test]
fn every_page_is_read_from_an_index_in_its_order() {
    let tables = tables();
    names(&tables);
    let cursor = AuditCursor { at: 5, seq: 6 };
    for query in queries() {
        for after in [None, Some(cursor)] {
            for end in [None, Some(77)] {
                let asked = query::asked(&tables, &query, after, end, 100).unwrap();
                assert_searched(&tables, &asked.unwrap().sql);
            }
        }
    }
}

#[test]
fn counting_reads_nothing_but_one_index() {
    let tables = tables();
    names(&tables);
    for query in queries() {
        let scope = Scope::of(&tables, &query).unwrap().unwrap();
        for narrow in [Narrow::ToExport, Narrow::Fully] {
            let (sql, _) = entries_sql(&scope, narrow, "DESC", 10);
            assert_searched(&tables, &sql);
            let steps = plan(&tables, &sql);
            let by_time = steps[0].contains("USING PRIMARY KEY");
            assert!(by_time || steps[0].contains("COVERING"), "{steps:?}");
        }
    }
    assert_searched(&tables, SPANS);
}

/// As many as an answer may look at, so that going through them all would be noticed.
const ENTRIES: i64 = 200_000;
const EVERY: i64 = 94_608;

/// A tenant's entries over seven months, of eight types and fifty persons.
fn fill(tables: &Connection) {
    tables
        .execute_batch(
            "INSERT INTO audit_names VALUES (1, 'acme');
             WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 49)
             INSERT INTO audit_names SELECT 100 + i, printf('person-%d', i) FROM n;
             INSERT INTO audit_names VALUES (2, 'downloaded'), (3, 'completed'), (4, 'failed'), (5, 'expired'), (6, 'export_admitted'),
                (7, 'download_ended'), (8, 'audit_read'), (9, 'access_denied');",
        )
        .unwrap();
    tables
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
             INSERT INTO audit_log SELECT 1, i * ?2, i, 2 + i * 7 / 5 % 8, iif(i % 3 = 0, NULL, 100 + i / 11 % 50),
                unhex(printf('%032x', i / 10)), NULL, NULL FROM n",
            [ENTRIES, EVERY],
        )
        .unwrap();
    tables
        .execute_batch(
            "INSERT INTO audit_counts SELECT tenant, 86400000, at / 86400000 * 86400000, type, -1, count(*)
                FROM audit_log GROUP BY 1, 2, 3, 4;
             INSERT INTO audit_counts
                SELECT tenant, 604800000, (at + 259200000) / 604800000 * 604800000 - 259200000, type, coalesce(principal, 0), count(*)
                FROM audit_log GROUP BY 1, 2, 3, 4, 5;",
        )
        .unwrap();
}

#[test]
fn pages_facets_and_bars_cost_little_however_long_the_log_is() {
    let mut tables = tables();
    fill(&tables);
    let person = || PrincipalId::new("person-7").unwrap();
    for query in queries() {
        let query = AuditQuery {
            principal: query.principal.map(|_| person()),
            from: query
                .from
                .map(|_| Timestamp::from_millis(EVERY * ENTRIES / 5)),
            to: query
                .to
                .map(|_| Timestamp::from_millis(EVERY * ENTRIES / 5 * 4)),
            export: query
                .export
                .map(|_| ExportId::from_uuid(Uuid::from_u128(9_876))),
            ..query
        };
        let (page, cost) = steps(&mut tables, |tables| query::page(tables, &query, None, 100));
        assert!(cost < 20_000, "{cost}: {query:?}");
        let after = page.unwrap().next;
        let (page, cost) = steps(&mut tables, |tables| {
            query::page(tables, &query, after, 100)
        });
        assert!(cost < 20_000, "{cost}: after {after:?} {query:?}");
        page.unwrap();
        let (facets, cost) = steps(&mut tables, |tables| facets::facets(tables, &query));
        assert!(cost < 200_000, "{cost}: facets of {query:?}");
        let facets = facets.unwrap();
        assert_eq!(facets.counted_since, None);
        let (density, cost) = steps(&mut tables, |tables| density::density(tables, &query, 96));
        assert!(cost < 100_000, "{cost}: bars of {query:?}");
        let counted: u64 = density.unwrap().bars.iter().map(|bar| bar.count).sum();
        assert_eq!(counted, facets.total, "{query:?}");
    }
}

#[test]
fn what_is_too_much_to_look_at_is_told() {
    let mut tables = tables();
    fill(&tables);
    // All of it in four hours of one day, and no whole day of it is asked for.
    let crowd = "UPDATE audit_log SET at = seq * 72 / 1000 * 1000";
    tables.execute_batch(crowd).unwrap();
    tables
        .execute_batch("INSERT INTO audit_log SELECT tenant, at, seq + 200000, type, principal, NULL, NULL, NULL FROM audit_log")
        .unwrap();
    let query = AuditQuery {
        from: Some(Timestamp::EPOCH),
        to: Some(Timestamp::from_millis(86_400_000 - 1)),
        ..AuditQuery::new(TenantId::new("acme").unwrap())
    };
    let (facets, cost) = steps(&mut tables, |tables| facets::facets(tables, &query));
    assert!(cost < 10_000_000, "{cost}");
    let facets = facets.unwrap();
    assert_eq!(facets.total, 200_000, "half of it");
    let since = facets.counted_since.unwrap();
    assert!(
        (7_190_000..7_210_000).contains(&since.as_millis()),
        "{since}"
    );
    assert_eq!(facets.persons_counted_since, Some(since));
}
