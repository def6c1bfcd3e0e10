//! Nodes, their store and their bucket, simulated: crashes, pauses, partitions, clock jumps, lost and late messages.
//!
//! What is simulated is everything outside of the actors' ports; the actors, the domain and the codec are the real ones.
//! Time is virtual, everything runs on one thread, and all chance comes from one seed: the same seed makes the same
//! history, byte for byte. A checker of its own looks at every event as it is appended and at every object as it comes
//! and goes; see `checker`.
//!
//! `tests/run simulation N [SEED]` runs N seeds from SEED on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod bucket;
mod chance;
mod checker;
#[path = "../actors/folded.rs"]
mod folded;
#[path = "../actors/known.rs"]
mod known;
mod line;
mod mutation;
mod node;
mod operators;
mod people;
mod power;
mod runner;
mod seeds;
mod server;
mod time;
mod trace;
mod trouble;
mod worklist;
mod world;
