//! Sources of tenant data on real servers: what they give, and what happens when they don't.
#![allow(missing_docs, unreachable_pub, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "../support/postgres/mod.rs"]
mod server;

mod desk;
mod equality;
mod exactness;
mod failures;
mod interruptions;
mod large;
mod servers;
mod types;
