//! When something happened that is recorded for the whole platform.
//!
//! Decisions are dated by this node's clock once it was found to be right. What a process records as it starts can't wait for that, and every later
//! event of the stream, whoever writes it, is dated no earlier. So it is dated by the store's clock, which all nodes go by.

use carnet_events::ids::Timestamp;
use carnet_events::store::StoreHealth;

/// The present by the store's clock, or by this node's, which shows `now`, where the store has none; never before `last`, when the stream's last event
/// happened.
pub(crate) fn at(health: StoreHealth, now: Timestamp, last: Option<Timestamp>) -> Timestamp {
    let ahead = health.clock_skew_ms.unwrap_or_default();
    let now = Timestamp::from_millis(now.as_millis().saturating_add(ahead));
    last.map_or(now, |last| now.max(last))
}
