//! Whether this node may decide anything.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::error::Error;

const NONE: i64 = 0;

/// Closed while this node's clock can't be trusted; marks the beginning of the end at shutdown.
#[derive(Default)]
pub(crate) struct Gate {
    /// The difference to the store's clock in milliseconds while it is too large, else zero.
    skew_ms: AtomicI64,
    /// Another process serves as this node since.
    superseded: AtomicBool,
    stopping: AtomicBool,
}

impl Gate {
    /// Takes note of how far the store's clock is ahead.
    pub(crate) fn clock_differs(&self, skew_ms: Option<i64>, tolerated: Duration) {
        let tolerated = u64::try_from(tolerated.as_millis()).unwrap_or(u64::MAX);
        let skew = skew_ms.filter(|skew| skew.unsigned_abs() > tolerated);
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
        Some(self.skew_ms.load(Ordering::Relaxed)).filter(|skew| *skew != NONE)
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
}
