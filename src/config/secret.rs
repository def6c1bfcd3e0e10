//! A configured secret. Its own type, so that printing, logging or serialising a configuration can't spill it.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands in for a secret wherever a configuration is shown.
pub const MASK: &str = "********";

/// A secret text; wiped from memory when dropped, shown as [`MASK`].
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text that must not be shown.
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The secret itself; call it only where the bytes are used.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
