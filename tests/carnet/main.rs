//! Black-box tests of the service, one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../support/postgres/mod.rs"]
mod postgres;

mod account_exports;
mod audit_log;
mod auth;
mod chaos;
mod command_line;
mod config;
mod deploy;
mod faults;
mod logs;
mod mixed_versions;
mod moving;
mod nodes;
mod operator;
mod pages;
mod s3;
mod sessions;
mod support;
mod tidy;
mod verify;
