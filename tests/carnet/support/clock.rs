//! A clock that stands still until a test moves it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use carnet_actors::ports::{Clock, SystemClock};
use carnet_events::ids::Timestamp;

/// How soon a sleeper notices that the clock was moved.
const LOOK: Duration = Duration::from_millis(5);

/// The time of day stands still between moves, so that a test knows every moment exactly. Sleepers sleep real time, less
/// what the clock was moved by.
pub(crate) struct HandClock {
    origin: Instant,
    began: Timestamp,
    moved: Mutex<Duration>,
}

impl HandClock {
    /// Stands at the present.
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            began: SystemClock::new().now(),
            moved: Mutex::default(),
        }
    }

    /// Moves it forward.
    pub(crate) fn advance(&self, by: Duration) {
        *self.moved.lock().unwrap() += by;
    }

    fn moved(&self) -> Duration {
        *self.moved.lock().unwrap()
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        self.began.plus(self.moved())
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed() + self.moved()
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.monotonic() + duration;
        while let Some(left) = until.checked_sub(self.monotonic()).filter(|d| !d.is_zero()) {
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
}
