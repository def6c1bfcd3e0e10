//! Where the token keys come from, and when they are looked at again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use super::fetch;
use super::jwks::KeySet;

/// A key set on disk is looked at again this often.
const FILE_POLL: Duration = Duration::from_secs(1);
/// In the long run a key set is fetched at most this often, whatever unknown key ids are presented.
const FETCH_INTERVAL: Duration = Duration::from_secs(30);
/// So many times it may be fetched at once: a key that was rotated soon after the last fetch is found when it is first seen.
const FETCH_BURST: u32 = 3;
/// A key set file larger than this isn't one.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The keys, kept current.
pub(super) enum KeySource {
    /// One shared secret.
    Secret(Arc<KeySet>),
    /// A file, read again when it changes.
    File(FileSource),
    /// The issuer's address, fetched when old or when an unknown key id turns up.
    Url(Arc<UrlSource>),
}

impl KeySource {
    /// The keys as they are known now. Never waits: a set that is due is refreshed in the background.
    pub(super) fn current(&self) -> Arc<KeySet> {
        match self {
            Self::Secret(keys) => Arc::clone(keys),
            Self::File(file) => file.current(),
            Self::Url(url) => UrlSource::current(url),
        }
    }

    /// The keys after looking again for one that wasn't known; may wait for a fetch.
    pub(super) async fn look_again(&self) -> Arc<KeySet> {
        match self {
            Self::Secret(_) | Self::File(_) => self.current(),
            Self::Url(url) => url.refresh().await,
        }
    }

