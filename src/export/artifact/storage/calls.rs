//! Calls to a directory, bounded: a volume whose server is gone ends no system call, and a thread that waits in one can't be ended either.
//!
//! So nobody waits for a call longer than its deadline, and what is left hanging is counted. A place has so many calls under way, hanging ones among them, and so many trials. One
//! in which a call hangs is silent: whoever asks is told so at once, but for one call every while that tries whether it answers again, and
//! that nobody waits long for. What hung before then counts no more: of a volume that was mounted anew it may hang for ever.
//! All places together leave room in the pool of threads that read models are read on, too.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;

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

/// Trials have turns of their own, for those of calls that hang may never come back. At their slowest they are used up in hours;
/// then only a restart lets go of the place.
const TRIALS_OF_ONE_PLACE: usize = 32;
static TRIALS_OF_ALL_PLACES: Semaphore = Semaphore::const_new(ALL_TRIALS);

const ALL_TRIALS: usize = 64;

/// How long after a call was found hanging a silent place is tried again, and how long at most, waiting twice as long each time.
const FIRST_TRIAL: Duration = Duration::from_secs(5);
const LAST_TRIAL: Duration = Duration::from_secs(300);

/// How many times shorter than a step whoever tries a silent place waits for it.
const TRIAL: u32 = 15;

/// Entries of a list that are read ahead.
const READ_AHEAD: usize = 64;

/// The calls to one place. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    turns: Arc<Semaphore>,
    trials: Arc<Semaphore>,
    silence: Arc<Mutex<Silence>>,
    /// How long a small step may take.
    step: Duration,
}

/// Whether there are calls to directories that didn't come back yet.
#[must_use]
pub fn under_way() -> bool {
    OF_ALL_PLACES.available_permits() < ALL || TRIALS_OF_ALL_PLACES.available_permits() < ALL_TRIALS
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
            trials: Arc::new(Semaphore::new(TRIALS_OF_ONE_PLACE)),
            silence: Arc::default(),
            step: STEP,
        }
    }
}

/// What is known of a place that doesn't answer.
#[derive(Debug, Default)]
struct Silence {
    /// Calls that are beyond their deadline, of those begun since it last answered after a silence.
    hanging: usize,
    /// How often it answered after a silence.
    answered: u64,
    /// When it is tried again; `None` while it is being tried, and when it isn't silent.
    trial: Option<Instant>,
    /// How long it is left alone after the next trial that hangs.
    pause: Duration,
}

/// What a call is to the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One of those that are made as long as it answers.
    Ordinary,
    /// The one that finds out whether it answers again.
    Trial,
}

impl Silence {
    /// Whether a call may be made now; `None`: the place is silent.
    fn ask(&mut self, now: Instant) -> Option<Kind> {
        if self.hanging == 0 {
            return Some(Kind::Ordinary);
        }
        let due = self.trial.is_some_and(|trial| trial <= now);
        due.then(|| {
            self.trial = None;
            Kind::Trial
        })
    }

    /// A call of the time since `answered` is beyond its deadline.
    fn late(&mut self, kind: Kind, answered: u64, now: Instant) {
        if answered != self.answered {
            return;
        }
        let first = self.hanging == 0;
        self.hanging += 1;
        if first {
            self.pause = FIRST_TRIAL;
        }
        if first || kind == Kind::Trial {
            self.trial = Some(now + self.pause);
            self.pause = (self.pause * 2).min(LAST_TRIAL);
        }
    }

    /// A call of the time since `answered` was not made: a trial is still to be.
    fn unmade(&mut self, kind: Kind, answered: u64, now: Instant) {
        if answered == self.answered && kind == Kind::Trial && self.hanging > 0 {
            self.trial = Some(now + FIRST_TRIAL);
        }
    }

