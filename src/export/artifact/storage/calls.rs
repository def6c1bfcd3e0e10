//! Calls to a directory, bounded: a volume whose server is gone ends no system call, and a thread that waits in one can't be ended either.
//!
//! So nobody waits for a call longer than its deadline, and what is left hanging is counted. A place has so many calls under way, hanging ones among them,
//! and one in which several hang isn't asked for more until they come back. All places together leave room in the pool of threads that read models
//! are read on, too.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc, oneshot};

use super::{blocking, failed};
use crate::export::artifact::StorageError;

/// How long a small step may take: opening, reading a block, writing a part or a small object for good.
const STEP: Duration = Duration::from_secs(30);

/// How many times as long it may take until a large file is on disk. An attempt that shows no progress for five minutes is given up anyway.
const SYNC: u32 = 10;

/// Calls to one place at a time: more than a disk does at once, few enough to be left hanging.
const OF_ONE_PLACE: usize = 32;

/// Calls to all places at a time. Half of the threads that tokio has for blocking work.
static OF_ALL_PLACES: Semaphore = Semaphore::const_new(ALL);

const ALL: usize = 256;

/// Calls that are beyond their deadline, at which a place isn't asked for more.
const OVERDUE: usize = 4;

/// Entries of a list that are read ahead.
const READ_AHEAD: usize = 64;

/// The calls to one place. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    turns: Arc<Semaphore>,
    overdue: Arc<AtomicUsize>,
    /// How long a small step may take.
    step: Duration,
}

/// Whether there are calls to directories that didn't come back yet.
#[must_use]
pub fn under_way() -> bool {
    OF_ALL_PLACES.available_permits() < ALL
}

/// Held for as long as a call takes, whether anybody waits for it or not.
struct Turn {
    _of_place: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'static>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(OF_ONE_PLACE)),
            overdue: Arc::default(),
            step: STEP,
        }
    }
}

/// One more call that is late, for as long as it goes on.
struct Overdue(Arc<AtomicUsize>);

impl Overdue {
    fn count(overdue: Arc<AtomicUsize>) -> Self {
        overdue.fetch_add(1, Ordering::Relaxed);
        Self(overdue)
    }
}

impl Drop for Overdue {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Calls {
    /// Takes a small step.
    ///
    /// # Errors
    /// [`StorageError::Silent`] when it doesn't answer in time; it may still take effect.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.within(self.step, work).await
    }

