//! Carnet's actors: admission, export life cycle, dispatch and timers.
//!
//! Everything outside talks to [`System`]; everything the actors need from outside is a port in [`ports`].
//! Safety comes from the appends (expected revisions), never from there being one actor: any number of processes may
//! run this on one store.
//!
//! | room | what is in it |
//! |---|---|
//! | [`System`], [`Options`], [`Error`] | the handle, its settings, its refusals to work |
//! | [`ports`] | clock, ids, runner of exports, worklist |
//!
//! This crate knows no SQL driver, no cloud and no HTTP, and imports nothing of the projections.

mod api;
mod error;
mod options;
pub mod ports;
mod system;

pub use api::{
    Admission, AdmitRequest, Cause, Changes, ExportView, HistoryEntry, QueuePosition, Standing,
    TenantView, WaitReason,
};
pub use error::{Error, StartError};
pub use options::{Options, Retry};
pub use system::{Ports, System};
