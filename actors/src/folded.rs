//! Directories folded in memory, bounded by what they hold: one may have three persons, another a hundred thousand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carnet_events::domain::directory::Directory;

use crate::directory::House;

/// Directories kept at once; only reading names and reasons needs them.
const MAX_KEPT: usize = 32;

/// Bytes of the events that all kept ones were folded from. One that is larger by itself is folded whenever it is asked.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A directory as far as it was read.
#[derive(Clone, Default)]
pub(crate) struct Folded {
    pub(crate) revision: Option<u64>,
    pub(crate) directory: Arc<Directory>,
    /// Bytes of its events.
    pub(crate) bytes: usize,
}

/// Those used last.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    directories: HashMap<House, Used>,
    uses: u64,
}

struct Used {
    folded: Folded,
    /// The count of uses when it was used last.
    at: u64,
}

impl Kept {
    pub(crate) fn get(&self, house: &House) -> Option<Folded> {
        let mut inner = self.lock();
        inner.uses += 1;
        let at = inner.uses;
        let used = inner.directories.get_mut(house)?;
        used.at = at;
        Some(used.folded.clone())
    }

    /// Keeps a directory, and lets go of as many others as that takes, those first that weren't used for longest.
    pub(crate) fn put(&self, house: House, folded: Folded) {
        let mut inner = self.lock();
        inner.directories.remove(&house);
        if folded.bytes > MAX_BYTES {
            return;
        }
        inner.uses += 1;
        let at = inner.uses;
        inner.directories.insert(house, Used { folded, at });
        while inner.directories.len() > MAX_KEPT || inner.bytes() > MAX_BYTES {
            let oldest = inner.directories.iter().min_by_key(|(_, used)| used.at);
            let Some(oldest) = oldest.map(|(house, _)| house.clone()) else {
                return;
            };
            inner.directories.remove(&oldest);
        }
    }

    pub(crate) fn forget(&self, house: &House) {
        self.lock().directories.remove(house);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn bytes(&self) -> usize {
        let directories = self.directories.values();
        directories.map(|used| used.folded.bytes).sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use carnet_events::ids::TenantId;

    use super::*;

    #[test]
    fn large_directories_push_out_those_unused_for_longest_and_the_largest_is_not_kept() {
        let kept = Kept::default();
        let house = |name: usize| House::Tenant(TenantId::new(name.to_string()).unwrap());
        let put = |name, bytes| {
            let folded = Folded {
                bytes,
                ..Folded::default()
            };
            kept.put(house(name), folded);
        };
        let held = || -> Vec<_> {
            let known = kept.lock();
            (0..100)
                .filter(|name| known.directories.contains_key(&house(*name)))
                .collect()
        };
        (0..40).for_each(|name| put(name, 10));
        assert_eq!(held(), (8..40).collect::<Vec<_>>());
        assert!(kept.get(&house(8)).is_some());
        put(50, MAX_BYTES - 15);
        assert_eq!(held(), [8, 50]);
        put(60, MAX_BYTES + 1);
        assert_eq!(held(), [8, 50]);
        put(50, MAX_BYTES + 1);
        assert_eq!(held(), [8]);
    }
}
