//! The token that every form of a session carries, and that no other site can know.
//!
//! An HMAC-SHA-256 of the session's id: the same in all of its tabs, worthless in any other session.

use aws_lc_rs::hmac;

use super::SessionKey;
use crate::keys::{DerivedKey, KeyRing, Purpose};

/// Longer texts aren't ours.
const MAX_BYTES: usize = 128;

/// The token, with the id of the key it was made with; `None` when the cryptographic library fails.
pub(super) fn make(keys: &KeyRing, session: SessionKey) -> Option<String> {
    let key = keys.current(Purpose::Forms).ok()?;
    let tag = hmac::sign(&hmac_key(&key), session.id.as_bytes());
    Some(format!("{}.{}", keys.current_id(), hex::encode(tag)))
}

/// Whether `token` was made for this session; takes equally long for every wrong one.
pub(super) fn verify(keys: &KeyRing, session: SessionKey, token: &str) -> bool {
    let verified = || {
        let (key_id, tag) = token.split_once('.')?;
        let key = keys.with_id(key_id, Purpose::Forms)?;
        let tag = hex::decode(tag).ok()?;
        hmac::verify(&hmac_key(&key), session.id.as_bytes(), &tag).ok()
    };
    token.len() <= MAX_BYTES && verified().is_some()
}

fn hmac_key(key: &DerivedKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}
