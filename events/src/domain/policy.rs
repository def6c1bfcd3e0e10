//! Policies: what a digest meant. Each is published once, whole, to its own stream `policy-{digest}`.

use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// A compiled category policy became known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPublished {
    /// SHA-256 of the document.
    pub digest: Digest,
    /// The category it is the policy of.
    pub category: String,
    /// The policy as canonical JSON (RFC 8785); its bytes are what was digested.
    pub document: String,
}

crate::codec::events! {
    /// Everything that can happen to a policy.
    PolicyEvent in Policy {
        /// It became known.
        Published(PolicyPublished) = "policy_published", 1;
    }
}
