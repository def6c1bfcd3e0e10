//! What is known of an export after some prefix of its stream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{
    CategoryResult, DeletionCause, LinksRevoked, Parameters, Phase, PublishedArtifact, Started,
};
use crate::domain::request::Request;
use crate::ids::{Incarnation, NodeId, PrincipalId, Timestamp};

/// The state of the decider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportState {
    /// The stream has no event that makes an export.
    Missing,
    /// The export exists.
    Present(Box<Export>),
}

impl ExportState {
    /// The export, if it exists.
    pub fn export(&self) -> Option<&Export> {
        match self {
            Self::Missing => None,
            Self::Present(export) => Some(export),
        }
    }
}

/// One export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// What was asked for.
    pub request: Request,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Time of the newest event.
    pub updated_at: Timestamp,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// Where it stands.
    pub stage: Stage,
    /// Number of the newest attempt; 0 before the first.
    pub attempt: u32,
    /// Attempts that failed.
    pub failures: u32,
    /// Attempts that were lost.
    pub losses: u32,
    /// Under a legal hold.
    pub held: bool,
    /// What became of the published file.
    pub deletion: Deletion,
    /// The stored file was found damaged, and not found to be whole again since.
    pub damaged: bool,
    /// Index of the stored block that was found damaged, if it was a block.
    #[serde(default)]
    pub damaged_block: Option<u64>,
    /// It is the document that was found damaged, in blocks that are whole.
    #[serde(default)]
    pub damaged_document: bool,
    /// How often download links were taken back.
    pub revocations: Revocations,
}

/// Revocations of an export's links after which it has none any more: each is an event, and nobody needs so many.
pub const MAX_REVOCATIONS: u64 = 1_000;

/// How often download links were taken back. A link carries the number that counted for its holder when it was handed
/// out, and works for as long as that number stands: no clock has a say in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    all: u64,
    everybodys: u64,
    /// Of one person's links. Only those who may see the export are in it.
    of: BTreeMap<PrincipalId, u64>,
}

impl Revocations {
    /// Those that end links of `principal`; `None`: so many that no link works, nor ever will.
    pub fn of(&self, principal: &PrincipalId) -> Option<u64> {
        let own = self.of.get(principal).copied().unwrap_or_default();
        let count = self.everybodys.saturating_add(own);
        (self.all < MAX_REVOCATIONS).then_some(count)
    }

    /// Whether no link works, nor ever will.
    pub fn is_final(&self) -> bool {
        self.all >= MAX_REVOCATIONS
    }

    pub(super) fn add(&mut self, revoked: &LinksRevoked) {
        let count = match &revoked.of {
            None => &mut self.everybodys,
            Some(principal) => self.of.entry(principal.clone()).or_default(),
        };
        *count = count.saturating_add(1);
        self.all = self.all.saturating_add(1);
    }
}

/// Where an export stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Waits for a worker.
    Queued {
        /// Since when.
        since: Timestamp,
        /// Not to be started before; `None`: at once.
        not_before: Option<Timestamp>,
        /// Why the attempt before failed, if one did.
        last_failure: Option<String>,
    },
    /// A node works on it.
    Running(Attempt),
    /// The file can be downloaded.
    Completed(Published),
    /// The download window has closed.
    Expired(Published),
    /// It could not be made.
    Failed(Ending),
    /// Somebody stopped it.
    Cancelled(Ending),
}

/// A running attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The claim.
    pub claim: Started,
    /// When it began.
    pub started_at: Timestamp,
    /// The newest sign of life.
    pub alive_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
}

impl Attempt {
    /// Whether this very claim is `attempt` of `incarnation` on `node`.
    pub fn is_of(&self, attempt: u32, node: NodeId, incarnation: Incarnation) -> bool {
        self.claim.attempt == attempt
            && self.claim.node == node
            && self.claim.incarnation == incarnation
    }
}

/// How far a running attempt is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The step.
    pub phase: Phase,
    /// The category being read, if any.
    pub category: Option<String>,
    /// Rows so far.
    pub rows: u64,
    /// Bytes of JSON so far.
    pub bytes: u64,
}

impl Progress {
    /// Nothing yet.
    pub const START: Self = Self {
        phase: Phase::Preparing,
        category: None,
        rows: 0,
        bytes: 0,
    };
}

