//! A node: its disk, its clock, its cable, and the processes that run on it one after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use carnet_actors::ports::Ids as _;
use carnet_actors::{Options, Ports, System};
use carnet_events::domain::export::BackOff;
use carnet_events::ids::{Incarnation, NodeId};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::chance::Chance;
use crate::line::{Cable, Line};
use crate::power::Power;
use crate::runner::SimulatedRunner;
use crate::server::Process;
use crate::time::{NodeClock, Skew};
use crate::worklist::{self, Disk};
use crate::world::{MAX_ATTEMPTS, TTL, World};

/// How long a process may take to start before its supervisor kills it.
const START: Duration = Duration::from_secs(30);

pub struct Node {
    pub number: usize,
    pub id: NodeId,
    pub skew: Skew,
    pub cable: Arc<Cable>,
    disk: Disk,
    settings: Settings,
    running: Mutex<Option<Running>>,
    /// Somebody sees to it that a process starts. One at a time: the disk is locked.
    booting: AtomicBool,
}

/// What differs from node to node and from seed to seed.
struct Settings {
    lease: Duration,
    round: Duration,
    page: usize,
    max_live: usize,
    max_running: usize,
}

/// A process.
#[derive(Clone)]
struct Running {
    process: Process,
    power: Power,
    /// None while it is starting.
    system: Option<System>,
}

impl Node {
    pub fn new(number: usize, chance: &Chance) -> Self {
        let settings = Settings {
            lease: chance.millis(3000, 12_000),
            round: chance.millis(1500, 5000),
            page: 1 + chance.below(8),
            max_live: 2 + chance.below(8),
            max_running: 1 + chance.below(3),
        };
        Self {
            number,
            id: NodeId::from_uuid(Uuid::from_u128(number as u128 + 1)),
            skew: Skew::default(),
            cable: Arc::default(),
            disk: Disk::default(),
            settings,
            running: Mutex::default(),
            booting: AtomicBool::new(false),
        }
    }

    fn name(&self) -> String {
        format!("node {}", self.number)
    }

    /// What people who come to this node talk to, if it is there. A paused node is there, and says nothing.
    pub fn system(&self) -> Option<System> {
        self.running.lock().unwrap().as_ref()?.system.clone()
    }

    pub fn is_there(&self) -> bool {
        self.running.lock().unwrap().is_some()
    }

    /// Starts processes until one stays, unless one is there or somebody does so already.
    pub async fn boot(self: Arc<Self>, world: Arc<World>) {
        if self.is_there() || self.booting.swap(true, Ordering::Relaxed) {
            return;
        }
        self.start_until_one_stays(&world).await;
        self.booting.store(false, Ordering::Relaxed);
    }

    async fn start_until_one_stays(&self, world: &Arc<World>) {
        loop {
            let process = Process {
                number: self.number,
                node: self.id,
                incarnation: Incarnation::from_uuid(world.chance.random()),
            };
            let power = Power::on();
            *self.running.lock().unwrap() = Some(Running {
                process,
                power: power.clone(),
                system: None,
            });
            let started = timeout(START, self.start(world, process, power.clone())).await;
            if let Ok(Some(system)) = started
                && !power.is_off()
            {
                world.trace.line(&self.name(), "== started");
                if let Some(running) = self.running.lock().unwrap().as_mut() {
                    running.system = Some(system);
                }
                return;
            }
            self.crash(world);
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn start(&self, world: &Arc<World>, process: Process, power: Power) -> Option<System> {
        let clock = NodeClock {
            time: world.time,
            skew: self.skew.clone(),
            power,
        };
        let line = Line {
            process,
            clock: clock.clone(),
            cable: Arc::clone(&self.cable),
            weather: Arc::clone(&world.weather),
            server: Arc::clone(&world.server),
            chance: world.chance.clone(),
        };
        let runner = SimulatedRunner {
            process,
            clock: clock.clone(),
            bucket: Arc::clone(&world.bucket),
            server: Arc::clone(&world.server),
            checker: Arc::clone(&world.checker),
            chance: world.chance.clone(),
            mutation: world.mutation,
        };
        let ports = Ports {
            store: Arc::new(line.clone()),
            clock: Arc::new(clock),
            ids: Arc::new(world.chance.clone()),
            runner: Arc::new(runner),
            worklist: Arc::new(worklist::lagging(&self.disk)),
        };
        let arbiter = actix::System::current().arbiter().clone();
        let options = self.options(process.incarnation);
        let system = System::start_on(arbiter, options, ports).await.ok()?;
        tokio::spawn(worklist::follow(Arc::clone(&self.disk), line));
        Some(system)
    }

    fn options(&self, incarnation: Incarnation) -> Options {
        let mut options = Options::new(self.id, incarnation);
        options.max_running = self.settings.max_running;
        options.lease = self.settings.lease;
        options.round = self.settings.round;
        options.page = self.settings.page;
        options.max_live = self.settings.max_live;
        options.stall_after = Duration::from_secs(25);
        options.retry.max_attempts = MAX_ATTEMPTS;
        options.retry.first = Duration::from_secs(1);
        options.retry.longest = Duration::from_secs(10);
        options.losses = BackOff {
            free_losses: 2,
            first: Duration::from_secs(2),
            longest: Duration::from_secs(20),
        };
        options.ttl = Some(TTL);
        options.deletion_delay = Duration::from_secs(60);
        options.sweep_after = Duration::from_secs(5 * 60);
        options.fold_records = Duration::from_secs(20);
        options.passivate_after = Duration::from_secs(20);
        options.store_deadline = Duration::from_secs(2);
        options.command_deadline = Duration::from_secs(6);
        options
    }

    /// Kills the process.
    pub fn crash(&self, world: &World) {
        if let Some(running) = self.running.lock().unwrap().take() {
            world.trace.line(&self.name(), "== killed");
            running.power.off();
            let mut checker = world.checker.lock().unwrap();
            checker.is_gone(running.process.incarnation);
        }
    }

    /// Freezes the process for `time`.
    pub async fn pause(&self, world: &World, time: Duration) {
        let running = self.running.lock().unwrap().clone();
        if let Some(running) = running {
            let line = format!("== paused for {:.1} s", time.as_secs_f64());
            world.trace.line(&self.name(), &line);
            running.power.pause();
            sleep(time).await;
            world.trace.line(&self.name(), "== resumed");
            running.power.resume();
        }
    }

    /// Ends the process in good order, and kills it when that takes too long.
    pub async fn stop(&self, world: &World, grace: Duration) {
        let Some(system) = self.system() else {
            return;
        };
        let line = format!("== stopping, {:.1} s of grace", grace.as_secs_f64());
        world.trace.line(&self.name(), &line);
        let _ = timeout(grace + START, system.shutdown(grace)).await;
        self.crash(world);
    }

    /// Whatever process is frozen goes on.
    pub fn wake(&self) {
        if let Some(running) = self.running.lock().unwrap().as_ref() {
            running.power.resume();
        }
    }
}
