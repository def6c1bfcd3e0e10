//! The runner: the thread that keeps the projections up to date, each in its file, and the threads that fill new ones.
//!
//! What follows the present runs in the [`lane`](Lane), on the runner's own thread. What has to be folded from the log's
//! first event (at the first start, after a change of a projection's version, or when it is asked for) is filled beside it
//! by [fillers](filling), and then joins the lane.

mod feed;
mod filling;
mod folding;
mod inherited;
mod instance;
mod lane;
mod report;
mod takeover;

use std::sync::Arc;
use std::time::Duration;

use carnet_events::envelope::Position;
use carnet_events::store::EventStore;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use self::feed::{Chunk, Feed};
use self::filling::{Filler, News, Order};
use self::lane::{Hindrance, Lane};
use self::takeover::{Done, Rebuild};
use crate::database::{Folder, Readers, Trouble, set_aside};
use crate::projection::{ALL, Blueprint};
use crate::status::Report;
use crate::{Error, Options, ProjectionName};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Events after which the runner looks whether there is something more urgent.
const EVENTS_AT_ONCE: usize = 4096;

/// News of fillers that are not read yet.
const NEWS: usize = 16;

/// What the runner is asked from outside.
pub(crate) enum Command {
    /// Fill these anew, and say when that is done.
    Rebuild(Vec<ProjectionName>, Done),
}

/// What the runner is made of, besides its files.
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

/// The thread that keeps the projections up to date.
pub(crate) struct Runner {
    lane: Lane,
    filled: Filled,
    folder: Arc<Folder>,
    setup: Setup,
    file_trouble: Option<String>,
    store_trouble: Option<String>,
    pause: Duration,
    // Dropped last: when the reports end, the feeds have ended and the files are closed.
    wires: Wires,
}

/// What is being filled.
struct Filled {
    // Before the fillers: what they tell to nobody, they don't wait for.
    news: mpsc::Receiver<(ProjectionName, News)>,
    feeds: Vec<Feed>,
    fillers: Vec<Filler>,
    sender: mpsc::Sender<(ProjectionName, News)>,
    /// The rebuild under way, and who waits for it.
    rebuild: Option<Rebuild>,
}

/// What the runner has to do next.
enum Task {
    Work(Option<Chunk>),
    News(ProjectionName, News),
    Command(Command),
    End,
}

