//! A sign-in under way: what binds the browser that began it to what the provider sends it back with.

use carnet_events::ids::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::OidcError;
use crate::keys::{KeyRing, Purpose};
use crate::sealed::Kind;

const KIND: Kind = Kind {
    purpose: Purpose::Sessions,
    label: "carnet sign-in 1",
    max_bytes: 4_000,
};

/// How long people may take at the provider.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What a browser keeps, sealed, while its person is at the provider.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(crate) return_to: Option<String>,
    expires_at: Timestamp,
}

impl Pending {
    pub(super) fn new(
        state: String,
        nonce: String,
        verifier: String,
        return_to: Option<&str>,
        now: Timestamp,
    ) -> Self {
        Self {
            state,
            nonce,
            verifier,
            return_to: return_to.map(str::to_owned),
            expires_at: now.plus(PATIENCE),
        }
    }

    /// As the browser keeps it; `None` when the cryptographic library fails.
    pub(crate) fn seal(&self, keys: &KeyRing) -> Option<String> {
        KIND.seal(self, keys)
    }

    /// Opens what the browser kept, while there is time.
    pub(crate) fn open(cookie: &str, keys: &KeyRing, now: Timestamp) -> Option<Self> {
        KIND.open(cookie, keys)
            .filter(|pending: &Self| now < pending.expires_at)
    }
}

/// What the provider sends a browser back with.
#[derive(Deserialize)]
pub(crate) struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    /// Which provider it was (RFC 9207).
    iss: Option<String>,
}

impl Callback {
    /// The code, if all this belongs to `pending`.
    pub(super) fn code(self, pending: &Pending, issuer: &str) -> Result<String, OidcError> {
        if self.state.as_deref() != Some(&pending.state) {
            return Err(OidcError::Foreign("it was begun elsewhere"));
        }
        if self.iss.is_some_and(|iss| iss != issuer) {
            return Err(OidcError::Foreign("another provider answered"));
        }
        if let Some(error) = self.error {
            return Err(super::verdict(&error));
        }
        self.code.ok_or(OidcError::Foreign("there is no code"))
    }
}
