//! Rebuilding from zero gives what live reading gave: over any lives of exports, read in any pieces.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use carnet_events::codec::{Context, DomainEvent, encode};
use carnet_events::domain::export::{
    Cancelled, ExportEvent, Failed, HandedBack, Phase, Progressed, Started,
};
use carnet_events::domain::request::{ExportKind, Format, Origin, Request};
use carnet_events::ids::{ExportId, Incarnation, NodeId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{EventStore, Expected};
use carnet_events::stream::StreamName;
use carnet_projections::exports::{ExportPage, ExportQuery};
use carnet_projections::worklist::{Queued, Running, Unreleased};
use carnet_projections::{Options, ProjectionName, Projections};
use proptest::prelude::*;
use uuid::Uuid;

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + i64::try_from(second).unwrap() * 1000)
}

fn principal() -> PrincipalId {
    PrincipalId::new("p-1").unwrap()
}

/// One export's events: requested, some attempts, and an end for some.
fn life(fate: u8) -> Vec<ExportEvent> {
    let request = Request {
        tenant: TenantId::new("acme").unwrap(),
        principal: principal(),
        origin: Origin::User,
        kind: ExportKind::Account,
        categories: vec!["users".to_owned()],
        scope: None,
        format: Format::Json,
        layers: Vec::new(),
        policy_digests: Default::default(),
        retry_of: None,
    };
    let started = |attempt| {
        ExportEvent::Started(Started {
            attempt,
            node: NodeId::from_uuid(Uuid::from_u128(1)),
            incarnation: Incarnation::from_uuid(Uuid::from_u128(2)),
            lease_ms: 30_000,
            policy_digests: Default::default(),
        })
    };
    let progressed = ExportEvent::Progressed(Progressed {
        attempt: 1,
        phase: Phase::Reading,
        category: Some("users".to_owned()),
        rows: 7,
        bytes: 70,
    });
    let mut events = vec![ExportEvent::Requested(request)];
    match fate % 5 {
        0 => {}
        1 => events.extend([started(1), progressed]),
        2 => events.extend([
            started(1),
            ExportEvent::HandedBack(HandedBack { attempt: 1 }),
            started(2),
        ]),
        3 => events.extend([
            started(1),
            ExportEvent::Failed(Failed {
                attempt: Some(1),
                code: "schema_drift".to_owned(),
                parameters: Default::default(),
                principal: None,
            }),
        ]),
        _ => events.push(ExportEvent::Cancelled(Cancelled {
            principal: principal(),
            code: "requested".to_owned(),
        })),
    }
    events
}

async fn append(store: &dyn EventStore, number: usize, events: &[ExportEvent]) {
    let export = ExportId::from_uuid(Uuid::from_u128(1 + number as u128));
    let context = Context {
        tenant: TenantId::new("acme").ok(),
        ..Context::default()
    };
    for (index, event) in events.iter().enumerate() {
        let id = Uuid::from_u128(((number as u128 + 1) << 32) + index as u128);
        let new = encode(id, at((number * 10 + index) as u64), event, &context).unwrap();
        let expected = match index {
            0 => Expected::NoStream,
            _ => Expected::Exact(index as u64 - 1),
        };
        assert_eq!(new.kind, event.kind());
        store
            .append(&StreamName::export(export), expected, vec![new])
            .await
            .unwrap();
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    page: ExportPage,
    queued: Vec<Queued>,
    running: Vec<Running>,
    unreleased: Vec<Unreleased>,
}

async fn look(projections: &Projections) -> Seen {
    projections.wait_until_current().await.unwrap();
    let query = ExportQuery {
        tenant: TenantId::new("acme").unwrap(),
        principal: None,
        status: None,
        page: 1,
        page_size: 200,
        now: at(0),
    };
    let worklist = projections.worklist();
    Seen {
        page: projections.exports().list(query).await.unwrap(),
        queued: worklist.queued(at(1_000_000), None, 200).await.unwrap(),
        running: worklist.running(None, 200).await.unwrap(),
        unreleased: worklist.unreleased(None, 200).await.unwrap(),
    }
}

async fn check(fates: Vec<u8>, batch: usize, restart_at: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let options = |name: &str| Options {
        batch_events: batch,
        ..Options::new(folder.path().join(name))
    };
    let mut live = Projections::start(Arc::clone(&store), options("live.db"))
        .await
        .unwrap();
    for (number, fate) in fates.iter().enumerate() {
        append(store.as_ref(), number, &life(*fate)).await;
        if number == restart_at {
            live.shutdown().await;
            live = Projections::start(Arc::clone(&store), options("live.db"))
                .await
                .unwrap();
        }
    }
    let seen = look(&live).await;
    assert_eq!(seen.page.total, fates.len() as u64);
    live.rebuild(&ProjectionName::ALL).await.unwrap();
    assert_eq!(look(&live).await, seen, "rebuilt beside the live tables");
    live.shutdown().await;
    let fresh = Projections::start(store, options("fresh.db"))
        .await
        .unwrap();
    assert_eq!(look(&fresh).await, seen, "a new file");
    fresh.shutdown().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rebuilding_from_zero_gives_what_live_reading_gave(
        fates in proptest::collection::vec(0u8..5, 1..40),
        batch in 1usize..50,
        restart_at in 0usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check(fates, batch, restart_at));
    }
}
