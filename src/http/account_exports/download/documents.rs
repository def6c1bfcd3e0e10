//! Documents that were found damaged in blocks that are whole, looked at again.
//!
//! Only reading all of it tells whether such a file is whole by now: as much work as a download. So one is looked at at a time, whoever
//! asks; a request waits for it a moment, and whoever asks later is told what was found. What this process has read whole blocks of, and found
//! damaged, it doesn't read again: the same bytes can't decode to something else but in another release of the program.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carnet_events::ids::ExportId;
use carnet_events::recent::Cache;
use tokio::sync::Semaphore;

use crate::export::artifact::read::{ArtifactReader, Damage, ReadError};

/// How long a request waits for what is found.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many findings are remembered.
const FINDINGS: usize = 1000;

/// What was found of documents that were looked at again.
pub struct Documents {
    /// One permit: who holds it looks.
    looking: Arc<Semaphore>,
    found: Arc<Mutex<Cache<ExportId, Result<(), ReadError>>>>,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            looking: Arc::new(Semaphore::new(1)),
            found: Arc::new(Mutex::new(Cache::new(FINDINGS))),
        }
    }
}

impl Documents {
    /// Whether the document of a file that was found damaged is what was published; damaged it stays as long as nobody knows better.
    pub(super) async fn check(
        &self,
        export: ExportId,
        reader: &ArtifactReader,
    ) -> Result<(), ReadError> {
        if let Some(found) = self.told(export) {
            return found;
        }
        let Ok(permit) = Arc::clone(&self.looking).try_acquire_owned() else {
            return Err(Damage::Document.into());
        };
        let (reader, all) = (reader.clone(), Arc::clone(&self.found));
        let looking = tokio::spawn(async move {
            let found = reader.check_document().await;
            // What stood in the way of reading says nothing of the next time.
            if found.is_ok() || found == Err(Damage::Document.into()) {
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.put(export, found);
            }
            drop(permit);
        });
        // Whoever stops waiting doesn't stop it.
        let _ = tokio::time::timeout(PATIENCE, looking).await;
        self.told(export)
            .unwrap_or_else(|| Err(Damage::Document.into()))
    }

    /// What was found. But for a damaged document it is told once: the next time it may be otherwise.
    fn told(&self, export: ExportId) -> Option<Result<(), ReadError>> {
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.take(&export)?;
        if found == Err(Damage::Document.into()) {
            all.put(export, found.clone());
        }
        Some(found)
    }
}
