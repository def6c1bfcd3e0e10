//! The actors as a whole, from outside: one store, a clock that tests move, a stand-in for the pipeline.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod admission;
mod causes;
mod claims;
mod clock;
mod faulty;
mod floods;
mod folded;
mod known;
mod lifecycle;
mod operators;
mod platform;
mod purge;
mod records;
mod rotation;
mod runner;
mod support;
mod time;
mod worklist;
