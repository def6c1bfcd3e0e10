//! A bounded memory of what was used lately.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps at least the `capacity` entries used last and at most twice as many, in constant time per use.
///
/// Entries live in two generations. Used ones are in the young one; when that is full it becomes the old one and what
/// was old is dropped. So an entry is forgotten once `capacity` others were used after it, or after two calls of
/// [`Recent::age`] without a use.
pub(crate) struct Recent<K, V> {
    capacity: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let generations = Generations {
            young: HashMap::new(),
            old: HashMap::new(),
        };
        Self {
            capacity: capacity.max(1),
            generations: Mutex::new(generations),
        }
    }

    /// The value, which counts as used now.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut generations = self.lock();
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        self.put(&mut generations, key, value.clone());
        Some(value)
    }

    /// The value; made, and kept, by `make` if `keep` doesn't want the one that is there. Only one caller at a time gets
    /// to make one.
    pub(crate) fn get_or_make(
        &self,
        key: &K,
        keep: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> V,
    ) -> V {
        let mut generations = self.lock();
        let known = generations.young.get(key).cloned();
        let known = known.or_else(|| generations.old.remove(key));
        let value = known.filter(keep).unwrap_or_else(make);
        self.put(&mut generations, key.clone(), value.clone());
        value
    }

    /// Keeps `value`, unless there is one that `better` prefers to it.
    pub(crate) fn put_unless(&self, key: K, value: V, better: impl FnOnce(&V) -> bool) {
        let mut generations = self.lock();
        let known = generations.young.get(&key).or(generations.old.get(&key));
        if !known.is_some_and(better) {
            generations.old.remove(&key);
            self.put(&mut generations, key, value);
        }
    }

    /// Lets go of what `of` names.
    pub(crate) fn forget(&self, of: impl Fn(&K) -> bool) {
        let mut generations = self.lock();
        generations.young.retain(|key, _| !of(key));
        generations.old.retain(|key, _| !of(key));
    }

    /// Makes everything older by one step.
    pub(crate) fn age(&self) {
        let mut generations = self.lock();
        generations.old = std::mem::take(&mut generations.young);
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        let generations = self.lock();
        generations.young.len() + generations.old.len()
    }

    fn put(&self, generations: &mut Generations<K, V>, key: K, value: V) {
        generations.young.insert(key, value);
        if generations.young.len() >= self.capacity {
            generations.old = std::mem::take(&mut generations.young);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        // Values are moved in and out whole: a panicking holder leaves nothing half done.
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let recent = Recent::new(3);
        recent.put_unless("kept", 0, |_| false);
        for number in 1..100 {
            assert_eq!(recent.get("kept"), Some(0), "after {number}");
            recent.put_unless(
                Box::leak(number.to_string().into_boxed_str()),
                number,
                |_| false,
            );
            assert!(recent.len() <= 6);
        }
        assert_eq!(recent.get("1"), None);
    }

    #[test]
    fn idle_entries_age_away() {
        let recent = Recent::new(10);
        recent.put_unless("idle", 1, |_| false);
        recent.age();
        assert_eq!(recent.get("idle"), Some(1));
        recent.age();
        recent.age();
        assert_eq!(recent.get("idle"), None);
    }

    #[test]
    fn the_better_one_stays() {
        let recent = Recent::new(10);
        recent.put_unless("a", 5, |known| *known > 5);
        recent.put_unless("a", 4, |known| *known > 4);
        assert_eq!(recent.get("a"), Some(5));
        assert_eq!(recent.get_or_make(&"a", |_| true, || 9), 5);
        assert_eq!(recent.get_or_make(&"a", |_| false, || 9), 9);
        recent.age();
        recent.put_unless("b", 1, |_| false);
        recent.forget(|key| *key == "a");
        assert_eq!((recent.get("a"), recent.get("b")), (None, Some(1)));
    }
}
