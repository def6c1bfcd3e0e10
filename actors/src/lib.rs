//! Carnet's actors: admission, export life cycle, dispatch and timers.
//!
//! Everything outside talks to [`System`]; everything the actors need from outside is a port in [`ports`].
//! Safety comes from the appends (expected revisions), never from there being one actor: any number of processes may
//! run this on one store.
//!
//! | room | what is in it |
//! |---|---|
//! | [`System`], [`Options`], [`Error`], `api` | the handle, its settings, its refusals to work, what goes in and out |
//! | [`ports`] | clock, ids, runner of exports, worklist |
//! | `shared`, `gate`, `log`, `key_check` | what all parts have in common; whether this node may decide; the log's id and keys |
//! | `journal`, `calls` | load, decide, append, evolve; calls with deadlines |
//! | `export`, `tenant`, `registry`, `thread` | the actors of the two aggregates, and what brings them to life |
//! | `admission`, `reconciler` | two streams without a transaction, and what makes up for a crash between them |
//! | `dispatcher`, `queue`, `attempt`, `live`, `takeover` | who runs what, in fair order, and what if a runner is gone |
//! | `timers`, `purge`, `sweep`, `rounds`, `rotation` | what is done because its time has come |
//! | `access`, `directory`, `platform` | records that decide nothing, persons, and what concerns every tenant |
//! | `changes` | telling those who follow an export |
//!
//! This crate knows no SQL driver, no cloud and no HTTP, and imports nothing of the projections.

mod access;
mod admission;
mod api;
mod attempt;
mod calls;
mod changes;
mod dating;
mod directory;
mod dispatcher;
mod error;
mod export;
mod folded;
mod gate;
mod journal;
mod key_check;
mod live;
mod log;
mod options;
mod platform;
pub mod ports;
mod purge;
mod queue;
mod reconciler;
mod registry;
mod rotation;
mod rounds;
mod shared;
mod storage_check;
mod sweep;
mod system;
mod takeover;
mod tenant;
mod thread;
mod timers;

pub use api::{
    Admission, AdmitRequest, Cause, Changes, ExportView, HistoryEntry, KnownNode, Order,
    PlatformEntry, PlatformView, QueuePosition, Since, Standing, TenantView, WaitReason, Written,
};
pub use error::{Error, StartError};
pub use key_check::{Keys, apply_keys};
pub use log::log_id;
pub use options::{Options, Retry};
pub use platform::publish_policies;
pub use storage_check::{record_storages, used_storages};
pub use system::{Ports, System};
