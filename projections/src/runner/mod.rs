//! The runner: the one thread that writes the projections' file.

mod feed;
mod instance;
mod lane;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use carnet_events::envelope::Position;
use carnet_events::store::EventStore;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use self::feed::{Chunk, Facts};
use self::instance::Instance;
use self::lane::Lane;
use crate::database::names::Names;
use crate::database::{File, Pages, Readers, Trouble, tables};
use crate::status::{Progress, Rebuilding, Report};
use crate::{Error, Options, ProjectionName};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Events after which the runner looks whether there is something more urgent.
const EVENTS_AT_ONCE: usize = 4096;

/// The most events of a rebuild in one transaction.
const REBUILD_BATCH: usize = 32_768;

/// Takes the answer to a rebuild.
type Done = oneshot::Sender<Result<(), Error>>;

/// What the runner is asked from outside.
pub(crate) enum Command {
    /// Fill these anew, and say when that is done.
    Rebuild(Vec<ProjectionName>, Done),
}

/// What the runner is made of, besides its file.
pub(crate) struct Setup {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) options: Options,
    pub(crate) runtime: Handle,
    /// The log's id.
    pub(crate) log: Option<Uuid>,
    /// The log's end when the runner was started.
    pub(crate) last: Option<Position>,
    pub(crate) readers: Readers,
}

/// The runner's side of its channels.
pub(crate) struct Wires {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) report: watch::Sender<Report>,
    /// Becomes true, or loses its sender, when the runner is to end.
    pub(crate) closing: watch::Receiver<bool>,
}

/// The one thread that writes the projections' file.
pub(crate) struct Runner {
    live: Lane,
    second: Option<Second>,
    names: Names,
    file: File,
    setup: Setup,
    file_trouble: Option<String>,
    store_trouble: Option<String>,
    pause: Duration,
    // Dropped last: when the reports end, the feeds have ended and the file is closed.
    wires: Wires,
}

/// The second lane, and who waits for it.
struct Second {
    lane: Lane,
    done: Option<Done>,
}

/// What the runner has to do next.
enum Task {
    Work(Which, Option<Chunk>),
    Command(Command),
    End,
}

/// One of the lanes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Live,
    Second,
}

impl Runner {
    /// Opens the file, finds out what of it can be used, and begins to read the log.
    ///
    /// # Errors
    /// When the file can't be used.
    pub(crate) fn open(setup: Setup, wires: Wires) -> Result<Self, Error> {
        let mut file = File::open(&setup.options.path)?;
        let plan = match plan::make(&mut file.connection, &setup) {
            Err(Error::Unavailable { source }) if Trouble::of(&source) == Trouble::Damaged => {
                file.replace()?;
                setup.readers.renew();
                plan::make(&mut file.connection, &setup)?
            }
            other => other?,
        };
        let (live, second) = lanes(plan, &setup)?;
        let runner = Self {
            file,
            setup,
            wires,
            names: Names::default(),
            live,
            second,
            file_trouble: None,
            store_trouble: None,
            pause: FIRST_PAUSE,
        };
        runner.tell();
        Ok(runner)
    }

    /// Works until it is told to end.
    pub(crate) fn run(mut self) {
        let runtime = self.setup.runtime.clone();
        loop {
            match runtime.block_on(self.next()) {
                Task::End => break,
                Task::Command(Command::Rebuild(names, done)) => self.rebuild(&names, done),
                Task::Work(which, chunk) => self.work(which, chunk),
            }
        }
        self.attempt(|runner| runner.commit_both());
    }

