//! Given events, when they are applied, then rows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod board;
mod facets;
pub(crate) mod given;
mod lists;
mod log;
pub(crate) mod plans;
mod smoke;
