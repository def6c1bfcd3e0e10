//! The projections from outside: over any history, read in any pieces and after any interruption, they come to the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod crash;
mod files;
mod flaky;
mod history;
mod rebuild;
mod seen;
