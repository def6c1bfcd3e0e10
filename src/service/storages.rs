//! Every place where artifacts are kept: the service's own, and those of tenants that bring one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carnet_events::ids::TenantId;

use crate::config::Config;
use crate::export::artifact::{ArtifactStore, StorageError};

/// The storages, and whether each was found to work when it was last tried.
#[derive(Debug)]
pub struct Storages {
    common: Place,
    own: BTreeMap<TenantId, Place>,
}

#[derive(Debug)]
struct Place {
    key: String,
    store: ArtifactStore,
    verified: AtomicBool,
}

/// A storage can't be used at all.
#[derive(Debug, thiserror::Error)]
#[error("the storage `{key}` can't be used: {source}")]
pub struct StoragesError {
    /// The configuration key.
    key: String,
    /// Why.
    source: StorageError,
}

impl Storages {
    /// Opens every configured storage for the event log of this id.
    ///
    /// # Errors
    /// When one can't be used, or belongs to another log.
    pub async fn open(config: &Config, log_id: &str) -> Result<Self, StoragesError> {
        let common = Place::open("artifacts.url".to_owned(), &config.artifacts.url, log_id).await?;
        let mut own = BTreeMap::new();
        for (id, tenant) in &config.tenants {
            // Ids are checked with the configuration; one that isn't an id has no storage.
            let (Some(url), Ok(id)) = (&tenant.artifacts, TenantId::new(id)) else { continue };
            own.insert(id.clone(), Place::open(format!("tenants.{id}.artifacts"), url, log_id).await?);
        }
        Ok(Self { common, own })
    }

    /// Where a tenant's artifacts are.
    pub fn of(&self, tenant: &TenantId) -> ArtifactStore {
        self.place(tenant).store.clone()
    }

    /// Whether a tenant's storage worked when it was last tried.
    pub fn is_verified(&self, tenant: &TenantId) -> bool {
        self.place(tenant).verified.load(Ordering::Relaxed)
    }

    /// Every storage, once.
    pub fn all(&self) -> impl Iterator<Item = &ArtifactStore> {
        self.places().map(|place| &place.store)
    }

    /// Configuration keys of the storages that didn't work when they were last tried.
    pub fn broken(&self) -> Vec<&str> {
        let broken = self.places().filter(|place| !place.verified.load(Ordering::Relaxed));
        broken.map(|place| place.key.as_str()).collect()
    }

    /// Tries every storage: writes, reads back and deletes a small object.
    pub async fn verify(&self) {
        for place in self.places() {
            let works = place.store.verify().await;
            if let Err(error) = &works {
                tracing::warn!(storage = place.key, error = %error, "an artifact storage doesn't work");
            }
            place.verified.store(works.is_ok(), Ordering::Relaxed);
        }
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.common).chain(self.own.values())
    }

    fn place(&self, tenant: &TenantId) -> &Place {
        self.own.get(tenant).unwrap_or(&self.common)
    }
}

impl Place {
    async fn open(key: String, url: &str, log_id: &str) -> Result<Self, StoragesError> {
        match ArtifactStore::open(url, log_id).await {
            Ok(store) => Ok(Self { key, store, verified: AtomicBool::new(false) }),
            Err(source) => Err(StoragesError { key, source }),
        }
    }
}

/// Where a tenant's artifacts are, as a function.
pub fn lookup(storages: &Arc<Storages>) -> Arc<crate::http::ArtifactsOf> {
    let storages = Arc::clone(storages);
    Arc::new(move |tenant| storages.of(tenant))
}
