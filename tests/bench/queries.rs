//! What the pages ask of the projections, for a tenant with a long history. Promise: each answer within 100 ms.
//!
//! `cargo bench -p carnet-projections --bench queries` writes the history of 100,000 exports of one tenant
//! (`CARNET_BENCH_EXPORTS` for another number), more than a million events, into an SQLite event store under `target/`, once;
//! folds it; and asks each question 21 times. The median counts.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench"
)]

#[path = "replay/history.rs"]
#[allow(dead_code, reason = "another bench counts events, not exports")]
mod history;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carnet_events::domain::export::Status;
use carnet_events::ids::{TenantId, Timestamp};
use carnet_events::store::EventStore;
use carnet_events::store::sqlite::SqliteStore;
use carnet_projections::audit_log::{AuditOrder, AuditQuery};
use carnet_projections::exports::ExportQuery;
use carnet_projections::operations::Grain;
use carnet_projections::{Options, Projections};

const ROUNDS: usize = 21;
const PROMISE: Duration = Duration::from_millis(100);
const BEGIN: Timestamp = Timestamp::from_millis(1_790_000_000_000);

#[tokio::main(worker_threads = 2)]
async fn main() {
    let exports = std::env::var("CARNET_BENCH_EXPORTS").ok();
    let exports = exports.and_then(|text| text.parse().ok());
    let exports = exports.unwrap_or(100_000);
    let target = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = target.join(format!("carnet-queries-{exports}"));
    let store = log(&folder, exports).await;
    let options = Options::new(folder.join("projections.db"));
    let projections = Projections::start(store, options).await.unwrap();
    projections.wait_until_current().await.unwrap();
    let lasted = history::LIFE_EVERY * u32::try_from(exports).unwrap();
    let asked = Asked {
        projections,
        tenant: TenantId::new("tenant-0000").unwrap(),
        end: BEGIN.plus(lasted),
    };
    asked.exports().await;
    asked.audit_log().await;
    asked.operations().await;
    asked.projections.shutdown().await;
}

/// The store with the history, filled if it is not there yet.
async fn log(folder: &Path, exports: u64) -> Arc<dyn EventStore> {
    let (path, done) = (folder.join("events.db"), folder.join("done"));
    if !done.exists() {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        let began = Instant::now();
        let setting = history::Setting {
            tenants: 1,
            begin: BEGIN,
        };
        history::write_lives(&store, setting, exports).await;
        drop(store);
        std::fs::write(&done, "").unwrap();
        let took = began.elapsed();
        println!("wrote the history of {exports} exports in {took:.1?}");
    }
    Arc::new(SqliteStore::open(&path).unwrap())
}

/// What is asked, and of whom.
struct Asked {
    projections: Projections,
    tenant: TenantId,
    /// About the history's end.
    end: Timestamp,
}

impl Asked {
    async fn exports(&self) {
        let exports = self.projections.exports();
        let all = ExportQuery {
            tenant: self.tenant.clone(),
            principal: None,
            status: None,
            page: 1,
            page_size: 50,
            now: self.end,
        };
        let total = exports.list(all.clone()).await.unwrap().total;
        println!("{total} exports");
        let list = async |query: &ExportQuery| exports.list(query.clone()).await.unwrap();
        measure("exports, first page", async || list(&all).await).await;
        for status in [Status::Completed, Status::Expired, Status::Failed] {
            let query = ExportQuery {
                status: Some(status),
                ..all.clone()
            };
            measure(&format!("exports, {status}"), async || list(&query).await).await;
        }
        let last = ExportQuery {
            page: u32::try_from(total / 50).unwrap(),
            ..all.clone()
        };
        measure("exports, last page", async || list(&last).await).await;
        let tenant = &self.tenant;
        let last_rows = async || exports.last_rows(tenant.clone()).await.unwrap();
        measure("rows of last time", last_rows).await;
    }

    async fn audit_log(&self) {
        let log = self.projections.audit_log();
        let all = AuditQuery::new(self.tenant.clone());
        let facets = log.facets(all.clone()).await.unwrap();
        println!("{} entries of the audit log", facets.total);
        let page = log.page(all.clone(), None, 1).await.unwrap();
        let export = page.entries.first().and_then(|entry| entry.export_id);
        let person = facets
            .persons
            .first()
            .map(|person| person.principal.clone());
        let day = Duration::from_secs(86_400);
        let queries = [
            ("all", all.clone()),
            (
                "oldest first",
                AuditQuery {
                    order: AuditOrder::OldestFirst,
                    ..all.clone()
                },
            ),
            (
                "a day",
                AuditQuery {
                    from: Some(self.end.minus(day)),
                    ..all.clone()
                },
            ),
            (
                "two weeks and a bit",
                AuditQuery {
                    from: Some(self.end.minus(day * 40)),
                    to: Some(self.end.minus(day * 26 - Duration::from_secs(1000))),
                    ..all.clone()
                },
            ),
            (
                "a type",
                AuditQuery {
                    kind: Some("failed".to_owned()),
                    ..all.clone()
                },
            ),
            (
                "a person",
                AuditQuery {
                    principal: person.clone(),
                    ..all.clone()
                },
            ),
            (
                "a person's failures",
                AuditQuery {
                    principal: person,
                    kind: Some("export_refused".to_owned()),
                    ..all.clone()
                },
            ),
            (
                "an export",
                AuditQuery {
                    export,
                    ..all.clone()
                },
            ),
        ];
        for (what, query) in &queries {
            let page = async || log.page(query.clone(), None, 100).await.unwrap();
            measure(&format!("audit log, {what}: page"), page).await;
            let facets = async || log.facets(query.clone()).await.unwrap();
            measure(&format!("audit log, {what}: facets"), facets).await;
            let density = async || log.density(query.clone(), 96).await.unwrap();
            measure(&format!("audit log, {what}: bars"), density).await;
        }
    }

    async fn operations(&self) {
        let operations = self.projections.operations();
        let (now, day) = (self.end, Duration::from_secs(86_400));
        let overview = async || operations.overview(now).await.unwrap();
        measure("operations, overview", overview).await;
        for (grain, span) in [(Grain::Minute, day), (Grain::Hour, day * 30)] {
            let from = now.minus(span);
            let series = async || operations.series(grain, from, now).await.unwrap();
            measure(&format!("operations, series by {grain:?}"), series).await;
            let depth = async || operations.depth(grain, from, now).await.unwrap();
            measure(&format!("operations, depth by {grain:?}"), depth).await;
        }
        let stuck = async || {
            operations
                .stuck(now, Duration::from_secs(60), 50)
                .await
                .unwrap()
        };
        measure("operations, stuck", stuck).await;
        measure("operations, nodes", async || {
            operations.nodes(50).await.unwrap()
        })
        .await;
    }
}

async fn measure<T>(what: &str, ask: impl AsyncFn() -> T) {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        std::hint::black_box(ask().await);
        times.push(began.elapsed());
    }
    times.sort();
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    let worst = times.last().copied().unwrap_or_default();
    let verdict = if median < PROMISE { "" } else { "  NOT KEPT" };
    println!("{what:45} {median:>9.2?}  worst {worst:>9.2?}{verdict}");
}
