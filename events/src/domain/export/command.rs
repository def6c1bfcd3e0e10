//! What can be asked of an export, and what is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{CategoryResult, DeletionCause, Parameters, PublishedArtifact};
use super::state::{Progress, Status};
use crate::domain::request::Request;
use crate::ids::{Digest, Incarnation, NodeId, PrincipalId, Timestamp};

/// Lost attempts after which an export fails: something about it brings its nodes down.
pub const MAX_LOSSES: u32 = 10;

/// A command to one export.
#[derive(Debug, Clone, PartialEq)]
pub enum ExportCommand {
    /// Queue it, exactly as it was admitted. Repeating it is harmless.
    Request(Request),
    /// Take it from the queue and run it.
    Start(Claim),
    /// Take it from a runner that is gone. The ground is the asker's to establish.
    TakeOver {
        /// The attempt that is lost.
        lost: u32,
        /// Why it counts as lost.
        ground: LostGround,
        /// The new claim.
        claim: Claim,
    },
    /// Show a sign of life and the counts so far.
    Progress(Runner, Progress),
    /// Publish the artifact.
    Complete {
        /// Who made it.
        runner: Runner,
        /// The file.
        artifact: PublishedArtifact,
        /// What each category came to.
        categories: BTreeMap<String, CategoryResult>,
        /// End of the download window, as the manifest says; `None`: no end.
        expires_at: Option<Timestamp>,
    },
    /// The attempt failed.
    FailAttempt(Runner, Failure),
    /// The node stops and gives the export back.
    HandBack(Runner),
    /// Send it back to the queue, to be started at once: a running attempt ends, whatever its runner does.
    Requeue {
        /// Who asks.
        principal: PrincipalId,
    },
    /// Fail a queued or running export for a reason that lies outside its attempts.
    Abort {
        /// Why, as a code.
        code: String,
        /// What the code's explanation is filled with.
        parameters: Parameters,
        /// The operator who asks; `None`: the service itself.
        principal: Option<PrincipalId>,
    },
    /// Stop it.
    Cancel {
        /// Who asks.
        principal: PrincipalId,
        /// Why, as a code.
        code: String,
    },
    /// Record that the download window is over.
    Expire,
    /// Put a legal hold.
    Hold {
        /// Who asks.
        principal: PrincipalId,
    },
    /// End the legal hold.
    ReleaseHold {
        /// Who asks.
        principal: PrincipalId,
    },
    /// Begin to delete the file.
    StartDeletion {
        /// Why.
        cause: DeletionCause,
    },
    /// Record that the file is gone.
    RecordDeletion,
    /// Record that the stored file is not what was published.
    RecordDamage {
        /// Index of the damaged block, if one was found.
        block: Option<u64>,
        /// Whether the blocks are whole, and the document in them isn't.
        document: bool,
    },
    /// Record that the stored file, which had been found damaged, is what was published again.
    RecordRestoration,
    /// End the download links that were handed out until now.
    RevokeLinks {
        /// Who asks.
        principal: PrincipalId,
        /// Whose links; `None`: everybody's.
        of: Option<PrincipalId>,
    },
}

/// A claim of an export by a process.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The node.
    pub node: NodeId,
    /// The process.
    pub incarnation: Incarnation,
    /// How long the claim holds without a sign of life.
    pub lease: Duration,
    /// The policies it will run under.
    pub policy_digests: BTreeMap<String, Digest>,
    /// What to do when attempts keep being lost.
    pub back_off: BackOff,
}

/// How long an export waits after lost attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Losses that are taken over at once.
    pub free_losses: u32,
    /// The wait after the next one; doubles with each further loss.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl BackOff {
    /// When an export that has lost `losses` attempts may start again; `None`: at once.
    pub fn retry_at(&self, losses: u32, now: Timestamp) -> Option<Timestamp> {
        let beyond = losses.checked_sub(self.free_losses.saturating_add(1))?;
        let factor = 1u32.checked_shl(beyond).unwrap_or(u32::MAX);
        Some(now.plus(self.first.saturating_mul(factor).min(self.longest)))
    }
}

/// Why a running attempt counts as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostGround {
    /// It belongs to an earlier process of the claiming node, which holds the data directory alone.
    OwnEarlierIncarnation,
    /// Two direct reads more than a lease apart saw no sign of life.
    LeaseLapsed,
}

/// The runner that a report comes from; a report of any other than the current one is fenced off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runner {
    /// Its attempt.
    pub attempt: u32,
    /// Its node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
}

/// Why an attempt failed, and what may follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Why, as a code.
    pub code: String,
    /// What the code's explanation is filled with.
    pub parameters: Parameters,
    /// Whether another attempt can help, and how long it must wait from when the failure is recorded; `None`: it can't.
    pub retry_after: Option<Duration>,
    /// Failed attempts after which the export fails.
    pub max_attempts: u32,
}

/// What an allowed command is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    Done,
    /// Nothing to do: it is so already.
    Unchanged,
    /// The attempt is the asker's to run.
    Claimed {
        /// Its number.
        attempt: u32,
    },
    /// The export went back to the queue, or failed, instead of being claimed.
    NotClaimed,
}

/// A command that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalCommand {
    /// There is no such export.
    #[error("there is no such export")]
    Missing,
    /// The id belongs to another request.
    #[error("the export exists with another request")]
    AlreadyRequested,
    /// Another attempt, or none, is the current one.
    #[error("the report is of attempt {reported}, the export is {status} at attempt {current}")]
    Fenced {
        /// The attempt the report came from.
        reported: u32,
        /// The newest attempt.
        current: u32,
        /// Where the export stands.
        status: Status,
    },
    /// It is not in the queue, or not due yet.
    #[error("the export is {status} and can't be started now")]
    NotStartable {
        /// Where the export stands.
        status: Status,
    },
    /// The ground for a takeover does not hold.
    #[error("the running attempt is not lost")]
    NotLost,
    /// It has been settled another way.
    #[error("the export is {status} and can't be cancelled")]
    NotCancellable {
        /// Where the export stands.
        status: Status,
    },
    /// It has been settled already.
    #[error("the export is {status} already")]
    Settled {
        /// Where the export stands.
        status: Status,
    },
    /// Its download window is not over.
    #[error("the download window is not over")]
    NotDue,
    /// It has no file.
    #[error("the export is {status} and has no file")]
    NoArtifact {
        /// Where the export stands.
        status: Status,
    },
    /// A legal hold forbids it.
    #[error("the export is under a legal hold")]
    OnHold,
    /// Deletion has begun: a hold comes too late.
    #[error("the file's deletion has begun")]
    DeletionStarted,
    /// Deletion has not begun.
    #[error("the file's deletion has not begun")]
    DeletionNotStarted,
}
