//! The envelope an event travels in: what is appended, what is read back, and where it stands.
//!
//! Type, data and metadata are stored and copied verbatim. A position says where an event lies in one store's order;
//! it is never part of the event's identity, so that a history can move to another store unchanged.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codec;
use crate::ids::{InvalidId, PrincipalId, TenantId, Timestamp, serde_as_text};
use crate::stream::StreamName;

/// An event to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Unique within its stream; a repeated append is recognised by it.
    pub id: Uuid,
    /// The event's type: 1 to 64 bytes.
    pub kind: Cow<'static, str>,
    /// The event itself, verbatim.
    pub data: Bytes,
    /// What is known about the event besides, verbatim; see [`Metadata`].
    pub metadata: Bytes,
}

impl NewEvent {
    /// The bytes that count towards [`MAX_APPEND_BYTES`](crate::store::MAX_APPEND_BYTES): type, data and metadata.
    #[must_use]
    pub fn size(&self) -> usize {
        self.kind.len() + self.data.len() + self.metadata.len()
    }
}

/// An event as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The stream it belongs to.
    pub stream: StreamName,
    /// Its place in the stream, counted from 0 without gaps.
    pub revision: u64,
    /// Its place in this store's total order.
    pub position: Position,
    /// The id it was appended with.
    pub id: Uuid,
    /// Its type.
    pub kind: Cow<'static, str>,
    /// The event itself, verbatim.
    pub data: Bytes,
    /// What is known about the event besides, verbatim; see [`Metadata`].
    pub metadata: Bytes,
}

/// A place in one store's total order: to be kept, compared and handed back, never computed with.
///
/// Two numbers, because EventStoreDB has two; a store with one writes it twice. As text it is `commit/prepare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Where the transaction was committed.
    pub commit: u64,
    /// Where the event was written.
    pub prepare: u64,
}

impl Position {
    /// The position of a store that counts with one number.
    #[must_use]
    pub const fn single(number: u64) -> Self {
        Self {
            commit: number,
            prepare: number,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.commit, self.prepare)
    }
}

impl FromStr for Position {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidId::new("position", "it is two numbers, `commit/prepare`");
        let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => part.parse().map_err(|_| invalid),
            false => Err(invalid),
        };
        let (commit, prepare) = text.split_once('/').ok_or(invalid)?;
        Ok(Self {
            commit: number(commit)?,
            prepare: number(prepare)?,
        })
    }
}

serde_as_text!(Position);

/// What every event carries besides its data, as JSON in [`Recorded::metadata`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// When the event was decided; never before that of the event before it in the stream.
    pub recorded_at: Timestamp,
    /// The tenant it concerns, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Whoever caused it, if anyone but the service itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalId>,
    /// The command or event that directly caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<Uuid>,
    /// Shared by everything that goes back to one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<Uuid>,
    /// The W3C trace id of that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The version of the event type's schema that `data` was written with.
    pub schema: u16,
}

impl Metadata {
    /// Writes it as it is stored.
    ///
    /// # Errors
    /// None for any value there is; the signature is that of the serialiser.
    pub fn to_bytes(&self) -> serde_json::Result<Bytes> {
        serde_json::to_vec(self).map(Bytes::from)
    }

    /// Reads what [`Metadata::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are not that.
    pub fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        codec::from_bytes(bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn positions_order_by_commit_and_read_back() {
        let position = Position {
            commit: 7,
            prepare: 5,
        };
        assert_eq!(position.to_string().parse(), Ok(position));
        assert!(position < Position::single(7));
        for text in [
            "",
            "7",
            "7/",
            "/7",
            "7/7/7",
            "-1/0",
            "+1/0",
            "18446744073709551616/0",
        ] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn metadata_leaves_out_what_is_not_there() {
        let metadata = Metadata {
            recorded_at: Timestamp::from_millis(12),
            tenant: TenantId::new("acme").ok(),
            principal: None,
            causation: None,
            correlation: None,
            trace: None,
            schema: 1,
        };
        let bytes = metadata.to_bytes().unwrap();
        assert_eq!(
            &bytes[..],
            br#"{"recorded_at":12,"tenant":"acme","schema":1}"#
        );
        assert_eq!(Metadata::from_bytes(&bytes).unwrap(), metadata);
    }
}