    /// A call of the time since `answered` came back, late or not.
    fn back(&mut self, kind: Kind, answered: u64, late: bool) {
        if answered != self.answered {
            return;
        }
        if kind == Kind::Trial {
            self.answered += 1;
            self.hanging = 0;
        } else if late {
            self.hanging = self.hanging.saturating_sub(1);
        }
        if self.hanging == 0 {
            self.trial = None;
        }
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
        let (kind, answered) = {
            let mut silence = self.silence();
            let asked = silence.ask(Instant::now());
            (asked.ok_or(StorageError::Silent)?, silence.answered)
        };
        let mut course = Course {
            calls: self.clone(),
            kind,
            answered,
            late: false,
            came_back: false,
        };
        let limit = match kind {
            Kind::Ordinary => limit,
            Kind::Trial => limit.min(self.step),
        };
        let patience = match kind {
            Kind::Ordinary => Duration::MAX,
            Kind::Trial => self.step / TRIAL,
        };
        let turn = tokio::time::timeout(limit.min(patience), self.turn(kind));
        let turn = match turn.await {
            Ok(turn) => turn?,
            Err(_) => return Err(StorageError::Silent),
        };
        // A task of its own, so that the turn ends with the work and not with whoever waits for it, and what is late counts whoever waits.
        let (late, told) = oneshot::channel();
        let working = tokio::spawn(async move {
            let _turn = turn;
            let mut work = pin!(work);
            let mut done = tokio::time::timeout(limit, &mut work).await.ok();
            if done.is_none() {
                course.late();
                let _ = late.send(());
                done = Some(work.await);
            }
            course.back();
            done.unwrap_or(Err(StorageError::Silent))
        });
        tokio::select! {
            biased;
            done = working => done.unwrap_or_else(|error| Err(failed(&error))),
            // The work may have ended meanwhile, without having been late.
            Ok(()) = told => Err(StorageError::Silent),
            // The trial goes on; the next who asks is told what came of it.
            () = tokio::time::sleep(patience), if kind == Kind::Trial => Err(StorageError::Silent),
        }
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        // Every change is made in one go, so a panicking holder leaves nothing half done.
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
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
                turn = calls.turn(Kind::Ordinary) => turn,
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

    async fn turn(&self, kind: Kind) -> Result<Turn, StorageError> {
        let (of_place, of_all) = match kind {
            Kind::Ordinary => (&self.turns, &OF_ALL_PLACES),
            Kind::Trial => (&self.trials, &TRIALS_OF_ALL_PLACES),
        };
        let of_place = Arc::clone(of_place).acquire_owned().await;
        let of_all = of_all.acquire().await;
        Ok(Turn {
            _of_place: of_place.map_err(|error| failed(&error))?,
            _of_all: of_all.map_err(|error| failed(&error))?,
        })
    }
}

/// A call from when it is allowed until it came back, or until nobody wanted it any more before it was made.
struct Course {
    calls: Calls,
    kind: Kind,
    answered: u64,
    late: bool,
    came_back: bool,
}

impl Course {
    fn late(&mut self) {
        self.late = true;
        let mut silence = self.calls.silence();
        silence.late(self.kind, self.answered, Instant::now());
    }

