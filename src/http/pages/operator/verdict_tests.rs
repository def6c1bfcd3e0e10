//! Given how the service stands, then what is found.

use std::collections::BTreeMap;

use carnet_events::ids::{ExportId, Incarnation, NodeId, PrincipalId, TenantId};
use carnet_projections::operations::{Intake, NodeRow, Overview, Period, Stuck};
use carnet_projections::worklist::{Mark, Queued, Running};
use carnet_projections::{ProjectionName, ProjectionStatus, Rebuilding, Status as ReadModels};
use uuid::Uuid;

use super::*;
use crate::export::StorageView;
use crate::http::pages::operator::now::Range;

const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn node() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(1))
}

fn mark(at: Timestamp) -> Mark {
    Mark {
        at,
        export: ExportId::from_uuid(Uuid::from_u128(2)),
    }
}

/// A service in which nothing is wrong.
fn well() -> Now {
    let projection = |name| ProjectionStatus {
        name,
        version: 1,
        generation: 1,
        state: RunState::Live,
        position: None,
        newest_event_at: None,
        events: 0,
        lag_events: Some(0),
        lag_ms: 0,
        rebuilding: None,
        rebuild_failed: None,
    };
    Now {
        at: AT,
        range: Range::Hour,
        checks: [
            "store",
            "artifacts",
            "clock",
            "node",
            "projections",
            "token_keys",
        ]
        .map(|name| (name, None))
        .into(),
        figures: Some(Figures {
            overview: Overview {
                statuses: BTreeMap::new(),
                oldest_queued: None,
                running: Vec::new(),
                last_hour: Period::default(),
                last_day: Period::default(),
            },
            stuck: Stuck::default(),
            nodes: Vec::new(),
            intake: Intake::default(),
            closed: Vec::new(),
            exemptions: Vec::new(),
            series: Vec::new(),
            depth: Vec::new(),
        }),
        projections: ReadModels {
            log: None,
            last_position: None,
            trouble: None,
            projections: ProjectionName::ALL.map(projection).into(),
        },
        storages: vec![StorageView {
            key: "artifacts.url".to_owned(),
            tried_at: Some(AT),
            problem: None,
        }],
        clock_skew_ms: None,
        node: node(),
        lease: Duration::from_secs(30),
        max_running: 2,
    }
}

/// The only thing found in a service that is well but for `change`.
#[track_caller]
fn only(change: impl FnOnce(&mut Now, &mut Figures)) -> Finding {
    let mut now = well();
    let mut figures = now.figures.take().unwrap();
    change(&mut now, &mut figures);
    now.figures = Some(figures);
    let mut found = findings(&now);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].todo.is_empty());
    found.remove(0)
}

fn where_to(finding: &Finding) -> &str {
    finding.link.as_ref().map_or("", |(address, _)| address)
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(findings(&well()), []);
}

#[test]
fn an_event_store_that_cant_be_written_is_told_with_its_reason() {
    let found = only(|now, _| {
        now.checks.insert("store", Some("disk full".to_owned()));
    });
    assert_eq!(found.level, Level::Bad);
    assert!(found.what.contains("disk full"));
}

#[test]
fn a_process_whose_node_another_one_is_has_to_go() {
    let found = only(|now, _| {
        now.checks
            .insert("node", Some("another process".to_owned()));
    });
    assert_eq!(found.level, Level::Bad);
}

#[test]
fn each_broken_storage_is_told_by_its_key() {
    let found = only(|now, _| now.storages[0].problem = Some("no space".to_owned()));
    assert_eq!(found.level, Level::Bad);
    assert!(found.what.contains("artifacts.url") && found.what.contains("no space"));
    assert_eq!(where_to(&found), "/operator#storages");
}

#[test]
fn a_skewed_clock_is_told_with_its_direction() {
    assert!(
        only(|now, _| now.clock_skew_ms = Some(7_000))
            .what
            .contains("7 s ahead")
    );
    assert!(
        only(|now, _| now.clock_skew_ms = Some(-7_000))
            .what
            .contains("7 s behind")
    );
}

#[test]
fn keys_that_cant_be_fetched_are_told() {
    let found = only(|now, _| {
        now.checks.insert("token_keys", Some("refused".to_owned()));
    });
    assert_eq!(found.level, Level::Bad);
}

#[test]
fn a_stopped_projection_leads_to_its_rebuild() {
    let found = only(|now, _| {
        let reason = "unknown event".to_owned();
        now.projections.projections[1].state = RunState::Stopped { reason };
    });
    assert_eq!(found.level, Level::Bad);
    assert_eq!(
        where_to(&found),
        "/operator/act/rebuild?projection=audit_log"
    );
}

