//! Download links: sealed, short-lived, bound to the one who asked for them.
//!
//! A link is AES-256-GCM over everything its use must be checked against, so it needs no store, works on every node,
//! and tells its holder nothing. It ends with its time, with its issuer's token, and when it is revoked.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use carnet_events::ids::{Digest, ExportId, PrincipalId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keys::{DerivedKey, KeyRing, Purpose};

/// What the seal also covers: links of another kind or version don't open.
const KIND: &[u8] = b"carnet download link 2";
/// Longer ones aren't ours.
const MAX_BYTES: usize = 2_048;

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
    /// The revocations that had ended its holder's links when it was made; one more ends this one.
    pub(super) revocations: u64,
    pub(super) expires_at: Timestamp,
}

/// Seals a link; `None` when the cryptographic library or the system's randomness fails.
pub(super) fn seal(link: &Link, keys: &KeyRing) -> Option<String> {
    let key = aead(&keys.current(Purpose::Links).ok()?)?;
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).ok()?;
    let mut sealed = serde_json::to_vec(link).ok()?;
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(KIND),
        &mut sealed,
    )
    .ok()?;
    let mut token = nonce.to_vec();
    token.append(&mut sealed);
    Some(format!("{}.{}", keys.current_id(), BASE64.encode(token)))
}

/// Opens a link that is still in time; `None` for anything else.
pub(super) fn open(token: &str, keys: &KeyRing, now: Timestamp) -> Option<Link> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let (key_id, sealed) = token.split_once('.')?;
    let mut sealed = BASE64.decode(sealed).ok()?;
    let key = aead(&keys.with_id(key_id, Purpose::Links)?)?;
    let (nonce, body) = sealed.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let plain = key.open_in_place(nonce, Aad::from(KIND), body).ok()?;
    let link: Link = serde_json::from_slice(plain).ok()?;
    (now < link.expires_at).then_some(link)
}

fn aead(key: &DerivedKey) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key)
        .ok()
        .map(LessSafeKey::new)
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
            revocations: 3,
            expires_at: Timestamp::from_millis(2_000),
        }
    }

    #[test]
    fn a_link_opens_in_time_and_unchanged_only() {
        let keys = KeyRing::ephemeral().unwrap();
        let token = seal(&link(), &keys).unwrap();
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        );
        assert_eq!(
            open(&token, &keys, Timestamp::from_millis(1_999)),
            Some(link())
        );
        assert_eq!(open(&token, &keys, Timestamp::from_millis(2_000)), None);
        assert_eq!(
            open(&token, &KeyRing::ephemeral().unwrap(), Timestamp::EPOCH),
            None
        );
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                open(
                    std::str::from_utf8(&other).unwrap(),
                    &keys,
                    Timestamp::EPOCH
                ),
                None,
                "byte {at}"
            );
        }
        for other in [
            "",
            ".",
            "x.y",
            &token[..token.len() - 1],
            &"a".repeat(4_000),
        ] {
            assert_eq!(open(other, &keys, Timestamp::EPOCH), None, "{other}");
        }
        assert_ne!(token, seal(&link(), &keys).unwrap());
    }
}