    /// The same for file-system work, which is done off the asynchronous threads.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.step(blocking(work)).await
    }

    /// Waits for a large file to be on disk.
    ///
    /// # Errors
    /// [`StorageError::Silent`] when it isn't in time; it may still come to be.
    pub(super) async fn sync<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.within(self.step * SYNC, work).await
    }

    async fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
    ) -> Result<T, StorageError> {
        if self.overdue.load(Ordering::Relaxed) >= OVERDUE {
            return Err(StorageError::Silent);
        }
        let deadline = tokio::time::Instant::now() + limit;
        let turn = tokio::time::timeout_at(deadline, self.turn());
        let turn = turn.await.map_err(|_| StorageError::Silent)??;
        // A task of its own, so that the turn ends with the work and not with whoever waits for it, and what is late counts whoever waits.
        let overdue = Arc::clone(&self.overdue);
        let (late, told) = oneshot::channel();
        let working = tokio::spawn(async move {
            let _turn = turn;
            let mut work = pin!(work);
            if let Ok(done) = tokio::time::timeout(limit, &mut work).await {
                return done;
            }
            let _overdue = Overdue::count(overdue);
            let _ = late.send(());
            work.await
        });
        tokio::select! {
            biased;
            done = working => done.unwrap_or_else(|error| Err(failed(&error))),
            // The work may have ended meanwhile, without having been late.
            Ok(()) = told => Err(StorageError::Silent),
        }
    }

    /// A list that is read ahead by a task of its own. Whoever stops waiting for it leaves one call hanging at most.
    pub(super) fn list<T: Send + 'static>(
        &self,
        mut list: BoxStream<'static, T>,
    ) -> BoxStream<'static, T> {
        let (sender, entries) = mpsc::channel(READ_AHEAD);
        let calls = self.clone();
        tokio::spawn(async move {
            let turn = tokio::select! {
                turn = calls.turn() => turn,
                () = sender.closed() => return,
            };
            while let (Ok(_), Some(entry)) = (&turn, list.next().await) {
                if sender.send(entry).await.is_err() {
                    return;
                }
            }
        });
        let next = |mut entries: mpsc::Receiver<T>| async move {
            let entry = entries.recv().await?;
            Some((entry, entries))
        };
        stream::unfold(entries, next).boxed()
    }

    async fn turn(&self) -> Result<Turn, StorageError> {
        let of_place = Arc::clone(&self.turns).acquire_owned().await;
        let of_all = OF_ALL_PLACES.acquire().await;
        Ok(Turn {
            _of_place: of_place.map_err(|error| failed(&error))?,
            _of_all: of_all.map_err(|error| failed(&error))?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    impl Calls {
        /// The same, with no patience for what hangs anyway.
        pub(in super::super) fn impatient(&self) -> Self {
            Self {
                step: Duration::from_millis(10),
                ..self.clone()
            }
        }
    }

    #[tokio::test]
    async fn a_place_that_hangs_is_asked_no_more_until_it_answers() {
        let calls = Calls::default();
        assert_eq!(calls.blocking(|| Ok(7)).await, Ok(7));
        // A stand-in for a system call that doesn't come back: a thread that waits for a word.
        let (words, hanging): (Vec<_>, Vec<_>) =
            (0..OVERDUE).map(|_| mpsc::channel::<()>()).unzip();
        for word in hanging {
            let hangs = move || word.recv().map_err(std::io::Error::other);
            let call = calls.impatient().blocking(hangs).await;
            assert_eq!(call, Err(StorageError::Silent));
        }
        // It isn't even tried.
        assert_eq!(calls.blocking(|| Ok(7)).await, Err(StorageError::Silent));
        assert_eq!(calls.turns.available_permits(), OF_ONE_PLACE - OVERDUE);
        assert_eq!(Calls::default().blocking(|| Ok(7)).await, Ok(7));
        drop(words);
        while calls.blocking(|| Ok(7)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn no_more_calls_hang_than_a_place_has_turns() {
        let calls = Calls::default();
        let (word, hanging) = mpsc::channel::<()>();
        let hanging = Arc::new(std::sync::Mutex::new(hanging));
        let all = futures::future::join_all((0..2 * OF_ONE_PLACE).map(|_| {
            let hanging = Arc::clone(&hanging);
            let calls = calls.impatient();
            async move {
                calls
                    .blocking(move || {
                        let word = hanging.lock().map_err(|_| std::io::Error::other("lock"))?;
                        word.recv().map_err(std::io::Error::other)
                    })
                    .await
            }
        }));
        let ended = all.await;
        assert!(ended.iter().all(|end| *end == Err(StorageError::Silent)));
        assert_eq!(calls.turns.available_permits(), 0);
        assert_eq!(calls.overdue.load(Ordering::Relaxed), OF_ONE_PLACE);
        drop(word);
    }

    #[tokio::test]
    async fn a_list_is_passed_on_whole_and_a_dropped_one_gives_its_turn_back() {
        let calls = Calls::default();
        let entries = || stream::iter(0..1000).boxed();
        let passed: Vec<_> = calls.list(entries()).collect().await;
        assert_eq!(passed, (0..1000).collect::<Vec<_>>());
        drop(calls.list(entries()));
        while calls.turns.available_permits() < OF_ONE_PLACE {
            tokio::task::yield_now().await;
        }
    }
}
