//! Whether this node may decide anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::error::Error;
use crate::ports::Clock;

/// No difference, or nothing to measure one by.
const NONE: i64 = 0;

/// Closed while this node's clock can't be trusted; marks the beginning of the end at shutdown.
///
/// Every round the clock is held against the store's. Between two rounds it is held against the machine's monotonic clock:
/// a clock that jumps is found out before it dates a single decision, not some seconds and decisions later.
pub(crate) struct Gate {
    clock: Arc<dyn Clock>,
    /// The difference that is put up with, in milliseconds.
    tolerated: u64,
    /// The difference to the store's clock in milliseconds while it is too large, else [`NONE`].
    skew_ms: AtomicI64,
    /// How far the wall clock would be ahead of the monotonic one if it went as the store's does, as of the last look at that;
    /// [`NONE`]: the store has no clock, so there is nothing to go by.
    right_lead_ms: AtomicI64,
    /// The store has been asked for its clock, and has answered.
    looked: AtomicBool,
    /// Another process serves as this node since.
    superseded: AtomicBool,
    stopping: AtomicBool,
}

impl Gate {
    pub(crate) fn new(clock: Arc<dyn Clock>, tolerated: Duration) -> Self {
        Self {
            clock,
            tolerated: u64::try_from(tolerated.as_millis()).unwrap_or(u64::MAX),
            skew_ms: AtomicI64::new(NONE),
            right_lead_ms: AtomicI64::new(NONE),
            looked: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        }
    }

    /// Takes note of how far the store's clock is ahead; `None`: it has none.
    pub(crate) fn clock_differs(&self, skew_ms: Option<i64>) {
        let right = skew_ms.map_or(NONE, |skew| self.lead().saturating_add(skew));
        self.right_lead_ms.store(right, Ordering::Relaxed);
        self.looked.store(true, Ordering::Relaxed);
        let skew = skew_ms.filter(|skew| self.is_too_much(*skew));
        let before = self.skew_ms.swap(skew.unwrap_or(NONE), Ordering::Relaxed);
        match skew {
            Some(skew_ms) if before == NONE => {
                tracing::error!(skew_ms, "this node's clock is wrong; it stops deciding");
            }
            None if before != NONE => tracing::info!("this node's clock is right again"),
            Some(_) | None => {}
        }
    }

    /// The difference that keeps this node from deciding.
    pub(crate) fn skew(&self) -> Option<i64> {
        let known = Some(self.skew_ms.load(Ordering::Relaxed)).filter(|skew| *skew != NONE);
        known.or_else(|| self.jump())
    }

    /// Another process began to serve as this node: closes for good.
    pub(crate) fn supersede(&self) {
        if !self.superseded.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "another process serves as this node, so this one stops deciding; give each its own data directory, and delete `node` in one that was copied"
            );
        }
    }

    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Relaxed)
    }

    /// Fails while no decision may be taken.
    pub(crate) fn may_decide(&self) -> Result<(), Error> {
        if self.is_superseded() {
            return Err(Error::Superseded);
        }
        if !self.looked.load(Ordering::Relaxed) {
            return Err(Error::unavailable("it has not answered since the start"));
        }
        match self.skew() {
            None => Ok(()),
            Some(skew_ms) => Err(Error::ClockSkewed { skew_ms }),
        }
    }

    /// From here on nothing new is taken in; what runs may still report.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// How far the store's clock must be ahead by now, if that is too much.
    fn jump(&self) -> Option<i64> {
        let right = self.right_lead_ms.load(Ordering::Relaxed);
        let jump = right.saturating_sub(self.lead());
        Some(jump).filter(|jump| right != NONE && self.is_too_much(*jump))
    }

    fn is_too_much(&self, difference: i64) -> bool {
        difference.unsigned_abs() > self.tolerated
    }

    fn lead(&self) -> i64 {
        let monotonic = i64::try_from(self.clock.monotonic().as_millis()).unwrap_or(i64::MAX);
        self.clock.now().as_millis().saturating_sub(monotonic)
    }
}
