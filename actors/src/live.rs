//! The attempts that run in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carnet_events::domain::export::Progress;
use carnet_events::ids::ExportId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The running attempts, by export; bounded by the node's number of workers.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Mutex<HashMap<ExportId, Running>>>);

struct Running {
    attempt: u32,
    progress: watch::Receiver<Progress>,
    cancel: CancellationToken,
}

/// Takes an attempt off the list when it ends, however it ends.
pub(crate) struct Entry {
    live: Live,
    export: ExportId,
}

impl Live {
    pub(crate) fn enter(
        &self,
        export: ExportId,
        attempt: u32,
        progress: watch::Receiver<Progress>,
        cancel: CancellationToken,
    ) -> Entry {
        let running = Running {
            attempt,
            progress,
            cancel,
        };
        self.lock().insert(export, running);
        Entry {
            live: self.clone(),
            export,
        }
    }

    /// What the attempt has done so far, if one runs here.
    pub(crate) fn progress(&self, export: ExportId) -> Option<watch::Receiver<Progress>> {
        self.lock()
            .get(&export)
            .map(|running| running.progress.clone())
    }

    /// Tells the runner, if one is here, that nobody wants its work any more.
    pub(crate) fn cancel(&self, export: ExportId) {
        if let Some(running) = self.lock().get(&export) {
            running.cancel.cancel();
        }
    }

    /// The same for runners of attempts up to `attempt`: a later one is wanted.
    pub(crate) fn cancel_up_to(&self, export: ExportId, attempt: u32) {
        let all = self.lock();
        if let Some(running) = all.get(&export).filter(|one| one.attempt <= attempt) {
            running.cancel.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExportId, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.live.lock().remove(&self.export);
    }
}
