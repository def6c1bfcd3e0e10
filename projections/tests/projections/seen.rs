//! Everything that can be asked of the projections, as text by question.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use carnet_events::domain::export::Status;
use carnet_events::ids::Timestamp;
use carnet_projections::Projections;
use carnet_projections::audit_log::{AuditOrder, AuditQuery};
use carnet_projections::exports::ExportQuery;
use carnet_projections::operations::Grain;

use crate::history::{begin, export, principal, tenant};

/// Answers by question.
pub(crate) type Seen = BTreeMap<String, String>;

/// Long after every history.
fn later() -> Timestamp {
    begin().plus(Duration::from_secs(40 * 2900 + 3600))
}

fn note(seen: &mut Seen, question: impl Into<String>, answer: &impl Debug) {
    let known = seen.insert(question.into(), format!("{answer:#?}"));
    assert_eq!(known, None);
}

/// Asks everything, once all that was written is there.
pub(crate) async fn look(projections: &Projections) -> Seen {
    projections.wait_until_current().await.unwrap();
    let mut seen = Seen::new();
    exports(projections, &mut seen).await;
    worklist(projections, &mut seen).await;
    audit_log(projections, &mut seen).await;
    operations(projections, &mut seen).await;
    seen
}

async fn exports(projections: &Projections, seen: &mut Seen) {
    let exports = projections.exports();
    for number in 0..2 {
        for status in Status::ALL.into_iter().map(Some).chain([None]) {
            let query = ExportQuery {
                tenant: tenant(number),
                principal: status.is_none().then(|| principal(number)),
                status,
                page: 1,
                page_size: 200,
                now: begin().plus(Duration::from_secs(10_000)),
            };
            let page = exports.list(query).await.unwrap();
            note(seen, format!("exports {number} {status:?}"), &page);
        }
        let rows = exports.last_rows(tenant(number)).await.unwrap();
        note(seen, format!("last rows {number}"), &rows);
    }
}

async fn worklist(projections: &Projections, seen: &mut Seen) {
    let worklist = projections.worklist();
    let queued = worklist.queued(later(), None, 200).await.unwrap();
    note(seen, "queued", &queued);
    let running = worklist.running(None, 200).await.unwrap();
    note(seen, "running", &running);
    let unreleased = worklist.unreleased(None, 200).await.unwrap();
    note(seen, "unreleased", &unreleased);
    let admissions = worklist.open_admissions(later(), None, 200).await;
    note(seen, "open admissions", &admissions.unwrap());
    let due = worklist.due_expiry(later(), None, 200).await.unwrap();
    note(seen, "due expiry", &due);
    let due = worklist.due_deletion(later(), None, 200).await.unwrap();
    note(seen, "due deletion", &due);
}

/// Queries with every filter, both ways.
fn queries() -> Vec<AuditQuery> {
    let mut queries = Vec::new();
    for number in 0..2 {
        let all = AuditQuery::new(tenant(number));
        let filtered = [
            AuditQuery {
                kind: Some("export_admitted".to_owned()),
                ..all.clone()
            },
            AuditQuery {
                principal: Some(principal(1)),
                ..all.clone()
            },
            AuditQuery {
                export: Some(export(number)),
                ..all.clone()
            },
            AuditQuery {
                from: Some(begin().plus(Duration::from_secs(2950))),
                to: Some(begin().plus(Duration::from_secs(90_000))),
                ..all.clone()
            },
        ];
        for query in filtered.into_iter().chain([all]) {
            queries.push(AuditQuery {
                order: AuditOrder::OldestFirst,
                ..query.clone()
            });
            queries.push(query);
        }
    }
    queries
}

async fn audit_log(projections: &Projections, seen: &mut Seen) {
    let log = projections.audit_log();
    for (number, query) in queries().into_iter().enumerate() {
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let page = log.page(query.clone(), after, 7).await.unwrap();
            entries.extend(page.entries);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut streamed = Vec::new();
        let mut stream = log.stream(query.clone());
        while let Some(more) = stream.next().await {
            streamed.extend(more.unwrap());
        }
        assert_eq!(streamed, entries, "{query:?}");
        note(seen, format!("audit log {number}"), &entries);
        let facets = log.facets(query.clone()).await.unwrap();
        assert_eq!(facets.total, entries.len() as u64, "{query:?}");
        note(seen, format!("facets {number}"), &facets);
        let density = log.density(query, 30).await.unwrap();
        note(seen, format!("density {number}"), &density);
    }
}

async fn operations(projections: &Projections, seen: &mut Seen) {
    let operations = projections.operations();
    for hours in [1, 8, 30] {
        let now = begin().plus(Duration::from_secs(hours * 3600));
        let overview = operations.overview(now).await.unwrap();
        note(seen, format!("overview after {hours} h"), &overview);
    }
    for grain in [Grain::Minute, Grain::Hour] {
        let series = operations.series(grain, begin(), later()).await.unwrap();
        note(seen, format!("series {grain:?}"), &series);
        let depth = operations.depth(grain, begin(), later()).await.unwrap();
        note(seen, format!("depth {grain:?}"), &depth);
    }
    let age = Duration::from_secs(60);
    note(
        seen,
        "stuck",
        &operations.stuck(later(), age, 50).await.unwrap(),
    );
    note(seen, "nodes", &operations.nodes(50).await.unwrap());
    note(seen, "intake", &operations.intake().await.unwrap());
    note(
        seen,
        "closed",
        &operations.closed_tenants(50).await.unwrap(),
    );
    note(
        seen,
        "exemptions",
        &operations.exemptions(None, 50).await.unwrap(),
    );
}

/// Says which answers differ.
pub(crate) fn assert_same(found: &Seen, expected: &Seen, when: &str) {
    for (question, answer) in expected {
        assert_eq!(found.get(question), Some(answer), "{question}: {when}");
    }
    assert_eq!(found.len(), expected.len());
}
