//! What the actors need from outside: time, ids, somebody who runs exports, and a hint where work lies.
//!
//! The composition root implements these; tests put stand-ins in their place. Nothing behind a port decides
//! anything: every decision is made from a stream and proven by an append.

mod clock;
mod ids;
mod runner;
mod worklist;

pub use clock::{Clock, SystemClock};
pub use ids::{Ids, RandomIds};
pub use runner::{
    Job, ObjectFailure, RunFailure, RunOutput, Runner, SweepJudge, SweepReport, Verdict,
};
pub use worklist::{
    Due, DueAction, Mark, OpenAdmission, Page, Queued, Running, Unreleased, Worklist, WorklistError,
};
