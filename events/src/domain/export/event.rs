//! What can happen to an export. Each struct is the data of one event type as it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::request::Request;
use crate::ids::{Digest, Incarnation, NodeId, PrincipalId, Timestamp};

/// Safe values that a failure's explanation is filled with, such as the name of a category or a column.
/// Never a value from the data, an address or a database's own words.
pub type Parameters = BTreeMap<String, String>;

/// An attempt began: its number fences every later write of its runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Counts from 1; higher than that of every earlier attempt.
    pub attempt: u32,
    /// The node that claimed it.
    pub node: NodeId,
    /// The process on that node.
    pub incarnation: Incarnation,
    /// How long the claim holds without a sign of life, in milliseconds.
    pub lease_ms: u64,
    /// The policies this attempt runs under.
    pub policy_digests: BTreeMap<String, Digest>,
}

/// The step an attempt is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Opening the sources and fixing the snapshot.
    Preparing,
    /// Reading rows.
    Reading,
    /// Writing the last bytes and making them durable.
    Storing,
}

/// A sign of life with the counts so far; it also renews the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progressed {
    /// The attempt that is alive.
    pub attempt: u32,
    /// The step it is at.
    pub phase: Phase,
    /// The category being read, if any.
    pub category: Option<String>,
    /// Rows written so far.
    pub rows: u64,
    /// Bytes of JSON written so far.
    pub bytes: u64,
}

/// An attempt failed, and another may follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// Which.
    pub attempt: u32,
    /// Why, as a code.
    pub code: String,
    /// What the code's explanation is filled with.
    pub parameters: Parameters,
    /// Not to be started again before.
    pub retry_at: Timestamp,
}

/// An attempt's runner is gone; whatever it still does is void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLost {
    /// Which.
    pub attempt: u32,
    /// Not to be started again before; absent when it may start at once.
    pub retry_at: Option<Timestamp>,
}

/// A node that is stopping gave the export back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedBack {
    /// The attempt that ends with it.
    pub attempt: u32,
}

/// The published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedArtifact {
    /// The object's key, unique to the attempt and its claim.
    pub key: String,
    /// Size of the stored file in bytes.
    pub bytes: u64,
    /// SHA-256 of the stored file.
    pub sha256: Digest,
    /// Media type of the stored file.
    pub media_type: String,
    /// Size of the JSON document in bytes.
    pub json_bytes: u64,
    /// SHA-256 of the JSON document.
    pub json_sha256: Digest,
    /// The manifest's checksum: SHA-256 over the document with that field blanked.
    pub checksum: Digest,
    /// Digest of the list of block digests that every read is checked against.
    pub blocks_root: Digest,
}

/// What one category came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryResult {
    /// Rows in the file.
    pub rows: u64,
    /// The moment of the snapshot they were read from.
    pub read_at: Timestamp,
    /// The policy they were read under.
    pub policy_digest: Digest,
}

/// The artifact is whole, durable and published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// The attempt that made it.
    pub attempt: u32,
    /// The file.
    pub artifact: PublishedArtifact,
    /// What each category came to.
    pub categories: BTreeMap<String, CategoryResult>,
    /// End of the download window; `None`: no end.
    pub expires_at: Option<Timestamp>,
}

/// The export could not be made safely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The last attempt; `None` when none ever started.
    pub attempt: Option<u32>,
    /// Why, as a code.
    pub code: String,
    /// What the code's explanation is filled with.
    pub parameters: Parameters,
    /// The operator who failed it; `None`: the service itself. Not in version 1.
    pub principal: Option<PrincipalId>,
}

/// An operator sent it back to the queue: a running attempt ends with it, a waiting export need not wait any longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requeued {
    /// The newest attempt; whatever its runner still does is void.
    pub attempt: u32,
    /// Who.
    pub principal: PrincipalId,
}

/// Somebody stopped it before it was finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Who.
    pub principal: PrincipalId,
    /// Why, as a code.
    pub code: String,
}

/// The download window closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {}

/// A legal hold: the file must not be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Who put it.
    pub principal: PrincipalId,
}

/// The hold ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldReleased {
    /// Who released it.
    pub principal: PrincipalId,
}

/// Why a file is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionCause {
    /// Its download window closed.
    Expired,
    /// Its tenant is being purged.
    Purged,
    /// An operator asked for it.
    Operator,
}

/// The file is about to be deleted: from here on a hold comes too late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionStarted {
    /// Why.
    pub cause: DeletionCause,
}

/// The file is gone: the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactDeleted {
    /// Which object.
    pub key: String,
    /// What its bytes were.
    pub sha256: Digest,
    /// How many they were.
    pub bytes: u64,
    /// Why.
    pub cause: DeletionCause,
}

/// The stored file is not what was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactDamaged {
    /// Index of the first stored block found damaged; `None` when the file or its block list is missing or unreadable, or the
    /// document in it is.
    pub block: Option<u64>,
    /// Every block is as published, but the document in them isn't.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub document: bool,
}

/// What had been found damaged is as it was published again: somebody put the file back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRestored {}

/// Download links that were handed out until now have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinksRevoked {
    /// Who took them back.
    pub principal: PrincipalId,
    /// Whose links; `None`: everybody's.
    pub of: Option<PrincipalId>,
}

crate::codec::events! {
    /// Everything that can happen to an export.
    ExportEvent in Export {
        /// The request was admitted and waits for a worker.
        Requested(Request) = "requested", 1;
        /// An attempt began.
        Started(Started) = "started", 1;
        /// A sign of life.
        Progressed(Progressed) = "progressed", 1;
        /// An attempt failed, and another may follow.
        AttemptFailed(AttemptFailed) = "attempt_failed", 2;
        /// An attempt's runner is gone.
        AttemptLost(AttemptLost) = "attempt_lost", 1;
        /// A stopping node gave the export back.
        HandedBack(HandedBack) = "handed_back", 1;
        /// An operator sent it back to the queue.
        Requeued(Requeued) = "requeued", 1;
        /// The artifact is published.
        Completed(Completed) = "completed", 1;
        /// The export could not be made safely.
        Failed(Failed) = "failed", 2;
        /// Somebody stopped it.
        Cancelled(Cancelled) = "cancelled", 1;
        /// The download window closed.
        Expired(Expired) = "expired", 1;
        /// A legal hold was put.
        Held(Held) = "held", 1;
        /// The hold ended.
        HoldReleased(HoldReleased) = "hold_released", 1;
        /// The file is about to be deleted.
        DeletionStarted(DeletionStarted) = "deletion_started", 1;
        /// The file is gone.
        ArtifactDeleted(ArtifactDeleted) = "artifact_deleted", 1;
        /// The stored file is not what was published.
        ArtifactDamaged(ArtifactDamaged) = "artifact_damaged", 1;
        /// The stored file is what was published again.
        ArtifactRestored(ArtifactRestored) = "artifact_restored", 1;
        /// Download links have ended.
        LinksRevoked(LinksRevoked) = "links_revoked", 1;
    }
}