    /// What is wrong with the source, if anything; for the readiness check.
    pub(super) fn problem(&self) -> Option<String> {
        match self {
            Self::Secret(_) => None,
            Self::File(file) => lock(&file.state).problem.clone(),
            Self::Url(url) => {
                let state = lock(&url.state);
                if state.fetched.is_some() {
                    None
                } else {
                    state.problem.clone().or(Some("not fetched yet".to_owned()))
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct FileSource {
    path: PathBuf,
    state: Mutex<FileState>,
}

struct FileState {
    keys: Arc<KeySet>,
    looked: Instant,
    stamp: Option<(SystemTime, u64)>,
    problem: Option<String>,
}

impl FileSource {
    /// Reads the file; it must be a key set now, later changes that aren't are reported and passed over.
    pub(super) fn open(path: PathBuf) -> Result<Self, String> {
        let (keys, stamp) = read(&path, 1)?;
        let state = FileState {
            keys: Arc::new(keys),
            looked: Instant::now(),
            stamp: Some(stamp),
            problem: None,
        };
        Ok(Self {
            path,
            state: Mutex::new(state),
        })
    }

    fn current(&self) -> Arc<KeySet> {
        let mut state = lock(&self.state);
        if state.looked.elapsed() >= FILE_POLL {
            state.looked = Instant::now();
            self.reread(&mut state);
        }
        Arc::clone(&state.keys)
    }

    fn reread(&self, state: &mut FileState) {
        let stamp = stamp(&self.path).ok();
        if stamp.is_some() && stamp == state.stamp {
            return;
        }
        match read(&self.path, state.keys.generation + 1) {
            Ok((keys, stamp)) => {
                tracing::info!(path = %self.path.display(), "token keys were read again");
                *state = FileState {
                    keys: Arc::new(keys),
                    looked: state.looked,
                    stamp: Some(stamp),
                    problem: None,
                };
            }
            Err(problem) => {
                if state.problem.as_ref() != Some(&problem) {
                    tracing::warn!(path = %self.path.display(), problem, "token keys can't be read; the earlier ones stay in use");
                }
                state.problem = Some(problem);
            }
        }
    }
}

fn stamp(path: &Path) -> Result<(SystemTime, u64), String> {
    let metadata = std::fs::metadata(path).map_err(|e| e.to_string())?;
    Ok((
        metadata.modified().map_err(|e| e.to_string())?,
        metadata.len(),
    ))
}

fn read(path: &Path, generation: u64) -> Result<(KeySet, (SystemTime, u64)), String> {
    let stamp = stamp(path)?;
    if stamp.1 > MAX_FILE_BYTES {
        return Err("is larger than 1 MiB".to_owned());
    }
    let json = std::fs::read(path).map_err(|e| e.to_string())?;
    Ok((KeySet::parse(&json, generation)?, stamp))
}

pub(super) struct UrlSource {
    url: String,
    client: reqwest::Client,
    max_age: Duration,
    interval: Duration,
    keys: RwLock<Arc<KeySet>>,
    state: Mutex<UrlState>,
    /// One fetch at a time; whoever waited finds its result.
    flight: tokio::sync::Mutex<()>,
    refreshing: AtomicBool,
}

#[derive(Default)]
struct UrlState {
    /// When the last fetch began.
    tried: Option<Instant>,
    /// When it ended, however it did.
    ended: Option<Instant>,
    /// When as many fetches are allowed at once again as ever.
    rested: Option<Instant>,
    fetched: Option<Instant>,
    problem: Option<String>,
}

impl UrlState {
    /// Whether a fetch may begin at `now`: the generic cell rate algorithm (ITU-T I.371).
    fn may_fetch(&self, now: Instant, interval: Duration) -> bool {
        let ahead = self
            .rested
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        ahead <= interval * (FETCH_BURST - 1)
    }

    /// A fetch begins at `now`.
    fn begin(&mut self, now: Instant, interval: Duration) {
        self.rested = Some(self.rested.map_or(now, |at| at.max(now)) + interval);
        self.tried = Some(now);
    }
}

impl UrlSource {
    pub(super) fn new(url: String, max_age: Duration) -> Result<Self, String> {
        Self::with_interval(url, max_age, FETCH_INTERVAL)
    }

    /// For tests, which can't wait.
    pub(super) fn with_interval(
        url: String,
        max_age: Duration,
        interval: Duration,
    ) -> Result<Self, String> {
        Ok(Self {
            url,
            client: fetch::client()?,
            max_age,
            interval,
            keys: RwLock::new(Arc::new(KeySet::empty())),
            state: Mutex::default(),
            flight: tokio::sync::Mutex::new(()),
            refreshing: AtomicBool::new(false),
        })
    }

    fn known(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn current(this: &Arc<Self>) -> Arc<KeySet> {
        if this.is_due() && !this.refreshing.swap(true, Ordering::AcqRel) {
            let source = Arc::clone(this);
            tokio::spawn(async move {
                source.refresh().await;
                source.refreshing.store(false, Ordering::Release);
            });
        }
        this.known()
    }

    fn is_due(&self) -> bool {
        let state = lock(&self.state);
        let old = state.fetched.is_some_and(|at| at.elapsed() >= self.max_age);
        // Without a key that is looked for there is no hurry.
        old && state.tried.is_none_or(|at| at.elapsed() >= self.interval)
    }

    /// Fetches, unless that was done often enough of late. A failure leaves the earlier keys in use.
    async fn refresh(&self) -> Arc<KeySet> {
        let asked = Instant::now();
        let _flight = self.flight.lock().await;
        {
            let mut state = lock(&self.state);
            let now = Instant::now();
            let done_meanwhile = state.ended.is_some_and(|at| at >= asked);
            if done_meanwhile || !state.may_fetch(now, self.interval) {
                return self.known();
            }
            state.begin(now, self.interval);
        }
        let generation = self.known().generation + 1;
        let fetched = fetch::get(&self.client, &self.url)
            .await
            .map_err(|problem| problem.to_string())
            .and_then(|json| KeySet::parse(&json, generation));
        lock(&self.state).ended = Some(Instant::now());
        match fetched {
            Ok(keys) => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
                let mut state = lock(&self.state);
                state.fetched = Some(Instant::now());
                state.problem = None;
                tracing::info!(generation, "token keys were fetched");
            }
            Err(problem) => {
                tracing::warn!(
                    problem,
                    "token keys can't be fetched; the earlier ones stay in use"
                );
                lock(&self.state).problem = Some(problem);
            }
        }
        self.known()
    }
}
