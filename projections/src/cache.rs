//! A bounded cache.

use std::hash::Hash;

use foldhash::HashMap;

/// Keeps at least the `capacity` entries used last, and never more than twice as many.
///
/// Entries are in two halves. What is used moves into the young one; when that is full the old one is dropped and the
/// young one takes its place. An approximation of "least recently used" without a list.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    capacity: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            young: HashMap::default(),
            old: HashMap::default(),
        }
    }

    /// Takes an entry out.
    pub(crate) fn take(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Puts an entry in.
    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn clear(&mut self) {
        self.young = HashMap::default();
        self.old = HashMap::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_used_last_and_stays_bounded() {
        let mut cache = Cache::new(10);
        for key in 0..1000 {
            cache.put(key, key);
            let kept = cache.take(&0);
            assert_eq!(kept, Some(0), "used every time, never dropped");
            cache.put(0, 0);
            assert!(cache.young.len() + cache.old.len() <= 21);
        }
        assert_eq!(cache.take(&999), Some(999));
        assert_eq!(cache.take(&1), None);
    }
}
