//! All of it together, and one life of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use carnet_events::domain::tenant::{Limits, Quota};
use carnet_events::ids::{Digest, ExportId, TenantId};
use carnet_events::store::memory::MemoryStore;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::bucket::{Bucket, Objects};
use crate::chance::Chance;
use crate::checker::{Checker, Violation};
use crate::line::Weather;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::people::{self, Intake};
use crate::server::Server;
use crate::time::Time;
use crate::trace::Trace;
use crate::{operators, trouble};

const NODES: usize = 3;

/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(8 * 60);

/// How long they may take to end once nothing goes wrong any more. The longest waits are for a sweep to come by an orphan
/// that is old enough, and for a download window.
const CALM: Duration = Duration::from_secs(25 * 60);

/// Failed attempts after which an export fails.
pub const MAX_ATTEMPTS: u32 = 3;

/// How long a file can be had.
pub const TTL: Duration = Duration::from_secs(4 * 60);

pub fn limits() -> Limits {
    Limits {
        per_user: Quota {
            accepted: 4,
            window_ms: 90_000,
        },
        per_tenant: Quota {
            accepted: 7,
            window_ms: 120_000,
        },
        active_per_user: 2,
        active_per_tenant: 3,
    }
}

pub struct World {
    pub seed: u64,
    pub chance: Chance,
    pub time: Time,
    pub trace: Trace,
    pub mutation: Mutation,
    pub weather: Arc<Weather>,
    pub server: Arc<Server>,
    pub bucket: Arc<Bucket>,
    pub checker: Arc<Mutex<Checker>>,
    pub nodes: Vec<Arc<Node>>,
    pub tenants: Vec<TenantId>,
    /// Exports that people know of.
    pub known: Mutex<Vec<(TenantId, ExportId)>>,
    pub intake: Mutex<Intake>,
    /// Nothing goes wrong any more.
    pub calm: AtomicBool,
}

/// What came of a life.
pub struct Outcome {
    pub seed: u64,
    /// Of trace and log.
    pub digest: Digest,
    pub events: usize,
    pub accepted: usize,
    pub settled: usize,
    pub violations: Vec<Violation>,
    pub trace: Trace,
    /// How much time passed in it.
    pub lived: Duration,
}

/// Lives once, from `seed`, on a runtime of its own. Nothing of it is left afterwards.
pub fn live(seed: u64, mutation: Mutation) -> Outcome {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    actix::System::with_tokio_rt(runtime).block_on(async {
        let world = Arc::new(World::new(seed, mutation));
        world.run().await
    })
}

impl World {
    fn new(seed: u64, mutation: Mutation) -> Self {
        let (chance, time) = (Chance::new(seed), Time::begin());
        let trace = Trace::new(time);
        let objects = Objects::default();
        let checker = Arc::new(Mutex::new(Checker::new(Arc::clone(&objects), time)));
        let weather = Arc::new(Weather::default());
        let server = Server {
            store: MemoryStore::new(),
            checker: Arc::clone(&checker),
            time,
            chance: chance.clone(),
            trace: trace.clone(),
            mutation,
            forgetful: seed % 2 == 1,
            more: Notify::new(),
            down: AtomicBool::new(false),
        };
        let bucket = Bucket {
            objects,
            checker: Arc::clone(&checker),
            weather: Arc::clone(&weather),
            time,
            chance: chance.clone(),
            trace: trace.clone(),
            mutation,
            down: AtomicBool::new(false),
        };
        let tenant = |name: &str| TenantId::new(name).unwrap();
        Self {
            seed,
            nodes: (0..NODES)
                .map(|number| Arc::new(Node::new(number, &chance)))
                .collect(),
            tenants: ["acme", "beck", "cohn"].map(tenant).to_vec(),
            chance,
            time,
            trace,
            mutation,
            weather,
            server: Arc::new(server),
            bucket: Arc::new(bucket),
            checker,
            known: Mutex::default(),
            intake: Mutex::default(),
            calm: AtomicBool::new(false),
        }
    }

    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    async fn run(self: Arc<Self>) -> Outcome {
        for node in &self.nodes {
            tokio::spawn(Arc::clone(node).boot(Arc::clone(&self)));
        }
        self.weather.bad.store(4, Ordering::Relaxed);
        people::arrive(&self);
        tokio::spawn(operators::work(Arc::clone(&self)));
        tokio::spawn(trouble::make(Arc::clone(&self)));
        if self.watch(TROUBLE, false).await {
            self.calm.store(true, Ordering::Relaxed);
            trouble::end(&self);
            tokio::spawn(operators::put_right(Arc::clone(&self)));
            if self.watch(CALM, true).await {
                let mut checker = self.checker.lock().unwrap();
                let unfinished = checker.unfinished();
                checker.violations.extend(unfinished);
            }
        }
        self.outcome()
    }

    /// Lets `time` pass, or as much of it as is needed until all has ended. `false` when that, or a violation, came first.
    async fn watch(&self, time: Duration, until_ended: bool) -> bool {
        let end = self.time.elapsed() + time;
        let step = Duration::from_secs(if until_ended { 10 } else { 1 });
        while self.time.elapsed() < end {
            sleep(step).await;
            let checker = self.checker.lock().unwrap();
            if !checker.violations.is_empty() {
                return false;
            }
            if until_ended && checker.unfinished().is_empty() {
                return false;
            }
        }
        true
    }

    fn outcome(&self) -> Outcome {
        let checker = self.checker.lock().unwrap();
        Outcome {
            seed: self.seed,
            digest: self.trace.digest(),
            events: checker.appended,
            accepted: checker.accepted.len(),
            settled: checker.settled(),
            violations: checker.violations.clone(),
            trace: self.trace.clone(),
            lived: self.time.elapsed(),
        }
    }
}