#[test]
fn a_rebuild_that_came_to_nothing_is_worth_a_look_until_the_next() {
    let found = only(|now, _| {
        let why = "a row can't be read".to_owned();
        now.projections.projections[1].rebuild_failed = Some(why);
    });
    assert_eq!(found.level, Level::Warn);
    assert!(found.what.contains("audit_log") && found.what.contains("a row can't be read"));
    let mut now = well();
    let one = &mut now.projections.projections[1];
    one.rebuild_failed = Some("a row can't be read".to_owned());
    one.rebuilding = Some(Rebuilding::default());
    assert!(findings(&now).is_empty());
}

#[test]
fn a_projection_that_reads_history_or_is_behind_is_worth_a_look() {
    let reads = only(|now, _| now.projections.projections[0].state = RunState::CatchingUp);
    let behind = only(|now, _| now.projections.projections[0].lag_ms = 60_000);
    assert_eq!((reads.level, behind.level), (Level::Warn, Level::Warn));
    only(|now, _| now.projections.trouble = Some("file is locked".to_owned()));
}

#[test]
fn figures_that_cant_be_read_are_said() {
    let now = Now {
        figures: None,
        ..well()
    };
    assert_eq!(findings(&now).len(), 1);
}

#[test]
fn stuck_exports_are_told_with_the_oldest_sign_of_life() {
    let alive_at = AT.minus(minutes(3));
    let found = only(|_, figures| {
        figures.stuck = Stuck {
            exports: vec![Running {
                mark: mark(AT.minus(minutes(5))),
                tenant: TenantId::new("acme").unwrap(),
                attempt: 1,
                node: node(),
                incarnation: Incarnation::from_uuid(Uuid::nil()),
                lease_ms: 30_000,
                alive_at,
                revision: 3,
            }],
            total: 12,
        }
    });
    assert_eq!((found.level, found.since), (Level::Bad, Some(alive_at)));
    assert!(found.what.starts_with("12 "));
    assert_eq!(where_to(&found), "/operator/exports?stuck=true");
}

#[test]
fn what_operators_switched_off_stays_in_sight() {
    let paused = only(|_, figures| figures.intake.paused = true);
    assert_eq!(where_to(&paused), "/operator/act/resume_intake");
    let draining = only(|_, figures| {
        figures.nodes.push(NodeRow {
            node: node(),
            incarnation: None,
            version: None,
            started_at: None,
            alive_at: None,
            running: 1,
            drained_by: PrincipalId::new("olga").ok(),
            drained_since: Some(AT),
        });
    });
    assert!(where_to(&draining).starts_with("/operator/act/undrain?node="));
    assert!(draining.what.contains("1 export still runs"));
}

#[test]
fn a_queue_is_told_when_it_waits_long_and_not_on_purpose() {
    let waiting = |since: Duration, not_before: Option<Timestamp>| Queued {
        mark: mark(AT.minus(since)),
        tenant: TenantId::new("acme").unwrap(),
        not_before,
        attempts: 0,
    };
    for (queued, is_told) in [
        (waiting(minutes(4), None), false),
        (waiting(minutes(6), None), true),
        (waiting(minutes(60), Some(AT.plus(minutes(1)))), false),
        (waiting(minutes(60), Some(AT.minus(minutes(6)))), true),
    ] {
        let mut now = well();
        now.figures.as_mut().unwrap().overview.oldest_queued = Some(queued);
        assert_eq!(findings(&now).len(), usize::from(is_told));
    }
    let busy = only(|_, figures| {
        figures.overview.oldest_queued = Some(waiting(minutes(6), None));
        figures.overview.statuses = [(Status::Queued, 9), (Status::Running, 2)].into();
    });
    assert_eq!(busy.todo, words::QUEUE_BUSY_REMEDY);
}

#[test]
fn failures_are_told_by_code_the_most_frequent_first_and_not_endlessly() {
    let mut now = well();
    let failed: BTreeMap<String, u64> = (1..=9).map(|n| (format!("code_{n}"), n)).collect();
    now.figures.as_mut().unwrap().overview.last_hour.failed = failed;
    let found = findings(&now);
    assert_eq!(found.len(), CODES);
    assert!(found[0].what.contains("code_9"));
    assert_eq!(
        where_to(&found[0]),
        "/operator/exports?status=failed&code=code_9"
    );
}

#[test]
fn lost_attempts_and_damaged_files_are_told() {
    only(|_, figures| figures.overview.last_hour.attempts_lost = 2);
    let damaged = only(|_, figures| {
        let blocked = &mut figures.overview.last_day.blocked;
        blocked.insert("artifact_damaged".to_owned(), 1);
        blocked.insert("expired".to_owned(), 5);
    });
    assert_eq!(damaged.level, Level::Bad);
}

#[test]
fn what_is_broken_comes_first() {
    let mut now = well();
    now.figures.as_mut().unwrap().intake.paused = true;
    now.clock_skew_ms = Some(9_000);
    let levels: Vec<Level> = findings(&now).iter().map(|found| found.level).collect();
    assert_eq!(levels, [Level::Bad, Level::Warn]);
}
