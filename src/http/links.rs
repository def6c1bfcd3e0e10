//! Download links: sealed, short-lived, bound to the one who asked for them.
//!
//! A link is AES-256-GCM over everything its use must be checked against, so it needs no store, works on every node,
//! and tells its holder nothing. It ends with its time, with its issuer's token or session, and when it is revoked.

use carnet_events::ids::{Digest, ExportId, PrincipalId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::SessionKey;
use crate::keys::{KeyRing, Purpose};
use crate::sealed::Kind;

const KIND: Kind = Kind {
    purpose: Purpose::Links,
    label: "carnet download link 2",
    max_bytes: 2_048,
};

/// What a link stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    /// Names it in the audit log.
    pub(super) id: Uuid,
    pub(super) export: ExportId,
    pub(super) tenant: TenantId,
    pub(super) principal: PrincipalId,
    /// The role that admitted its issuer.
    pub(super) role: String,
    /// Digest of the permissions the export's categories needed, which its issuer had.
    pub(super) permissions: Digest,
    /// The session it was asked for in; it ends with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<SessionKey>,
    /// The revocations that had ended its holder's links when it was made; one more ends this one.
    pub(super) revocations: u64,
    pub(super) expires_at: Timestamp,
}

/// Seals a link; `None` when the cryptographic library or the system's randomness fails.
pub(super) fn seal(link: &Link, keys: &KeyRing) -> Option<String> {
    KIND.seal(link, keys)
}

/// Opens a link that is still in time; `None` for anything else.
pub(super) fn open(token: &str, keys: &KeyRing, now: Timestamp) -> Option<Link> {
    KIND.open(token, keys)
        .filter(|link: &Link| now < link.expires_at)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            id: Uuid::from_u128(1),
            export: ExportId::from_uuid(Uuid::from_u128(2)),
            tenant: TenantId::new("acme").unwrap(),
            principal: PrincipalId::new("p").unwrap(),
            role: "client_admin".to_owned(),
            permissions: Digest::from_bytes([7; 32]),
            session: None,
            revocations: 0,
            expires_at: Timestamp::from_millis(2_000),
        }
    }

    #[test]
    fn a_link_opens_in_time_only() {
        let keys = KeyRing::ephemeral().unwrap();
        let token = seal(&link(), &keys).unwrap();
        assert_eq!(
            open(&token, &keys, Timestamp::from_millis(1_999)),
            Some(link())
        );
        assert_eq!(open(&token, &keys, Timestamp::from_millis(2_000)), None);
        assert_eq!(open("x.y", &keys, Timestamp::EPOCH), None);
    }
}
