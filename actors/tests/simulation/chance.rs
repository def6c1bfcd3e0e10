//! The one source of chance: a generator with a known seed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use carnet_actors::ports::Ids;
use carnet_events::ids::{ExportId, Timestamp};
use uuid::{Builder, Uuid};

/// Clones draw from the same generator.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<fastrand::Rng>>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap())
    }

    /// True in `percent` of a hundred cases.
    pub fn percent(&self, percent: u32) -> bool {
        self.draw(|rng| rng.u32(0..100)) < percent
    }

    pub fn below(&self, end: usize) -> usize {
        self.draw(|rng| rng.usize(0..end))
    }

    /// From `least` milliseconds up to `most`.
    pub fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.draw(|rng| rng.u64(least..=most)))
    }

    pub fn seconds(&self, least: u64, most: u64) -> Duration {
        self.millis(least * 1000, most * 1000)
    }

    pub fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty()).then(|| &from[self.below(from.len())])
    }

    pub fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.draw(|rng| rng.fill(&mut bytes));
        bytes
    }

    fn u128(&self) -> u128 {
        self.draw(|rng| rng.u128(..))
    }
}

impl Ids for Chance {
    fn random(&self) -> Uuid {
        Builder::from_random_bytes(self.u128().to_be_bytes()).into_uuid()
    }

    fn export(&self, now: Timestamp) -> ExportId {
        let millis = u64::try_from(now.as_millis()).unwrap();
        let chance = self.u128().to_be_bytes();
        let chance = chance[..10].try_into().unwrap();
        ExportId::from_uuid(Builder::from_unix_timestamp_millis(millis, chance).into_uuid())
    }

    fn secret(&self) -> Option<[u8; 32]> {
        Some(self.bytes())
    }
}
