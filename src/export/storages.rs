//! Every place where artifacts are kept: the service's own, and those of tenants that bring one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carnet_events::ids::{Digest, TenantId, Timestamp};

use futures::{StreamExt, TryStreamExt, stream};

use super::artifact::{ArtifactKey, ArtifactStore, Location, Owner, StorageError};

/// Storages that are opened or tried at a time: one that doesn't answer holds few others up.
const AT_A_TIME: usize = 16;

/// How long a trial may take. Each of its steps has a deadline of its own; one that is late with all of them doesn't work either.
const TRIAL: Duration = Duration::from_secs(60);

/// The storages, and whether each was found to work when it was last tried.
#[derive(Debug)]
pub struct Storages {
    common: Place,
    own: BTreeMap<TenantId, Place>,
    /// Held while they are tried, so that asking often doesn't try often at once.
    verifying: tokio::sync::Mutex<()>,
    /// Told when one may no longer work.
    doubt: tokio::sync::Notify,
}

/// The event log that storages are opened for.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Its id.
    pub id: String,
    /// Fingerprints of the storages that it was used with.
    pub used: BTreeSet<Digest>,
}

impl From<&str> for Log {
    /// A log that was used with none.
    fn from(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            used: BTreeSet::new(),
        }
    }
}

#[derive(Debug)]
struct Place {
    key: String,
    fingerprint: Digest,
    store: ArtifactStore,
    verified: AtomicBool,
    last: Mutex<Option<Trial>>,
}

/// How a storage did when it was last tried.
#[derive(Debug, Clone)]
struct Trial {
    at: Timestamp,
    works: Result<(), StorageError>,
}

/// A storage, for those who look after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageView {
    /// The configuration key that names it.
    pub key: String,
    /// When it was last tried; `None`: never yet.
    pub tried_at: Option<Timestamp>,
    /// What was wrong then; `None`: it worked.
    pub problem: Option<String>,
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
    /// Opens every storage for an event log: the common one, and those that tenants bring.
    ///
    /// A bucket that can't be reached, or isn't the one that the log was used with, is no error here: it isn't verified until it can, and nothing
    /// is written to it.
    ///
    /// # Errors
    /// When one can't be used, or belongs to another log; when a directory that the log was used with is away.
    pub async fn open(
        common: impl Into<Location>,
        own: &BTreeMap<TenantId, Location>,
        log: impl Into<Log>,
    ) -> Result<Self, StoragesError> {
        let log = &log.into();
        let common = Place::open("artifacts.url".to_owned(), common.into(), log).await?;
        let opened = own.iter().map(|(tenant, location)| async move {
            let key = format!("tenants.{tenant}.artifacts");
            let place = Place::open(key, location.clone(), log).await?;
            Ok::<_, StoragesError>((tenant.clone(), place))
        });
        let own = stream::iter(opened).buffer_unordered(AT_A_TIME);
        Ok(Self {
            common,
            own: own.try_collect().await?,
            verifying: tokio::sync::Mutex::default(),
            doubt: tokio::sync::Notify::new(),
        })
    }

    /// Where a tenant's artifacts are.
    pub fn of(&self, tenant: &TenantId) -> ArtifactStore {
        self.place(tenant).store.clone()
    }

    /// The configuration key of a tenant's storage.
    pub fn key_of(&self, tenant: &TenantId) -> &str {
        &self.place(tenant).key
    }

    /// Where an object of a tenant may be: in its own storage, or in the common one, where it was stored before the tenant had its own.
    pub fn places_of(&self, tenant: &TenantId) -> Vec<ArtifactStore> {
        let own = self.own.get(tenant);
        let places = own.into_iter().chain([&self.common]);
        places.map(|place| place.store.clone()).collect()
    }

    /// Deletes the object of this key wherever it may be. Once this is done every configured place is free of it; may be repeated.
    ///
    /// # Errors
    /// The first that a place fails with; it was deleted from the others all the same.
    pub async fn delete(&self, key: &ArtifactKey) -> Result<(), StorageError> {
        let own = self.own.iter().find(|(tenant, _)| key.is_of(tenant));
        let mut deleted = Ok(());
        for place in own
            .map(|(_, place)| place)
            .into_iter()
            .chain([&self.common])
        {
            deleted = deleted.and(place.store.delete(key).await);
        }
        deleted
    }

    /// Whether a tenant's storage worked when it was last tried, and a directory is still there.
    pub async fn is_verified(&self, tenant: &TenantId) -> bool {
        self.is_there(self.place(tenant)).await
    }

    /// Whether a tenant's storage answered when it was last tried, even if it refused to be written to.
    pub fn answers(&self, tenant: &TenantId) -> bool {
        let last = self.place(tenant).last();
        let problem = last.as_ref().and_then(|trial| trial.works.as_ref().err());
        !problem.is_some_and(StorageError::is_away)
    }

    /// Whether a storage worked when it was last tried. A directory is looked at again, which costs next to nothing: a volume may have been unmounted
    /// since.
    async fn is_there(&self, place: &Place) -> bool {
        if !place.verified.load(Ordering::Relaxed) {
            return false;
        }
        let there = place.store.still_ours().await.is_ok();
        if !there && place.verified.swap(false, Ordering::Relaxed) {
            self.doubt();
        }
        there
    }

    /// Something went wrong with one of them: it is worth while to try them before it is time to.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Waits for a [`doubt`](Self::doubt).
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// Whether each of them worked when it was last tried.
    pub fn all_work(&self) -> bool {
        self.places()
            .all(|place| place.verified.load(Ordering::Relaxed))
    }

    /// Every storage, once.
    pub fn all(&self) -> impl Iterator<Item = &ArtifactStore> {
        self.places().map(|place| &place.store)
    }

    /// Whether the common storage worked when it was last tried, and is still there if it is a directory. Tenants' own are theirs alone: one that doesn't work keeps nobody else's requests from
    /// being served.
    ///
    /// # Errors
    /// Its configuration key, when it didn't.
    pub async fn ready(&self) -> Result<(), &str> {
        match self.is_there(&self.common).await {
            true => Ok(()),
            false => Err(&self.common.key),
        }
    }

    /// Tries every storage at `now`: writes, reads back and deletes a small object.
    pub async fn verify(&self, now: Timestamp) {
        let _one = self.verifying.lock().await;
        stream::iter(self.places())
            .for_each_concurrent(AT_A_TIME, |place| place.verify(now))
            .await;
    }

    /// Every storage, and how it did when it was last tried.
    pub fn view(&self) -> Vec<StorageView> {
        self.places().map(Place::view).collect()
    }

    /// Fingerprints of the storages that were found to be this log's.
    pub fn claimed(&self) -> BTreeSet<Digest> {
        let claimed = self.places().filter(|place| place.store.is_claimed());
        claimed.map(|place| place.fingerprint).collect()
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.common).chain(self.own.values())
    }

    fn place(&self, tenant: &TenantId) -> &Place {
        self.own.get(tenant).unwrap_or(&self.common)
    }
}

