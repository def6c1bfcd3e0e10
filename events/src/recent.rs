//! What was used lately, in bounded memory.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps at least the `capacity` entries used last and at most twice as many, in constant time per use.
///
/// Entries live in two generations. Used ones are in the young one; when that is full it becomes the old one and what
/// was old is dropped. So an entry is forgotten once `capacity` others were used after it, or after two calls of
/// [`Cache::age`] without a use. With a capacity of 0 nothing is kept.
#[derive(Debug)]
pub struct Cache<K, V, S = RandomState> {
    capacity: usize,
    young: HashMap<K, V, S>,
    old: HashMap<K, V, S>,
}

impl<K: Hash + Eq, V, S: BuildHasher + Default> Cache<K, V, S> {
    /// An empty one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            young: HashMap::default(),
            old: HashMap::default(),
        }
    }

    /// The value, which counts as used now.
    pub fn get<Q>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.put(key, value);
        }
        self.young.get(key)
    }

    /// Takes an entry out.
    pub fn take(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Puts an entry in, in place of what had its key.
    pub fn put(&mut self, key: K, value: V) {
        if self.capacity == 0 {
            return;
        }
        if self.young.len() >= self.capacity && !self.young.contains_key(&key) {
            self.old = take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Keeps only what `wanted` says.
    pub fn retain(&mut self, wanted: impl Fn(&K) -> bool) {
        self.young.retain(|key, _| wanted(key));
        self.old.retain(|key, _| wanted(key));
    }

    /// Makes everything older by one step.
    pub fn age(&mut self) {
        self.old = take(&mut self.young);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    /// How many entries are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A [`Cache`] that is shared: what it gives is a copy.
#[derive(Debug)]
pub struct Recent<K, V>(Mutex<Cache<K, V>>);

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    /// An empty one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(Mutex::new(Cache::new(capacity)))
    }

    /// The value, which counts as used now.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.lock().get(key).cloned()
    }

    /// The value; made, and kept, by `make` if `keep` doesn't want the one that is there. Only one caller at a time gets
    /// to make one.
    pub fn get_or_make(
        &self,
        key: &K,
        keep: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> V,
    ) -> V {
        let mut cache = self.lock();
        if let Some(known) = cache.get(key).filter(|known| keep(known)) {
            return known.clone();
        }
        let value = make();
        cache.put(key.clone(), value.clone());
        value
    }

    /// Keeps `value`, in place of what had its key.
    pub fn insert(&self, key: K, value: V) {
        self.lock().put(key, value);
    }

    /// Keeps `value`, unless there is one that `better` prefers to it.
    pub fn put_unless(&self, key: K, value: V, better: impl FnOnce(&V) -> bool) {
        let mut cache = self.lock();
        if !cache.get(&key).is_some_and(better) {
            cache.put(key, value);
        }
    }

    /// Lets go of what `of` names.
    pub fn forget(&self, of: impl Fn(&K) -> bool) {
        self.lock().retain(|key| !of(key));
    }

    /// Makes everything older by one step.
    pub fn age(&self) {
        self.lock().age();
    }

    /// How many entries are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Cache<K, V>> {
        // Values are moved in and out whole: a panicking holder leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn what_is_taken_out_and_put_back_stays_too() {
        let mut cache: Cache<i32, i32> = Cache::new(10);
        for key in 0..1000 {
            cache.put(key, key);
            assert_eq!(cache.take(&0), Some(0), "used every time, never dropped");
            cache.put(0, 0);
            assert!(cache.len() <= 20);
        }
        assert_eq!(cache.take(&999), Some(999));
        assert_eq!(cache.take(&1), None);
    }

    #[test]
    fn as_many_as_fit_stay_and_none_where_none_does() {
        let recent = Recent::new(10);
        (0..100).for_each(|key| recent.insert(key, key));
        assert!((90..100).all(|key| recent.get(&key) == Some(key)));
        let nothing = Recent::new(0);
        nothing.insert(1, 1);
        assert!(nothing.get(&1).is_none() && nothing.is_empty());
    }
}
