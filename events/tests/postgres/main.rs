//! What has to do with PostgreSQL, on a real one.
#![allow(missing_docs, unreachable_pub, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "../../../tests/support/postgres/mod.rs"]
mod server;

mod conformance;
mod connect;
mod crash;
mod guards;
mod heads;
mod nodes;
mod pooled;
mod refusals;
mod roles;
mod settings;
mod support;
mod tls;