impl Place {
    async fn open(key: String, location: Location, log: &Log) -> Result<Self, StoragesError> {
        let fingerprint = location.fingerprint();
        let owner = Owner {
            log_id: log.id.clone(),
            used: log.used.contains(&fingerprint),
        };
        match ArtifactStore::open(location, owner).await {
            Ok(store) => Ok(Self {
                key,
                fingerprint,
                store,
                verified: AtomicBool::new(false),
                last: Mutex::default(),
            }),
            Err(source) => Err(StoragesError { key, source }),
        }
    }

    async fn verify(&self, now: Timestamp) {
        let trial = tokio::time::timeout(TRIAL, self.store.verify()).await;
        let works = trial.unwrap_or_else(|_| Err(self.store.silent()));
        self.verified.store(works.is_ok(), Ordering::Relaxed);
        let before = self.last().replace(Trial { at: now, works });
        self.tell(before);
    }

    /// Says what is different since the trial before.
    fn tell(&self, before: Option<Trial>) {
        let problem = |trial: &Trial| trial.works.as_ref().err().map(ToString::to_string);
        let before = before.as_ref().and_then(problem);
        let now = self.last().as_ref().and_then(problem);
        match now {
            Some(error) if before.as_ref() != Some(&error) => {
                tracing::warn!(storage = self.key, %error, "an artifact storage doesn't work");
            }
            None if before.is_some() => {
                tracing::info!(storage = self.key, "the artifact storage works again");
            }
            _ => {}
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Trial>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> StorageView {
        let last = self.last().clone();
        StorageView {
            key: self.key.clone(),
            tried_at: last.as_ref().map(|trial| trial.at),
            problem: last
                .and_then(|trial| trial.works.err())
                .map(|error| error.to_string()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::export::artifact::Compression;
    use crate::export::artifact::storage::hung::Hung;
    use carnet_events::ids::ExportId;

    #[tokio::test]
    async fn a_tenants_own_storage_keeps_its_artifacts_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("file:{}", folder.path().join(name).display());
        let (acme, globex) = (
            TenantId::new("acme").unwrap(),
            TenantId::new("globex").unwrap(),
        );
        let own = [(acme.clone(), Location::from(&url("acme")))].into();
        let storages = Storages::open(&url("common"), &own, "log-1").await.unwrap();
        let key = |tenant| {
            let export = ExportId::from_uuid(Uuid::from_u128(7));
            ArtifactKey::new(tenant, export, 1, Uuid::nil(), Compression::Gzip)
        };
        let at = |store: &ArtifactStore| format!("{store:?}");
        assert_ne!(at(&storages.of(&acme)), at(&storages.of(&globex)));
        let places = |tenant| {
            storages
                .places_of(tenant)
                .iter()
                .map(at)
                .collect::<Vec<_>>()
        };
        let common = at(&storages.of(&globex));
        assert_eq!(places(&acme), [at(&storages.of(&acme)), common.clone()]);
        assert_eq!(places(&globex), [common]);
        assert!(!storages.is_verified(&acme).await);
        assert!(storages.view().iter().all(|one| one.tried_at.is_none()));
        let now = Timestamp::from_millis(7);
        storages.verify(now).await;
        let works = |one: &StorageView| one.tried_at == Some(now) && one.problem.is_none();
        assert!(storages.view().iter().all(works));
        assert!(storages.is_verified(&acme).await && storages.is_verified(&globex).await);
        assert_eq!(storages.ready().await, Ok(()));

        // What is deleted is gone wherever it may have been, and nobody else's is.
        let put = |place: &str, tenant| {
            let file = folder.path().join(place).join(key(tenant).as_str());
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, b"data").unwrap();
            file
        };
        let files = [
            put("acme", &acme),
            put("common", &acme),
            put("common", &globex),
        ];
        let there = || files.each_ref().map(|file| file.exists());
        storages.delete(&key(&acme)).await.unwrap();
        assert_eq!(there(), [false, false, true]);
        put("acme", &acme);
        put("common", &acme);
        let mark = folder
            .path()
            .join("acme")
            .join(crate::export::artifact::storage::MARKER);
        std::fs::remove_file(mark).unwrap();
        let away = storages.delete(&key(&acme)).await;
        assert!(
            matches!(away, Err(StorageError::Unmarked { .. })),
            "{away:?}"
        );
        assert_eq!(
            there(),
            [true, false, true],
            "the other place is free of it"
        );
        storages.verify(now).await;
        assert!(!storages.is_verified(&acme).await && storages.is_verified(&globex).await);
        assert_eq!(
            storages.ready().await,
            Ok(()),
            "a tenant's own storage is its own matter"
        );
    }

    #[tokio::test]
    async fn a_directory_that_is_gone_is_noticed_before_it_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("common");
        let url = format!("file:{}", directory.display());
        let storages = Storages::open(&url, &BTreeMap::new(), "log-1")
            .await
            .unwrap();
        let (acme, now) = (TenantId::new("acme").unwrap(), Timestamp::from_millis(7));
        storages.verify(now).await;
        assert!(storages.is_verified(&acme).await && storages.ready().await.is_ok());
        let away = folder.path().join("away");
        std::fs::rename(&directory, &away).unwrap();
        assert!(!storages.is_verified(&acme).await && storages.ready().await.is_err());
        // Who tries them is told, and until then it isn't believed to work again.
        storages.doubted().await;
        std::fs::rename(&away, &directory).unwrap();
        assert!(!storages.is_verified(&acme).await && !storages.all_work());
        storages.verify(now).await;
        assert!(storages.is_verified(&acme).await && storages.all_work());
    }

    #[tokio::test]
    async fn a_directory_that_falls_silent_no_longer_counts_as_working() {
        let folder = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("file:{}", folder.path().join(name).display());
        let acme = TenantId::new("acme").unwrap();
        let own = [(acme.clone(), Location::from(&url("acme")))].into();
        let mut storages = Storages::open(&url("common"), &own, "log-1").await.unwrap();
        let now = Timestamp::from_millis(7);
        storages.verify(now).await;
        assert!(storages.ready().await.is_ok() && storages.is_verified(&acme).await);

        let patient = [storages.of(&acme), storages.common.store.clone()];
        storages.common.store = storages.common.store.impatient();
        for place in storages.own.values_mut() {
            place.store = place.store.impatient();
        }
        let hung = [
            Hung::hang(&folder.path().join("common")),
            Hung::hang(&folder.path().join("acme")),
        ];
        storages.verify(now).await;
        assert_eq!(storages.ready().await, Err("artifacts.url"));
        assert!(!storages.is_verified(&acme).await);
        let told = |one: &StorageView| one.problem == Some(StorageError::Silent.to_string());
        assert!(storages.view().iter().all(told), "{:?}", storages.view());

        hung.into_iter().for_each(Hung::answer);
        let [own, common] = patient;
        storages.common.store = common;
        for place in storages.own.values_mut() {
            place.store = own.clone();
        }
        // What hung comes back by itself.
        let again = async {
            while storages.ready().await.is_err() || !storages.is_verified(&acme).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
                storages.verify(now).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), again).await;
        assert!(in_time.is_ok(), "both answer again");
    }
}
