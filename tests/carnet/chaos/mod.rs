//! Killed and paused processes, restarted stores: whatever happens, no accepted export is lost, each ends in exactly one
//! terminal state, every published file verifies, and nothing half-written is left behind.
//!
//! A few rounds run with the other tests; `tests/run kill N` and `tests/run nodes N` run as many as asked. The seed
//! (`CARNET_CHAOS_SEED`) repeats a run's choices, though not the operating system's scheduling.

mod kill;
mod ledger;
mod nodes;

use std::time::Duration;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// Choices from a fixed sequence (SplitMix64).
struct Chance(u64);

impl Chance {
    fn seeded() -> Self {
        Self(setting("CARNET_CHAOS_SEED", 7))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    /// A pause of at least `least` and less than `most` milliseconds.
    fn pause(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }
}
