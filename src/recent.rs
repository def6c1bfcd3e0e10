//! A map that remembers what was used recently, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Two generations of half the capacity each: when the young one is full it becomes the old one, and what was old and
/// unused is forgotten. As good as least-recently-used for our purposes, and a few lines long.
pub(crate) struct Recent<K, V> {
    half: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    /// Holds at most `capacity` entries; below 2 it remembers nothing.
    pub(crate) fn new(capacity: usize) -> Self {
        let generations = Generations {
            young: HashMap::new(),
            old: HashMap::new(),
        };
        Self {
            half: capacity / 2,
            generations: Mutex::new(generations),
        }
    }

    /// What is remembered of `key`; being asked for keeps it young.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut both = self.lock();
        if let Some(value) = both.young.get(key) {
            return Some(value.clone());
        }
        let value = both.old.remove(key)?;
        self.put(&mut both, key.clone(), value.clone());
        Some(value)
    }

    /// Remembers `value` for `key`.
    pub(crate) fn insert(&self, key: K, value: V) {
        if self.half > 0 {
            let mut both = self.lock();
            self.put(&mut both, key, value);
        }
    }

    fn put(&self, both: &mut Generations<K, V>, key: K, value: V) {
        if both.young.len() >= self.half {
            both.old = std::mem::take(&mut both.young);
        }
        both.young.insert(key, value);
    }

    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let recent = Recent::new(10);
        recent.insert(0, "zero");
        for n in 1..1_000 {
            recent.insert(n, "other");
            assert_eq!(recent.get(&0), Some("zero"));
            let both = recent.lock();
            assert!(both.young.len() + both.old.len() <= 10);
        }
        assert_eq!(recent.get(&1), None);
        let nothing = Recent::new(0);
        nothing.insert(1, 1);
        assert_eq!(nothing.get(&1), None);
    }
}
