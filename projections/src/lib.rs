//! Carnet's read models, folded from the events.
//!
//! Everything here is disposable: a SQLite file for each read model, which can be thrown away while no service uses it and is then filled from
//! the event store again.
//! No decision rests on it, and it knows no person: principals are the pseudonyms of the events.
//!
//! | room | what is in it |
//! |---|---|
//! | [`exports`] | the tenants' lists of exports, and the queue |
//! | [`audit_log`] | what was asked for, refused, produced, read and deleted, per tenant |
//! | [`operations`] | counts, durations, failures and throughput of the whole service |
//! | [`worklist`] | where the dispatcher, the timers and the reconciler have to look |
//! | [`Projections`] | starts the runner that keeps them up to date; asks them; rebuilds them |
//!
//! The runner applies events in the log's order and writes each projection's checkpoint in the transaction that holds
//! their effects, so a crash neither loses nor repeats one.

pub mod audit_log;
mod database;
mod error;
pub mod exports;
mod fact;
mod handle;
mod name;
pub mod operations;
mod options;
mod projection;
mod runner;
mod status;
#[cfg(test)]
mod tests;
pub mod worklist;

pub use error::Error;
pub use handle::Projections;
pub use name::{ProjectionName, UnknownProjection};
pub use options::Options;
pub use status::{
    Behind, ProjectionStatus, Rebuilding, RunState, Status, StoredStatus, stored_status,
};