/// A published artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The attempt that made it.
    pub attempt: u32,
    /// When it was published.
    pub at: Timestamp,
    /// The file.
    pub artifact: PublishedArtifact,
    /// What each category came to.
    pub categories: BTreeMap<String, CategoryResult>,
    /// End of the download window; `None`: no end.
    pub expires_at: Option<Timestamp>,
    /// When `expired` was recorded.
    pub expired_at: Option<Timestamp>,
}

impl Published {
    /// Whether the download window is over at `now`, recorded or not.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expired_at.is_some() || self.expires_at.is_some_and(|end| now >= end)
    }
}

/// How an export ended without a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// Why, as a code.
    pub code: String,
    /// What the code's explanation is filled with.
    pub parameters: Parameters,
    /// Who ended it; `None`: the service.
    pub by: Option<PrincipalId>,
}

/// What became of a published file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletion {
    /// Nothing.
    Kept,
    /// Deletion has begun and is repeated until it is done.
    Started {
        /// When.
        at: Timestamp,
        /// Why.
        cause: DeletionCause,
    },
    /// The file is gone.
    Done {
        /// When.
        at: Timestamp,
        /// Why.
        cause: DeletionCause,
    },
}

/// The six statuses, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted, waits to run.
    Queued,
    /// Being made.
    Running,
    /// Can be downloaded.
    Completed,
    /// Could not be made.
    Failed,
    /// Stopped by somebody.
    Cancelled,
    /// Its download window has closed.
    Expired,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Its name on every surface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

/// Not the name of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a status is one of queued, running, completed, failed, cancelled, expired")]
pub struct UnknownStatus;

/// How an export was settled: the permanent result that frees its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With a file.
    Completed,
    /// Without one.
    Failed,
    /// Stopped by somebody.
    Cancelled,
}

impl Export {
    /// The status by the events alone. At the end of a download window it stays `completed` until `expired`
    /// is recorded; see [`Export::status_at`].
    pub fn status(&self) -> Status {
        match &self.stage {
            Stage::Queued { .. } => Status::Queued,
            Stage::Running(_) => Status::Running,
            Stage::Completed(_) => Status::Completed,
            Stage::Expired(_) => Status::Expired,
            Stage::Failed(_) => Status::Failed,
            Stage::Cancelled(_) => Status::Cancelled,
        }
    }

    /// The status that a reader is shown at `now`: a file whose window is over counts as expired at once.
    pub fn status_at(&self, now: Timestamp) -> Status {
        match &self.stage {
            Stage::Completed(published) if published.is_over(now) => Status::Expired,
            Stage::Queued { .. }
            | Stage::Running(_)
            | Stage::Completed(_)
            | Stage::Expired(_)
            | Stage::Failed(_)
            | Stage::Cancelled(_) => self.status(),
        }
    }

    /// How it was settled, if it is.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.stage {
            Stage::Queued { .. } | Stage::Running(_) => None,
            Stage::Completed(_) | Stage::Expired(_) => Some(Outcome::Completed),
            Stage::Failed(_) => Some(Outcome::Failed),
            Stage::Cancelled(_) => Some(Outcome::Cancelled),
        }
    }

    /// The artifact, published and perhaps expired.
    pub fn published(&self) -> Option<&Published> {
        match &self.stage {
            Stage::Completed(published) | Stage::Expired(published) => Some(published),
            Stage::Queued { .. } | Stage::Running(_) | Stage::Failed(_) | Stage::Cancelled(_) => {
                None
            }
        }
    }

    /// The running attempt, if one runs.
    pub fn running(&self) -> Option<&Attempt> {
        match &self.stage {
            Stage::Running(attempt) => Some(attempt),
            Stage::Queued { .. }
            | Stage::Completed(_)
            | Stage::Expired(_)
            | Stage::Failed(_)
            | Stage::Cancelled(_) => None,
        }
    }

    /// When it was settled.
    pub fn finished_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Queued { .. } | Stage::Running(_) => None,
            Stage::Completed(published) | Stage::Expired(published) => Some(published.at),
            Stage::Failed(ending) | Stage::Cancelled(ending) => Some(ending.at),
        }
    }
}
