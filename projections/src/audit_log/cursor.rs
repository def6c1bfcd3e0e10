//! Where an entry stands in a tenant's log.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Where an entry stands in a tenant's log. To be kept and handed back; as text, hexadecimal digits with one hyphen.
/// It stays valid for as long as the history stays in this event store, rebuilds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditCursor {
    /// Milliseconds since the Unix epoch.
    pub(crate) at: i64,
    /// Unique, and ascending within a millisecond: where the event was written in its store.
    pub(crate) seq: i64,
}

impl AuditCursor {
    /// Where the entry's event was written in its store: [`Position::prepare`](carnet_events::envelope::Position).
    #[must_use]
    pub fn written_at(self) -> u64 {
        self.seq.cast_unsigned()
    }
}

/// Not a cursor that this service handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this audit log")]
pub struct InvalidCursor;

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.at, self.seq)
    }
}

impl FromStr for AuditCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let number = |hex: &str| {
            let plain = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u64::from_str_radix(hex, 16).ok().filter(|_| plain);
            number.map(u64::cast_signed).ok_or(InvalidCursor)
        };
        let (at, seq) = text.split_once('-').ok_or(InvalidCursor)?;
        Ok(Self {
            at: number(at)?,
            seq: number(seq)?,
        })
    }
}

impl Serialize for AuditCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_and_nothing_else_does() {
        for (at, seq) in [(0, 0), (1_794_650_523_000, 77), (-1, i64::MIN)] {
            let cursor = AuditCursor { at, seq };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-2-3",
            "+1-2",
            "g-1",
            "11111111111111111-1",
        ] {
            assert_eq!(text.parse::<AuditCursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
