//! Identifiers given by others, as opaque bounded text: tenants and principals.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{InvalidId, serde_as_text};

/// The longest tenant or principal id, in bytes of UTF-8.
const MAX_BYTES: usize = 128;

fn checked(what: &'static str, text: &str) -> Result<Arc<str>, InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::new(what, "it is empty"));
    }
    if text.len() > MAX_BYTES {
        return Err(InvalidId::new(what, "it is longer than 128 bytes"));
    }
    if has_control(text) {
        return Err(InvalidId::new(what, "it has control characters"));
    }
    Ok(text.into())
}

/// Nearly all ids are plain ASCII, where a control character is told from its one byte.
fn has_control(text: &str) -> bool {
    match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(char::is_control),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// 1 to 128 bytes of UTF-8 without control characters; compared byte for byte; cheap to clone.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and takes it as an id.
            ///
            /// # Errors
            /// When it is empty, longer than 128 bytes, or has control characters.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                checked($what, text.as_ref()).map(Self)
            }

            /// The id as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        serde_as_text!($name);
    };
}

text_id!(
    /// An organisation whose data is exported, as the identity provider names it.
    TenantId,
    "tenant id"
);

text_id!(
    /// Whoever acts, as an opaque text: decision events carry a keyed hash here, never a name or an address.
    PrincipalId,
    "principal id"
);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_kept() {
        assert!(TenantId::new("").is_err());
        assert!(TenantId::new("a\nb").is_err());
        assert!(TenantId::new("a\u{85}b").is_err());
        assert!(TenantId::new("x".repeat(128)).is_ok());
        assert!(TenantId::new("x".repeat(129)).is_err());
        assert!(TenantId::new("Kuratorium Österreich / 7").is_ok());
        assert!(serde_json::from_str::<PrincipalId>("\"\"").is_err());
        assert_eq!(
            serde_json::from_str::<PrincipalId>(r#""p\u0031""#)
                .unwrap()
                .as_str(),
            "p1"
        );
    }
}
