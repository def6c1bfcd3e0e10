//! The platform: what concerns every tenant. Stream `platform`; its first event gives the log its id.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{Digest, Incarnation, NodeId, PrincipalId};

/// The log exists from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCreated {
    /// Its id; objects in the bucket and copies of the log carry it.
    pub log: Uuid,
}

/// A process began to serve with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationApplied {
    /// The node.
    pub node: NodeId,
    /// The process.
    pub incarnation: Incarnation,
    /// SHA-256 of the effective configuration with its secrets masked.
    pub digest: Digest,
    /// The program's version.
    pub version: String,
    /// The digest of each category's policy. Left out by those who don't serve categories.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, Digest>,
}

/// A node began to serve with other keys than those before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysApplied {
    /// The node.
    pub node: NodeId,
    /// One fingerprint a key, the current one's first. They are derived from the keys and tell nothing of them.
    pub keys: Vec<Digest>,
}

/// A node found its storages to be this log's, some of them for the first time. From here on one that is empty is away, not new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoragesUsed {
    /// The node.
    pub node: NodeId,
    /// One fingerprint a storage: a digest of where it is. Those that the log didn't name before.
    pub storages: BTreeSet<Digest>,
}

/// An operator stopped or allowed the intake of requests, on all nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intake {
    /// Who.
    pub principal: PrincipalId,
}

/// An operator asked a node to finish its work and take no more, or to work again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Which node.
    pub node: NodeId,
    /// Who asked.
    pub principal: PrincipalId,
}

/// An operator had a projection filled anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildRequested {
    /// Which projection.
    pub projection: String,
    /// On which node.
    pub node: NodeId,
    /// Who asked.
    pub principal: PrincipalId,
}

/// The log was moved here although it had been moved elsewhere before: that copy was given up for lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyAbandoned {
    /// Where that copy is or was: a store's address, without user and password.
    pub place: String,
}

crate::codec::events! {
    /// Everything that concerns the whole platform.
    PlatformEvent in Platform {
        /// The log exists.
        LogCreated(LogCreated) = "log_created", 1;
        /// A process began to serve with a configuration.
        ConfigurationApplied(ConfigurationApplied) = "configuration_applied", 1;
        /// A node began to serve with other keys.
        KeysApplied(KeysApplied) = "keys_applied", 1;
        /// Storages are used for the first time.
        StoragesUsed(StoragesUsed) = "storages_used", 1;
        /// No more requests are taken.
        IntakePaused(Intake) = "intake_paused", 1;
        /// Requests are taken again.
        IntakeResumed(Intake) = "intake_resumed", 1;
        /// A node finishes its work and takes no more.
        DrainStarted(Drain) = "drain_started", 1;
        /// The node works again.
        DrainEnded(Drain) = "drain_ended", 1;
        /// A projection is filled anew.
        RebuildRequested(RebuildRequested) = "rebuild_requested", 1;
        /// Another copy of this log was given up.
        CopyAbandoned(CopyAbandoned) = "copy_abandoned", 1;
    }
}