    fn back(&mut self) {
        self.came_back = true;
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        let mut silence = self.calls.silence();
        match self.came_back {
            true => silence.back(self.kind, self.answered, self.late),
            false => silence.unmade(self.kind, self.answered, Instant::now()),
        }
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

    /// A stand-in for a system call that doesn't come back: a thread that waits for a word.
    async fn hang(calls: &Calls) -> mpsc::Sender<()> {
        let (word, hanging) = mpsc::channel::<()>();
        let hangs = move || hanging.recv().or(Ok(()));
        let call = calls.impatient().blocking(hangs).await;
        assert_eq!(call, Err(StorageError::Silent));
        word
    }

    #[tokio::test]
    async fn a_place_that_hangs_is_asked_no_more_until_it_answers() {
        let calls = Calls::default();
        assert_eq!(calls.blocking(|| Ok(7)).await, Ok(7));
        let word = hang(&calls).await;
        // It isn't even tried.
        for _ in 0..OF_ONE_PLACE {
            assert_eq!(calls.blocking(|| Ok(7)).await, Err(StorageError::Silent));
        }
        assert_eq!(calls.turns.available_permits(), OF_ONE_PLACE - 1);
        assert_eq!(Calls::default().blocking(|| Ok(7)).await, Ok(7));
        drop(word);
        while calls.blocking(|| Ok(7)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    /// What was asked of a volume that was taken away may hang for ever; the one that is there now answers.
    #[tokio::test]
    async fn one_call_tries_a_silent_place_and_finds_that_it_answers() {
        let calls = Calls::default();
        let word = hang(&calls).await;
        calls.silence().trial = Some(Instant::now());
        assert_eq!(calls.blocking(|| Ok(7)).await, Ok(7));
        assert_eq!(calls.blocking(|| Ok(8)).await, Ok(8));
        assert_eq!(calls.turns.available_permits(), OF_ONE_PLACE - 1);
        drop(word);
        while calls.turns.available_permits() < OF_ONE_PLACE {
            tokio::task::yield_now().await;
        }
        assert_eq!(calls.silence().hanging, 0);
        assert_eq!(calls.blocking(|| Ok(9)).await, Ok(9));
    }

    #[tokio::test]
    async fn whoever_tries_a_silent_place_is_not_held_up_and_tries_alone() {
        let calls = Calls::default();
        let first = hang(&calls).await;
        calls.silence().trial = Some(Instant::now());
        let second = hang(&calls).await;
        assert_eq!(calls.blocking(|| Ok(7)).await, Err(StorageError::Silent));
        assert_eq!(calls.trials.available_permits(), TRIALS_OF_ONE_PLACE - 1);
        drop(first);
        drop(second);
        while calls.blocking(|| Ok(7)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn a_silent_place_is_tried_by_one_at_a_time_and_more_and_more_seldom() {
        let (mut silence, mut now) = (Silence::default(), Instant::now());
        assert_eq!(silence.ask(now), Some(Kind::Ordinary));
        silence.late(Kind::Ordinary, 0, now);
        silence.late(Kind::Ordinary, 0, now);
        let mut pause = FIRST_TRIAL;
        for _ in 0..10 {
            assert_eq!(silence.ask(now + pause - Duration::from_millis(1)), None);
            now += pause;
            assert_eq!(silence.ask(now), Some(Kind::Trial));
            assert_eq!(silence.ask(now + LAST_TRIAL), None, "one is under way");
            // Given up before it was made: another makes it.
            silence.unmade(Kind::Trial, 0, now);
            now += FIRST_TRIAL;
            assert_eq!(silence.ask(now), Some(Kind::Trial));
            silence.late(Kind::Trial, 0, now);
            pause = (pause * 2).min(LAST_TRIAL);
        }
        now += pause;
        assert_eq!(silence.ask(now), Some(Kind::Trial));
        silence.back(Kind::Trial, 0, false);
        assert_eq!(silence.ask(now), Some(Kind::Ordinary));
        // What hung before says nothing of now, neither hanging on nor coming back.
        silence.late(Kind::Ordinary, 0, now);
        silence.late(Kind::Ordinary, 1, now);
        silence.back(Kind::Ordinary, 0, true);
        assert_eq!(silence.ask(now), None);
        silence.back(Kind::Ordinary, 1, true);
        assert_eq!(silence.ask(now), Some(Kind::Ordinary));
    }

    #[tokio::test]
    async fn no_more_calls_hang_than_a_place_has_turns() {
        let calls = Calls::default();
        let (word, hanging) = mpsc::channel::<()>();
        let hanging = Arc::new(Mutex::new(hanging));
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
        assert_eq!(calls.silence().hanging, OF_ONE_PLACE);
        // However many hang, a trial is made, and finds that the place is there again.
        calls.silence().trial = Some(Instant::now());
        assert_eq!(calls.blocking(|| Ok(7)).await, Ok(7));
        assert_eq!(calls.silence().hanging, 0);
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