impl Runner {
    /// Opens the files and finds out what of them can be used.
    ///
    /// # Errors
    /// When the files can't be used.
    pub(crate) fn open(setup: Setup, wires: Wires) -> Result<Self, Error> {
        let folder = Arc::new(Folder::open(&setup.options.path)?);
        let (sender, news) = mpsc::channel(NEWS);
        let mut runner = Self {
            lane: Lane::new(Arc::clone(&setup.store), setup.runtime.clone()),
            filled: Filled {
                news,
                feeds: Vec::new(),
                fillers: Vec::new(),
                sender,
                rebuild: None,
            },
            folder,
            setup,
            wires,
            file_trouble: None,
            store_trouble: None,
            pause: FIRST_PAUSE,
        };
        let mut missing = Vec::new();
        for blueprint in ALL {
            match inherited::instance(&runner.folder, blueprint, &runner.setup)? {
                Some(instance) => {
                    let path = instance.file.path.clone();
                    runner.setup.readers.show(blueprint.name, Some(path));
                    runner.lane.instances.push(instance);
                }
                None => missing.push(blueprint),
            }
        }
        runner.lane.feed_anew();
        runner.fill(&missing)?;
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
                Task::News(name, news) => self.hear(name, news),
                Task::Work(chunk) => self.work(chunk),
            }
        }
        for (name, error) in self.lane.commit() {
            tracing::warn!(projection = %name, %error, "a projection can't be written for now");
        }
    }

    /// What is to be done next.
    async fn next(&mut self) -> Task {
        tokio::select! {
            biased;
            _ = self.wires.closing.wait_for(|closing| *closing) => Task::End,
            command = self.wires.commands.recv() => command.map_or(Task::End, Task::Command),
            Some((name, news)) = self.filled.news.recv() => Task::News(name, news),
            chunk = self.lane.next() => Task::Work(chunk),
        }
    }

    /// Takes a chunk and what else is there, and commits if it is time to.
    fn work(&mut self, chunk: Option<Chunk>) {
        let mut hindrances = Vec::new();
        let (mut next, mut taken, mut idle) = (chunk, 0, true);
        while let Some(chunk) = next.take() {
            idle = false;
            match chunk {
                Chunk::Facts(facts) => {
                    taken += facts.facts.len();
                    hindrances = self.lane.apply(&facts);
                    if facts.end.is_some() {
                        self.store_trouble = None;
                    }
                    if facts.caught_up {
                        hindrances.extend(self.lane.catch_up());
                    }
                }
                Chunk::Trouble(reason) => {
                    tracing::warn!(error = %reason, "the event store can't be followed for now");
                    self.store_trouble = Some(reason.to_string());
                }
            }
            if taken < EVENTS_AT_ONCE && hindrances.is_empty() {
                next = self.lane.ready();
            }
        }
        let open = self.lane.uncommitted().unwrap_or(0);
        if idle || self.lane.caught_up || open >= self.setup.options.batch_events {
            hindrances.extend(self.lane.commit());
        }
        self.overcome(hindrances);
        self.show();
        self.tell();
    }

    /// Where files are in the way, what was not committed is taken back: after a pause the lane begins again at the
    /// checkpoints. A damaged file is filled anew.
    fn overcome(&mut self, hindrances: Vec<Hindrance>) {
        if hindrances.is_empty() {
            self.file_trouble = None;
            self.pause = FIRST_PAUSE;
            return;
        }
        for (name, error) in hindrances {
            tracing::warn!(projection = %name, %error, "a projection can't be written for now");
            self.file_trouble = Some(error.to_string());
            if Trouble::of(&error) == Trouble::Damaged {
                self.replace(name);
            }
        }
        self.tell();
        self.wait(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.lane.feed_anew();
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

    /// Sets a damaged file aside and begins to fill a new one.
    fn replace(&mut self, name: ProjectionName) {
        self.setup.readers.show(name, None);
        for instance in self.lane.take(|one| one.name() == name) {
            let generation = instance.file.generation;
            drop(instance);
            if let Err(error) = set_aside(&self.folder, name, generation) {
                tracing::error!(%error, "a damaged file of a projection can't be set aside");
            }
        }
        let blueprint = ALL.into_iter().filter(|one| one.name == name);
        if self.filled.fillers.iter().any(|filler| filler.name == name) {
            return;
        }
        if let Err(error) = self.fill(&blueprint.collect::<Vec<_>>()) {
            tracing::error!(%error, projection = %name, "a projection can't be filled anew; restart the service");
        }
    }

    /// Begins to fill new files.
    fn fill(&mut self, blueprints: &[&'static Blueprint]) -> Result<(), Error> {
        if blueprints.is_empty() {
            return Ok(());
        }
        let found = self.folder.found()?;
        let orders = blueprints.iter().map(|blueprint| {
            let of_it = found.iter().filter(|file| file.name == blueprint.name);
            let newest = of_it.map(|file| file.generation).max();
            Order {
                blueprint,
                generation: newest.unwrap_or(0).wrapping_add(1),
                log: self.setup.log,
                options: self.setup.options.clone(),
                folder: Arc::clone(&self.folder),
                store: Arc::clone(&self.setup.store),
                runtime: self.setup.runtime.clone(),
                closing: self.wires.closing.clone(),
                news: self.filled.sender.clone(),
            }
        });
        let (feed, fillers) = filling::start(orders.collect())?;
        self.filled.feeds.push(feed);
        self.filled.fillers.extend(fillers);
        Ok(())
    }

    /// Takes in what a filler tells.
    fn hear(&mut self, name: ProjectionName, news: News) {
        match news {
            News::Progress(at) => {
                let mut fillers = self.filled.fillers.iter_mut();
                if let Some(filler) = fillers.find(|filler| filler.name == name) {
                    filler.at = at;
                }
            }
            News::Trouble(reason) => self.file_trouble = Some(reason),
            News::Done(instance) => {
                self.filled.fillers.retain(|filler| filler.name != name);
                if self.filled.fillers.is_empty() {
                    self.filled.feeds.clear();
                }
                self.file_trouble = None;
                if let Err(error) = instance.fit_cache(self.lane.caught_up) {
                    tracing::warn!(%error, "a projection's cache can't be fitted");
                }
                self.lane.join(*instance);
                self.show();
            }
        }
        self.tell();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.setup.readers.close();
        // Fillers end when they see it; what they would still tell is not waited for.
        self.filled.news.close();
    }
}