    /// What is to be done next; the present comes before the past.
    async fn next(&mut self) -> Task {
        let second = async {
            match &mut self.second {
                Some(second) => second.lane.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.wires.closing.wait_for(|closing| *closing) => Task::End,
            command = self.wires.commands.recv() => command.map_or(Task::End, Task::Command),
            chunk = self.live.next() => Task::Work(Which::Live, chunk),
            chunk = second => Task::Work(Which::Second, chunk),
        }
    }

    fn lane(&mut self, which: Which) -> (&mut Lane, &mut Connection, &mut Names) {
        let lane = match &mut self.second {
            Some(second) if which == Which::Second => &mut second.lane,
            _ => &mut self.live,
        };
        (lane, &mut self.file.connection, &mut self.names)
    }

    /// Works in one of the lanes: takes a chunk and what else is there, and commits if it is time to.
    fn work(&mut self, which: Which, chunk: Option<Chunk>) {
        // The lanes share the connection, so one at a time has a transaction.
        let other = match which {
            Which::Live => Which::Second,
            Which::Second => Which::Live,
        };
        let most = match which {
            Which::Live => self.setup.options.batch_events,
            // Whatever happens meanwhile in the live lane waits for this.
            Which::Second => self.setup.options.batch_events.min(REBUILD_BATCH),
        };
        let mut next = chunk;
        self.attempt(|runner| {
            runner.commit(other)?;
            let mut taken = 0;
            let mut idle = true;
            while let Some(chunk) = next.take() {
                idle = false;
                match chunk {
                    Chunk::Facts(facts) => {
                        taken += facts.facts.len();
                        runner.apply(which, &facts)?;
                    }
                    Chunk::Trouble(error) => {
                        tracing::warn!(%error, "the event store can't be followed for now");
                        runner.store_trouble = Some(error.to_string());
                    }
                }
                if taken < EVENTS_AT_ONCE {
                    next = runner.lane(which).0.ready();
                }
            }
            let lane = runner.lane(which).0;
            if idle || lane.caught_up || lane.uncommitted() >= most {
                runner.commit(which)?;
            }
            Ok(())
        });
        let joined = self.join();
        self.tell();
        if let Some((done, result)) = joined {
            // Whoever asked may have gone.
            let _ = done.send(result);
        }
    }

    fn apply(&mut self, which: Which, facts: &Facts) -> rusqlite::Result<()> {
        let (lane, connection, names) = self.lane(which);
        lane.apply(connection, names, facts)?;
        if facts.end.is_some() {
            self.store_trouble = None;
        }
        if facts.caught_up {
            self.commit(which)?;
            let (lane, connection, _) = self.lane(which);
            lane.catch_up(connection)?;
            self.fit_cache()?;
        }
        Ok(())
    }

    /// History is written all over the tables, the present in few places.
    fn fit_cache(&self) -> rusqlite::Result<()> {
        let second = self.second.as_ref();
        let current = self.live.caught_up && second.is_none_or(|second| second.lane.caught_up);
        self.file.keep_in_memory(match current {
            true => Pages::OfThePresent,
            false => Pages::OfHistory,
        })
    }

    fn commit(&mut self, which: Which) -> rusqlite::Result<()> {
        // Where there is no second lane, the live one's transaction is not meant.
        if which == Which::Second && self.second.is_none() {
            return Ok(());
        }
        let (lane, connection, names) = self.lane(which);
        lane.commit(connection, names)
    }

    fn commit_both(&mut self) -> rusqlite::Result<()> {
        self.commit(Which::Live)?;
        self.commit(Which::Second)
    }

    /// Does `work`. When the file is in the way, the lanes have taken back what was not committed: a pause, then
    /// they begin again at their checkpoints; in a new file, if this one is damaged.
    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> rusqlite::Result<()>) {
        let Err(error) = work(self) else {
            self.file_trouble = None;
            self.pause = FIRST_PAUSE;
            return;
        };
        tracing::warn!(%error, "projections can't be written for now");
        self.file_trouble = Some(error.to_string());
        if Trouble::of(&error) == Trouble::Damaged && self.start_over() {
            return;
        }
        self.tell();
        self.wait(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Waits, but not for longer than the runner may live.
    fn wait(&mut self, pause: Duration) {
        let closing = &mut self.wires.closing;
        let waited = async {
            tokio::time::timeout(pause, closing.wait_for(|c| *c))
                .await
                .is_ok()
        };
        self.setup.runtime.block_on(waited);
    }

    /// Sets the damaged file aside and fills a new one. `false`: that is not possible now either.
    fn start_over(&mut self) -> bool {
        let started = (|| {
            self.file.replace()?;
            self.setup.readers.renew();
            let plan = plan::make(&mut self.file.connection, &self.setup)?;
            lanes(plan, &self.setup)
        })();
        match started {
            Ok((live, second)) => {
                self.names.forget();
                self.live = live;
                self.second = second;
                true
            }
            Err(error) => {
                tracing::error!(%error, "the projections' file can't be made anew");
                false
            }
        }
    }

    /// Begins to fill new tables beside those in use.
    fn rebuild(&mut self, names: &[ProjectionName], done: Done) {
        if self.second.is_some() {
            let _ = done.send(Err(Error::RebuildUnderWay));
            return;
        }
        match self.shadows(names) {
            Ok(lane) => {
                let done = Some(done);
                self.second = Some(Second { lane, done });
                self.attempt(|runner| runner.fit_cache());
                self.tell();
            }
            // Whoever asked may have gone.
            Err(error) => drop(done.send(Err(error))),
        }
    }

    fn shadows(&mut self, names: &[ProjectionName]) -> Result<Lane, Error> {
        self.commit_both()?;
        let transaction = self.file.connection.transaction()?;
        let mut shadows = Vec::new();
        for instance in &self.live.instances {
            if names.contains(&instance.name()) {
                let generation = instance.at.generation.wrapping_add(1);
                let (blueprint, options) = (instance.blueprint, &self.setup.options);
                let shadow = Instance::empty(&transaction, blueprint, generation, true, options)?;
                shadows.push(shadow);
            }
        }
        transaction.commit()?;
        Ok(Lane::start(
            shadows,
            &self.setup.store,
            &self.setup.runtime,
        )?)
    }

    /// Lets the second lane's projections join the live lane, once they are where it is.
    fn join(&mut self) -> Option<(Done, Result<(), Error>)> {
        if self.live.is_open() {
            return None;
        }
        let here = self.live.position();
        let ready = |second: &mut Second| {
            let all = second.lane.instances.iter();
            let there = |one: &Instance| one.stopped.is_some() || one.at.position >= here;
            second.lane.caught_up && !second.lane.is_open() && all.clone().all(there)
        };
        let second = self.second.take_if(ready)?;
        let joined = self.take_over(second.lane.instances);
        if let Err(error) = &joined {
            tracing::error!(%error, "projections can't be swapped");
        }
        second.done.map(|done| (done, joined))
    }

    fn take_over(&mut self, instances: Vec<Instance>) -> Result<(), Error> {
        let mut failed = None;
        for mut instance in instances {
            let name = instance.name();
            let place = self
                .live
                .instances
                .iter()
                .position(|one| one.name() == name);
            if instance.shadow {
                if let Some(reason) = instance.stopped.take() {
                    tables::drop(
                        &self.file.connection,
                        instance.blueprint,
                        instance.at.generation,
                    )?;
                    failed = Some(Error::BadRow {
                        projection: name,
                        reason,
                    });
                    continue;
                }
                instance.shadow = false;
                let transaction = self.file.connection.transaction()?;
                tables::show(&transaction, instance.blueprint, instance.at.generation)?;
                instance.save(&transaction)?;
                transaction.commit()?;
            }
            match place.and_then(|place| self.live.instances.get_mut(place)) {
                Some(old) => {
                    let old = std::mem::replace(old, instance);
                    // Readers that began before the swap still see them, until they are done.
                    tables::drop(&self.file.connection, old.blueprint, old.at.generation)?;
                }
                None => self.live.instances.push(instance),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Tells everybody how far the projections are.
    fn tell(&self) {
        let caught_up = self.live.caught_up;
        let live = self
            .live
            .instances
            .iter()
            .map(|one| one.progress(caught_up));
        let mut projections: Vec<Progress> = live.collect();
        for one in self.second.iter().flat_map(|second| &second.lane.instances) {
            let beside = projections
                .iter_mut()
                .find(|known| known.name == one.name());
            match beside {
                Some(known) => {
                    known.rebuilding = Some(Rebuilding {
                        position: one.at.position,
                        events: one.at.events,
                    });
                }
                None => projections.push(one.progress(false)),
            }
        }
        projections.sort_by_key(|progress| progress.name);
        let report = Report {
            log: self.setup.log,
            trouble: self
                .file_trouble
                .clone()
                .or_else(|| self.store_trouble.clone()),
            projections,
        };
        self.wires.report.send_replace(report);
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.setup.readers.close();
    }
}

/// The lanes of a plan.
fn lanes(plan: plan::Plan, setup: &Setup) -> Result<(Lane, Option<Second>), Error> {
    let live = Lane::start(plan.live, &setup.store, &setup.runtime)?;
    if plan.behind.is_empty() {
        return Ok((live, None));
    }
    let lane = Lane::start(plan.behind, &setup.store, &setup.runtime)?;
    Ok((live, Some(Second { lane, done: None })))
}
