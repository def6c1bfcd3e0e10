//! The identifiers and the time stamp that events are made of.
//!
//! Nothing here reads a clock or makes a random number: values come in with the command that needs them.

mod digest;
mod text;
mod time;
mod uuids;

pub use digest::Digest;
pub use text::{PrincipalId, TenantId};
pub use time::{Day, Month, Timestamp};
pub use uuids::{ExportId, Incarnation, NodeId};

/// Why a text is not an identifier of the kind asked for.
///
/// The offending text is left out: it may be anything a client sent, and errors end up in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: {reason}")]
pub struct InvalidId {
    /// The kind of identifier, as people call it.
    pub what: &'static str,
    /// The rule that was broken.
    pub reason: &'static str,
}

impl InvalidId {
    pub(crate) const fn new(what: &'static str, reason: &'static str) -> Self {
        Self { what, reason }
    }
}

/// Serialises a type through its `Display`, and reads it back through its `FromStr`.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;
