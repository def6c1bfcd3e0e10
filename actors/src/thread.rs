//! The thread that the actors live on.
//!
//! actix finds its system through a thread-local, and starting one takes a thread over. With a thread of our own nobody
//! who starts us has to be an actix program, and one that is keeps its own system.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use actix::ArbiterHandle;
use tokio::sync::oneshot;

use crate::error::{Error, StartError};

/// How long the thread is waited for once it was told to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Where the actors live.
pub(crate) enum Home {
    /// On a thread of their own, which ends with them.
    Own(ActorThread),
    /// On an arbiter of somebody else's, which goes on.
    Given(ArbiterHandle),
}

impl Home {
    pub(crate) fn arbiter(&self) -> &ArbiterHandle {
        match self {
            Self::Own(thread) => thread.system.arbiter(),
            Self::Given(arbiter) => arbiter,
        }
    }

    /// Ends what was started for the actors.
    pub(crate) async fn leave(&self) {
        match self {
            Self::Own(thread) => thread.stop().await,
            Self::Given(_) => {}
        }
    }
}

/// A running actix system on a thread of its own.
pub(crate) struct ActorThread {
    system: actix::System,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ActorThread {
    pub(crate) async fn start() -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let (started, system) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("carnet-actors".to_owned())
            .spawn(move || {
                let runner = actix::System::with_tokio_rt(|| runtime);
                // Nobody waits any more: then there is nothing to run for.
                if started.send(actix::System::current()).is_err() {
                    return;
                }
                if let Err(error) = runner.run() {
                    tracing::error!(%error, "the actors' thread ended");
                }
            })
            .map_err(StartError::Thread)?;
        let system = system
            .await
            .map_err(|_| Error::unavailable("the actors' thread ended at once"))?;
        Ok(Self {
            system,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Ends the system and waits for its thread.
    async fn stop(&self) {
        self.system.stop();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let join = tokio::task::spawn_blocking(move || thread.join());
            if tokio::time::timeout(LAST_WORDS, join).await.is_err() {
                tracing::warn!("the actors' thread does not end");
            }
        }
    }
}
