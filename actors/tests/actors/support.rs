//! A world for the tests: one store, one clock, any number of systems on it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use carnet_actors::ports::{RandomIds, Runner};
use carnet_actors::{
    Admission, AdmitRequest, Cause, Error, ExportView, Options, Order, Ports, System,
};
use carnet_events::codec::decode;
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::Status;
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request};
use carnet_events::domain::tenant::{CategoryCheck, Limits, Quota};
use carnet_events::ids::{Digest, ExportId, Incarnation, NodeId, PrincipalId, TenantId};
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{EventStore, Filter};
use carnet_events::stream::StreamKind;
use futures::TryStreamExt;
use uuid::Uuid;

use crate::clock::TestClock;
use crate::runner::FakeRunner;
use crate::worklist::scanning;

pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub struct World {
    pub store: Arc<dyn EventStore>,
    pub clock: TestClock,
    pub runner: Arc<FakeRunner>,
}

impl World {
    pub fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new()))
    }

    pub fn on(store: Arc<dyn EventStore>) -> Self {
        Self {
            store,
            clock: TestClock::new(),
            runner: FakeRunner::new(),
        }
    }

    /// A process of node `node`.
    pub async fn start(&self, node: u128) -> System {
        self.start_with(node, |_| {}).await
    }

    pub async fn start_with(&self, node: u128, set: impl FnOnce(&mut Options)) -> System {
        let runner = Arc::clone(&self.runner) as Arc<dyn Runner>;
        self.start_on(node, Arc::clone(&self.store), runner, set)
            .await
    }

    pub async fn start_on(
        &self,
        node: u128,
        store: Arc<dyn EventStore>,
        runner: Arc<dyn Runner>,
        set: impl FnOnce(&mut Options),
    ) -> System {
        let (mut options, ports) = self.parts(node);
        set(&mut options);
        let ports = Ports {
            store,
            runner,
            ..ports
        };
        System::start(options, ports).await.unwrap()
    }

    /// What a process of node `node` starts with.
    pub fn parts(&self, node: u128) -> (Options, Ports) {
        let node = NodeId::from_uuid(Uuid::from_u128(node));
        let options = Options::new(node, Incarnation::from_uuid(Uuid::new_v4()));
        let ports = Ports {
            store: Arc::clone(&self.store),
            clock: Arc::new(self.clock.clone()),
            ids: Arc::new(RandomIds),
            runner: Arc::clone(&self.runner) as _,
            worklist: Arc::new(scanning(&self.store)),
        };
        (options, ports)
    }

    /// Moves time in steps small enough for leases, until `done` says so.
    pub async fn advance_until<F: Future<Output = bool>>(
        &self,
        step: Duration,
        mut done: impl FnMut() -> F,
    ) {
        for _ in 0..2000 {
            if done().await {
                return;
            }
            self.clock.advance(step);
            settle().await;
        }
        panic!("it never happened, however far time was moved");
    }

    /// Moves time by `by` in steps, letting everybody react to each.
    pub async fn pass(&self, by: Duration, step: Duration) {
        let mut passed = Duration::ZERO;
        while passed < by {
            self.clock.advance(step.min(by - passed));
            passed += step;
            settle().await;
        }
    }

    /// The types of an export's events but for the signs of life, which come whenever time is moved far enough.
    pub async fn kinds(&self, export: ExportId) -> Vec<String> {
        let mut kinds = self.all_kinds(export).await;
        kinds.retain(|kind| kind != "progressed");
        kinds
    }

    pub async fn all_kinds(&self, export: ExportId) -> Vec<String> {
        let all: Vec<_> = self
            .store
            .read_all(None, Filter::all(), usize::MAX)
            .try_collect()
            .await
            .unwrap();
        let of = all
            .into_iter()
            .filter(|event| event.stream.export_id() == Some(export));
        of.map(|event| event.kind.to_string()).collect()
    }

    pub async fn access_records(&self) -> Vec<AccessEvent> {
        let filter = Filter::all().streams([StreamKind::Access]);
        let all: Vec<_> = self
            .store
            .read_all(None, filter, usize::MAX)
            .try_collect()
            .await
            .unwrap();
        all.iter()
            .map(|event| decode::<AccessEvent>(event).unwrap().1.what)
            .collect()
    }
}

