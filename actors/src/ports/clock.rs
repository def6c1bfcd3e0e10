//! Time, and waiting for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use carnet_events::ids::Timestamp;

/// The one source of time. Whatever waits for a moment waits here, so that a test can move days in no time;
/// only the deadlines that guard I/O run on the runtime's own timers.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;

    /// Time since some moment before the first call; never runs backwards, whatever is done to the wall clock.
    fn monotonic(&self) -> Duration;

    /// Returns when `duration` has passed by the monotonic clock.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clocks. Sleeping needs a tokio runtime.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::EPOCH.plus(since)
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
