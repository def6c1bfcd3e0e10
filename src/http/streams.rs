//! Long-lived responses: how many may be open at once, in all and for one person.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carnet_events::ids::PrincipalId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One person's share of all permits: so nobody can keep everybody else from downloading.
const SHARE: usize = 8;

/// The permits for downloads and event streams.
#[derive(Debug)]
pub struct Streams {
    all: Arc<Semaphore>,
    each: usize,
    held: Arc<Mutex<HashMap<PrincipalId, usize>>>,
}

/// A permit; it belongs into the stream it is for.
#[derive(Debug)]
pub(super) struct StreamPermit {
    _one: OwnedSemaphorePermit,
    held: Arc<Mutex<HashMap<PrincipalId, usize>>>,
    who: PrincipalId,
}

impl Streams {
    /// Permits for `max` streams at once, an eighth of them for one person.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(max)),
            each: max.div_ceil(SHARE),
            held: Arc::default(),
        }
    }

    /// A permit for `who`; `None` when all are taken, or all of theirs.
    pub(super) fn permit(&self, who: &PrincipalId) -> Option<StreamPermit> {
        let one = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let mut held = lock(&self.held);
        let count = held.entry(who.clone()).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(StreamPermit {
            _one: one,
            held: Arc::clone(&self.held),
            who: who.clone(),
        })
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        if let Some(count) = held.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.who);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_than_their_share_and_what_is_given_back_is_free() {
        let streams = Streams::new(16);
        let (ada, bob) = (
            PrincipalId::new("ada").unwrap(),
            PrincipalId::new("bob").unwrap(),
        );
        let first = streams.permit(&ada).unwrap();
        let _second = streams.permit(&ada).unwrap();
        assert!(streams.permit(&ada).is_none());
        assert!(streams.permit(&bob).is_some());
        drop(first);
        assert!(streams.permit(&ada).is_some());
        assert_eq!(lock(&streams.held).len(), 1);
    }

    #[test]
    fn all_together_are_bounded() {
        let streams = Streams::new(1);
        let _one = streams.permit(&PrincipalId::new("ada").unwrap()).unwrap();
        assert!(streams.permit(&PrincipalId::new("bob").unwrap()).is_none());
    }
}