/// Lets tasks that are ready run.
pub async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// Gives nodes that must not lose a lease while time is moved a second at a time as long as a busy machine may need: a
/// lease, renewed three times before it ends, then stands for more than a second.
pub async fn breathe() {
    tokio::time::sleep(Duration::from_millis(40)).await;
}

/// Waits until `done` says so; how long that takes doesn't matter.
pub async fn until<F: Future<Output = bool>>(mut done: impl FnMut() -> F) {
    for _ in 0..30_000 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never happened");
}

pub async fn until_status(system: &System, export: ExportId, status: Status) -> ExportView {
    until(|| async { status_of(system, export).await == Some(status) }).await;
    system.export(export).await.unwrap().unwrap()
}

pub async fn status_of(system: &System, export: ExportId) -> Option<Status> {
    system
        .export(export)
        .await
        .unwrap()
        .map(|view| view.export.status())
}

/// Waits until none of the tenant's exports holds a slot.
pub async fn until_released(system: &System, of: &str) {
    let free = || async {
        system
            .tenant(&tenant(of))
            .await
            .unwrap()
            .tenant
            .active
            .is_empty()
    };
    until(free).await;
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub fn person(name: &str) -> PrincipalId {
    PrincipalId::new(name).unwrap()
}

pub fn limits() -> Limits {
    let window_ms = 24 * 3600 * 1000;
    Limits {
        per_user: Quota {
            accepted: 3,
            window_ms,
        },
        per_tenant: Quota {
            accepted: 10,
            window_ms,
        },
        active_per_user: 1,
        active_per_tenant: 1,
    }
}

pub fn request(of: &str, by: &str) -> AdmitRequest {
    AdmitRequest {
        request: Request {
            tenant: tenant(of),
            principal: person(by),
            origin: Origin::User,
            kind: ExportKind::Account,
            categories: vec!["users".to_owned()],
            scope: None,
            format: Format::Json,
            layers: vec![Layer::Gzip],
            policy_digests: [("users".to_owned(), Digest::from_bytes([7; 32]))].into(),
            retry_of: None,
        },
        categories: CategoryCheck::default(),
        key: None,
        limits: limits(),
        reason: None,
    }
}

/// Many at once for everybody.
pub fn unlimited(of: &str, by: &str) -> AdmitRequest {
    let many = Quota {
        accepted: 1_000_000,
        window_ms: 1000,
    };
    let mut asked = request(of, by);
    asked.limits = Limits {
        per_user: many,
        per_tenant: many,
        active_per_user: 1_000_000,
        active_per_tenant: 1_000_000,
    };
    asked
}

pub async fn ask(system: &System, asked: AdmitRequest) -> Result<Admission, Error> {
    system.admit(asked, Cause::default()).await
}

/// Asks, and expects to be let in.
pub async fn accepted(system: &System, asked: AdmitRequest) -> ExportId {
    match ask(system, asked).await.unwrap() {
        Admission::Accepted { export, .. } => export,
        Admission::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

pub async fn refused(
    system: &System,
    asked: AdmitRequest,
) -> carnet_events::domain::tenant::Refusal {
    match ask(system, asked).await.unwrap() {
        Admission::Accepted { .. } => panic!("accepted"),
        Admission::Refused(refusal) => refusal,
    }
}

pub fn order() -> Order {
    Order {
        by: person("op"),
        reason: "because ada asked".to_owned(),
        cause: Cause::default(),
    }
}

pub async fn stop(system: System) {
    system.shutdown(Duration::ZERO).await;
}
