//! Verified tokens, remembered in bounded memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::caller::{Caller, Fingerprint};

/// Two generations of half the capacity each: when the young one is full it becomes the old one, and what was old and
/// unused is forgotten. As good as least-recently-used here, and a few lines long.
pub(super) struct TokenCache {
    half: usize,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Fingerprint, Entry>,
    old: HashMap<Fingerprint, Entry>,
}

#[derive(Clone)]
struct Entry {
    caller: Arc<Caller>,
    keys: u64,
}

impl TokenCache {
    /// Holds at most `capacity` tokens; 0 remembers none.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            half: capacity / 2,
            generations: Mutex::default(),
        }
    }

    /// The caller of a token verified with the key set of generation `keys`.
    pub(super) fn get(&self, token: Fingerprint, keys: u64) -> Option<Arc<Caller>> {
        let mut both = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = both.young.get(&token) {
            return (entry.keys == keys).then(|| Arc::clone(&entry.caller));
        }
        let entry = both.old.remove(&token).filter(|entry| entry.keys == keys)?;
        let caller = Arc::clone(&entry.caller);
        self.put(&mut both, token, entry);
        Some(caller)
    }

    pub(super) fn insert(&self, caller: &Arc<Caller>, keys: u64) {
        if self.half > 0 {
            let mut both = self
                .generations
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            self.put(
                &mut both,
                caller.fingerprint,
                Entry {
                    caller: Arc::clone(caller),
                    keys,
                },
            );
        }
    }

    fn put(&self, both: &mut Generations, token: Fingerprint, entry: Entry) {
        if both.young.len() >= self.half {
            both.old = std::mem::take(&mut both.young);
        }
        both.young.insert(token, entry);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let both = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        both.young.len() + both.old.len()
    }
}
