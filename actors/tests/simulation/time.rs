//! Virtual time: the runtime's paused clock, and the nodes' clocks, which are wrong in their own ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use carnet_actors::ports::Clock;
use carnet_events::ids::Timestamp;
use tokio::time::Instant;

use crate::power::Power;

const BEGINNING: Timestamp = Timestamp::from_millis(1_794_650_523_000);

/// Time as it is; the store's clock shows it.
#[derive(Clone, Copy)]
pub struct Time {
    origin: Instant,
}

impl Time {
    pub fn begin() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    pub fn now(&self) -> Timestamp {
        BEGINNING.plus(self.elapsed())
    }
}

/// How far a node's wall clock is off, in milliseconds. It outlives the node's processes.
#[derive(Clone, Default)]
pub struct Skew(Arc<AtomicI64>);

impl Skew {
    pub fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }

    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The clocks of a process.
#[derive(Clone)]
pub struct NodeClock {
    pub time: Time,
    pub skew: Skew,
    pub power: Power,
}

#[async_trait]
impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.time.now().as_millis() + self.skew.get())
    }

    fn monotonic(&self) -> Duration {
        self.time.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
        self.power.gate().await;
    }
}
