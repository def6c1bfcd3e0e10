//! Which streams are known to be erased.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::stream::StreamName;

/// Streams known to be erased, as many as are worth remembering: they stay so.
pub(super) struct Erased(Mutex<LruCache<StreamName, ()>>);

impl Erased {
    const MOST: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(Self::MOST)))
    }

    pub(super) fn contains(&self, name: &StreamName) -> bool {
        let mut erased = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        erased.get(name).is_some()
    }

    pub(super) fn add(&self, name: &StreamName) {
        let mut erased = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        erased.put(name.clone(), ());
    }
}
