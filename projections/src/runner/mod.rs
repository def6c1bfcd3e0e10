//! The runner: the one thread that writes the projections' file.

mod feed;
mod instance;
mod lane;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use carnet_events::envelope::Position;
use carnet_events::store::EventStore;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use self::feed::{Chunk, Facts};
use self::instance::Instance;
use self::lane::Lane;
use crate::database::names::Names;
use crate::database::{File, Readers, Trouble, tables};
use crate::status::{Progress, Rebuilding, Report};
use crate::{Error, Options, ProjectionName};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

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
    // Dropped before the wires: when the reports end, the file is closed and the feeds are told to end.
    file: File,
    live: Lane,
    second: Option<Second>,
    setup: Setup,
    wires: Wires,
    names: Names,
    trouble: Option<String>,
}

/// The second lane, and who waits for it.
struct Second {
    lane: Lane,
    done: Option<Done>,
}

/// What the runner has to do next.
enum Task {
    Live(Chunk),
    Second(Chunk),
    Command(Command),
    End,
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
            trouble: None,
        };
        runner.tell();
        Ok(runner)
    }

    /// Works until it is told to end.
    pub(crate) fn run(mut self) {
        let runtime = self.setup.runtime.clone();
        loop {
            match runtime.block_on(self.next()) {
                Task::End => return,
                Task::Command(Command::Rebuild(names, done)) => self.rebuild(&names, done),
                Task::Live(chunk) => self.work(&runtime, chunk, false),
                Task::Second(chunk) => self.work(&runtime, chunk, true),
            }
        }
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
            chunk = self.live.next() => Task::Live(chunk),
            chunk = second => Task::Second(chunk),
        }
    }

    /// Takes a chunk of one of the lanes.
    fn work(&mut self, runtime: &Handle, chunk: Chunk, second: bool) {
        let full = self.setup.options.batch_events;
        let lane = match &mut self.second {
            Some(other) if second => &mut other.lane,
            _ => &mut self.live,
        };
        let (batch, rest) = match chunk {
            Chunk::Facts(first) => runtime.block_on(lane.gather(first, full)),
            trouble @ Chunk::Trouble(_) => (Facts::default(), Some(trouble)),
        };
        self.apply(&batch, second);
        if let Some(Chunk::Trouble(error)) = rest {
            tracing::warn!(%error, "the event store can't be followed for now");
            self.trouble = Some(error.to_string());
        }
        let joined = self.join();
        self.tell();
        if let Some((done, result)) = joined {
            // Whoever asked may have gone.
            let _ = done.send(result);
        }
    }

    /// Applies a batch, and goes on trying for as long as that may help.
    fn apply(&mut self, batch: &Facts, second: bool) {
        let mut pause = FIRST_PAUSE;
        loop {
            let lane = match &mut self.second {
                Some(other) if second => &mut other.lane,
                _ => &mut self.live,
            };
            let Err(error) = lane.apply(&mut self.file.connection, &mut self.names, batch) else {
                self.trouble = None;
                return;
            };
            tracing::warn!(%error, "projections can't be written for now");
            self.trouble = Some(error.to_string());
            if Trouble::of(&error) == Trouble::Damaged && self.start_over() {
                return;
            }
            self.tell();
            if self.ends_within(pause) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn ends_within(&mut self, pause: Duration) -> bool {
        let closing = &mut self.wires.closing;
        let waited = async {
            tokio::time::timeout(pause, closing.wait_for(|c| *c))
                .await
                .is_ok()
        };
        self.setup.runtime.block_on(waited)
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
                self.tell();
            }
            // Whoever asked may have gone.
            Err(error) => drop(done.send(Err(error))),
        }
    }

    fn shadows(&mut self, names: &[ProjectionName]) -> Result<Lane, Error> {
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
        let here = self.live.position();
        let ready = |second: &mut Second| {
            let all = second.lane.instances.iter();
            let there = |one: &Instance| one.stopped.is_some() || one.at.position >= here;
            second.lane.caught_up && all.clone().all(there)
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
            trouble: self.trouble.clone(),
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
