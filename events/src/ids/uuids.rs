//! Identifiers made by us: UUIDs, written lower-case with hyphens and read in no other form.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::{InvalidId, serde_from_text};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID of this id.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                strict($what, text).map(Self)
            }
        }

        /// In one piece, for there are many of them.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = Uuid::encode_buffer();
                serializer.serialize_str(self.0.as_hyphenated().encode_lower(&mut text))
            }
        }

        serde_from_text!($name);
    };
}

/// One spelling per id: two spellings of one id would be two resources to caches, logs and signatures.
fn strict(what: &'static str, text: &str) -> Result<Uuid, InvalidId> {
    let invalid = InvalidId::new(what, "it is not a lower-case hyphenated UUID");
    // Of the spellings that are parsed, only the hyphenated one has this length.
    let hyphenated = text.len() == Hyphenated::LENGTH;
    if !hyphenated || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(invalid);
    }
    Uuid::try_parse(text).map_err(|_| invalid)
}

uuid_id!(
    /// One export: a UUID of version 7, so that ids sort by the time they were made.
    ExportId,
    "export id"
);

uuid_id!(
    /// A node of the service; it belongs to the data directory and outlives the process.
    NodeId,
    "node id"
);

uuid_id!(
    /// One process of a node: every start is a new incarnation.
    Incarnation,
    "incarnation"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_read() {
        let text = "0198c7a1-7b0c-7abc-8def-0123456789ab";
        assert_eq!(
            text.parse::<ExportId>().map(|id| id.to_string()).as_deref(),
            Ok(text)
        );
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            format!(" {text}"),
            String::new(),
            "0198c7a1".to_owned(),
        ] {
            assert!(other.parse::<ExportId>().is_err(), "{other}");
        }
    }
}
