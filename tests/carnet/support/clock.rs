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
    /// Goes by itself too, as it has to where another clock is compared with it.
    goes: bool,
    moved: Mutex<Duration>,
}

impl HandClock {
    /// Stands at the present.
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            began: SystemClock::new().now(),
            goes: false,
            moved: Mutex::default(),
        }
    }

    /// Goes on from the present.
    pub(crate) fn going() -> Self {
        Self {
            goes: true,
            ..Self::new()
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
        let gone = match self.goes {
            true => self.monotonic(),
            false => self.moved(),
        };
        self.began.plus(gone)
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
