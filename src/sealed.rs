//! Values handed to clients that only we can read or make: AES-256-GCM over their JSON, as URL-safe text.
//!
//! What is sealed needs no store and opens on every node that shares the key ring. The seal also covers what kind of value
//! it is, so that none passes for another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::{DerivedKey, KeyRing, Purpose};

/// One kind of sealed value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Whose key it is sealed with.
    pub(crate) purpose: Purpose<'static>,
    /// What the seal also covers: values of another kind or version don't open.
    pub(crate) label: &'static str,
    /// Longer texts aren't ours.
    pub(crate) max_bytes: usize,
}

impl Kind {
    /// Seals a value; `None` when it would be too long, or the cryptographic library or the system's randomness fails.
    pub(crate) fn seal(&self, value: &impl Serialize, keys: &KeyRing) -> Option<String> {
        let key = aead(&keys.current(self.purpose).ok()?)?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = serde_json::to_vec(value).ok()?;
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(self.label.as_bytes()),
            &mut sealed,
        )
        .ok()?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut sealed);
        let text = format!("{}.{}", keys.current_id(), BASE64.encode(bytes));
        (text.len() <= self.max_bytes).then_some(text)
    }

    /// Opens what [`seal`](Self::seal) made; `None` for anything else.
    pub(crate) fn open<T: DeserializeOwned>(&self, text: &str, keys: &KeyRing) -> Option<T> {
        if text.len() > self.max_bytes {
            return None;
        }
        let (key_id, sealed) = text.split_once('.')?;
        let mut sealed = BASE64.decode(sealed).ok()?;
        let key = aead(&keys.with_id(key_id, self.purpose)?)?;
        let (nonce, body) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = key
            .open_in_place(nonce, Aad::from(self.label.as_bytes()), body)
            .ok()?;
        serde_json::from_slice(plain).ok()
    }
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

    const KIND: Kind = Kind {
        purpose: Purpose::Links,
        label: "test 1",
        max_bytes: 100,
    };

    #[test]
    fn it_opens_unchanged_only() {
        let keys = KeyRing::ephemeral().unwrap();
        let text = KIND.seal(&"value", &keys).unwrap();
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        );
        let open = |text: &str| KIND.open::<String>(text, &keys);
        assert_eq!(open(&text).as_deref(), Some("value"));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                open(std::str::from_utf8(&other).unwrap()),
                None,
                "byte {at}"
            );
        }
        for other in ["", ".", "x.y", &text[..text.len() - 1], &"a".repeat(4_000)] {
            assert_eq!(open(other), None, "{other}");
        }
        assert_ne!(text, KIND.seal(&"value", &keys).unwrap());
    }

    #[test]
    fn neither_another_key_nor_another_kind_opens_it() {
        let keys = KeyRing::ephemeral().unwrap();
        let text = KIND.seal(&"value", &keys).unwrap();
        let others = KeyRing::ephemeral().unwrap();
        assert_eq!(KIND.open::<String>(&text, &others), None);
        let label = Kind {
            label: "test 2",
            ..KIND
        };
        let purpose = Kind {
            purpose: Purpose::Sessions,
            ..KIND
        };
        for kind in [label, purpose] {
            assert_eq!(kind.open::<String>(&text, &keys), None, "{kind:?}");
        }
    }

    #[test]
    fn what_would_be_too_long_is_not_sealed() {
        let keys = KeyRing::ephemeral().unwrap();
        assert_eq!(KIND.seal(&"x".repeat(100), &keys), None);
    }
}
