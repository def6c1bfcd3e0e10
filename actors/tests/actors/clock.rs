//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use carnet_actors::ports::Clock;
use carnet_events::ids::Timestamp;
use tokio::sync::watch;

/// Starts at a fixed moment. Clones are one clock.
#[derive(Clone)]
pub struct TestClock {
    elapsed: watch::Sender<Duration>,
    /// How far the wall clock was set ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl TestClock {
    pub fn new() -> Self {
        Self {
            elapsed: watch::Sender::new(Duration::ZERO),
            ahead: Arc::default(),
        }
    }

    /// Sets the wall clock, and nothing else, so far ahead of what it should show.
    pub fn set_ahead(&self, millis: i64) {
        self.ahead.store(millis, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::SeqCst);
        Timestamp::from_millis(1_794_650_523_000 + ahead).plus(*self.elapsed.borrow())
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let mut elapsed = self.elapsed.subscribe();
        let end = *elapsed.borrow() + duration;
        let _ = elapsed.wait_for(|now| *now >= end).await;
    }
}
