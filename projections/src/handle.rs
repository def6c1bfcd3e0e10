//! The handle: starting, asking and stopping the projections.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::codec;
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::envelope::Position;
use carnet_events::ids::Timestamp;
use carnet_events::store::{Direction, EventStore, ReadFrom};
use carnet_events::stream::StreamName;
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::audit_log::AuditLog;
use crate::database::Readers;
use crate::exports::Exports;
use crate::operations::Operations;
use crate::runner::{Command, Runner, Setup, Wires};
use crate::status::{Report, RunState};
use crate::worklist::Worklist;
use crate::{Behind, Error, Options, ProjectionName, Status};

/// The projections, kept up to date by a thread of their own. Clones share them; the thread ends with
/// [`Projections::shutdown`] or with the last clone.
#[derive(Clone)]
pub struct Projections {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn EventStore>,
    readers: Readers,
    commands: mpsc::Sender<Command>,
    closing: watch::Sender<bool>,
    report: watch::Receiver<Report>,
}

impl Projections {
    /// Opens the files and begins to bring the projections up to date. Has to be called within a tokio runtime, which
    /// must outlive them.
    ///
    /// # Errors
    /// When the store can't be read, or the files can't be used.
    pub async fn start(store: Arc<dyn EventStore>, options: Options) -> Result<Self, Error> {
        let readers = Readers::new(options.readers);
        let (commands, commanded) = mpsc::channel(4);
        let (closing, closed) = watch::channel(false);
        let (reported, report) = watch::channel(Report::default());
        let setup = Setup {
            log: log_id(store.as_ref())
                .await?
                .map(|log| Uuid::new_v5(&log, options.store.as_bytes())),
            last: store.last_position().await?,
            store: Arc::clone(&store),
            options,
            runtime: Handle::current(),
            readers: readers.clone(),
        };
        let wires = Wires {
            commands: commanded,
            report: reported,
            closing: closed,
        };
        let opened = tokio::task::spawn_blocking(move || Runner::open(setup, wires));
        let runner = opened.await.map_err(|_| Error::ShutDown)??;
        std::thread::Builder::new()
            .name("projections".to_owned())
            .spawn(move || runner.run())?;
        let inner = Inner {
            store,
            readers,
            commands,
            closing,
            report,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The tenants' lists of exports.
    #[must_use]
    pub fn exports(&self) -> Exports {
        Exports::new(self.inner.readers.clone())
    }

    /// The tenants' audit logs.
    #[must_use]
    pub fn audit_log(&self) -> AuditLog {
        AuditLog::new(self.inner.readers.clone())
    }

    /// What operators look at.
    #[must_use]
    pub fn operations(&self) -> Operations {
        Operations::new(self.inner.readers.clone())
    }

    /// Where there is something to do.
    #[must_use]
    pub fn worklist(&self) -> Worklist {
        Worklist::new(self.inner.readers.clone())
    }

    /// Waits until `projection` holds everything up to `position`: so a list shows what its reader has just done.
    ///
    /// # Errors
    /// When it does not come there in time, has stopped, or is shut down.
    pub async fn wait_for(
        &self,
        projection: ProjectionName,
        position: Position,
        timeout: Duration,
    ) -> Result<(), Behind> {
        let mut stopped = false;
        let there = |report: &Report| {
            let known = report.projections.iter().find(|one| one.name == projection);
            let there = known.is_some_and(|one| one.position >= Some(position));
            stopped =
                !there && known.is_some_and(|one| matches!(one.state, RunState::Stopped { .. }));
            there || stopped
        };
        let mut report = self.inner.report.clone();
        let waited = tokio::time::timeout(timeout, report.wait_for(there)).await;
        let came = matches!(waited, Ok(Ok(_)));
        drop(waited);
        if came && !stopped {
            return Ok(());
        }
        Err(Behind {
            projection,
            wanted: position,
            stopped,
        })
    }

    /// Waits until every projection that has not stopped holds all that was in the log when this was called.
    ///
    /// # Errors
    /// When the store can't be asked, or the projections are shut down meanwhile.
    pub async fn wait_until_current(&self) -> Result<(), Error> {
        let last = self.inner.store.last_position().await?;
        let current = |report: &Report| {
            report.projections.iter().all(|one| match one.state {
                RunState::Live => one.position >= last,
                RunState::CatchingUp => false,
                RunState::Stopped { .. } => true,
            })
        };
        let mut report = self.inner.report.clone();
        let waited = report.wait_for(current).await;
        waited.map(drop).map_err(|_| Error::ShutDown)
    }

    /// How far the projections are, seen at `now`. Answers from memory, and asks the store only for its end.
    pub async fn status(&self, now: Timestamp) -> Status {
        let last = self.inner.store.last_position().await.ok().flatten();
        let report = self.inner.report.borrow().clone();
        report.status(last, now)
    }

    /// Fills projections anew from the first event on, beside the tables in use, and swaps when the new ones are up to
    /// date. Reads are not interrupted. Answers when it is done; dropping the future does not stop it.
    ///
    /// # Errors
    /// When another rebuild is under way, an event can't be applied, the file can't be written, or the projections are
    /// shut down.
    pub async fn rebuild(&self, projections: &[ProjectionName]) -> Result<(), Error> {
        let (done, answer) = oneshot::channel();
        let command = Command::Rebuild(projections.to_vec(), done);
        let sent = self.inner.commands.send(command).await;
        sent.map_err(|_| Error::ShutDown)?;
        answer.await.map_err(|_| Error::ShutDown)?
    }

    /// Ends the runner after the batch it is at, and waits until the files are closed.
    pub async fn shutdown(&self) {
        self.inner.closing.send_replace(true);
        let mut report = self.inner.report.clone();
        // The sender is dropped with the runner, its files already closed.
        while report.changed().await.is_ok() {}
    }
}

/// The id that the log's first event gives it.
async fn log_id(store: &dyn EventStore) -> Result<Option<Uuid>, Error> {
    let platform = StreamName::platform();
    let mut events = store.read(&platform, ReadFrom::Start, Direction::Forwards, 1);
    let Some(first) = events.next().await.transpose()? else {
        return Ok(None);
    };
    match codec::decode::<PlatformEvent>(&first) {
        Ok((_, event)) => match event.what {
            PlatformEvent::LogCreated(created) => Ok(Some(created.log)),
            _ => Ok(None),
        },
        Err(_) => Ok(None),
    }
}
