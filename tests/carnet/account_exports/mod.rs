//! `/api/account-exports`, as its users meet it: the files mirror the addresses.

mod access_changed;
mod artifact;
mod cancel;
mod catalog;
mod create;
mod damage;
mod download;
mod events;
mod history;
mod idempotency;
mod limits;
mod link;
mod list;
pub(crate) mod not_found;
mod policies;
mod wire;

/// Nobody counts this far: an export of such a category runs until it is cancelled.
pub(crate) const FOREVER: u64 = 1 << 50;
