//! The identifiers and the time stamp that events are made of.
//!
//! Nothing here reads a clock or makes a random number: values come in with the command that needs them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;

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

        $crate::ids::serde_from_text!($name);
    };
}
pub(crate) use serde_as_text;

/// Reads a type back through its `FromStr`.
macro_rules! serde_from_text {
    ($name:ty) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::ids::Parsed::new())
            }
        }
    };
}
pub(crate) use serde_from_text;

/// Reads a text in place: events hold many ids and digests, and none of them needs a copy to be parsed.
pub(crate) struct Parsed<T>(PhantomData<T>);

impl<T> Parsed<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
