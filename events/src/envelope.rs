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

/// What of an event's [`Metadata`] whoever folds many events needs, read in place. What led to the event is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance<'a> {
    /// [`Metadata::recorded_at`].
    pub recorded_at: Timestamp,
    /// [`Metadata::tenant`], not checked yet.
    pub tenant: Option<&'a str>,
    /// [`Metadata::principal`], not checked yet.
    pub principal: Option<&'a str>,
    /// [`Metadata::schema`].
    pub schema: u16,
}

impl<'a> Glance<'a> {
    /// Reads metadata that [`Metadata::to_bytes`] wrote: its fields in their order, and nothing between them. `None` for any
    /// other JSON, and for texts with escapes; [`Metadata::from_bytes`] knows what to do with those.
    #[must_use]
    pub fn at(metadata: &'a [u8]) -> Option<Self> {
        let mut rest = metadata.strip_prefix(br#"{"recorded_at":"#)?;
        let recorded_at = number(&mut rest)?;
        let tenant = text(&mut rest, br#","tenant":""#)?;
        let principal = text(&mut rest, br#","principal":""#)?;
        for skipped in [
            br#","causation":""#.as_slice(),
            br#","correlation":""#,
            br#","trace":""#,
        ] {
            quoted(&mut rest, skipped)?;
        }
        rest = rest.strip_prefix(br#","schema":"#)?;
        let schema = number(&mut rest)?;
        (rest == b"}").then_some(Self {
            recorded_at: Timestamp::from_millis(recorded_at),
            tenant,
            principal,
            schema,
        })
    }
}

/// The number that `rest` begins with, which is then behind it.
fn number<T: FromStr>(rest: &mut &[u8]) -> Option<T> {
    let digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
    let end = rest.iter().position(|byte| !digit(byte))?;
    let (number, after) = rest.split_at(end);
    *rest = after;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn text<'a>(rest: &mut &'a [u8], key: &[u8]) -> Option<Option<&'a str>> {
    let text = quoted(rest, key)?.map(std::str::from_utf8);
    text.transpose().ok()
}

/// What is quoted after `key`, if `rest` begins with that; `rest` is then behind the closing quote.
fn quoted<'a>(rest: &mut &'a [u8], key: &[u8]) -> Option<Option<&'a [u8]>> {
    let Some(value) = rest.strip_prefix(key) else {
        return Some(None);
    };
    let end = memchr::memchr2(b'"', b'\\', value)?;
    let (text, after) = value.split_at(end);
    *rest = after.strip_prefix(b"\"")?;
    Some(Some(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

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
    fn metadata() -> impl Strategy<Value = Metadata> {
        let id = || proptest::option::of("[a-c\"\\\\ö]{1,4}|[0-9a-f]{64}");
        let uuid = || proptest::option::of(any::<u128>().prop_map(Uuid::from_u128));
        let caused = (uuid(), uuid(), proptest::option::of("[0-9a-f]{32}"));
        let parts = (any::<i64>(), id(), id(), caused, any::<u16>());
        parts.prop_map(|(at, tenant, principal, caused, schema)| Metadata {
            recorded_at: Timestamp::from_millis(at),
            tenant: tenant.map(|text| TenantId::new(text).unwrap()),
            principal: principal.map(|text| PrincipalId::new(text).unwrap()),
            causation: caused.0,
            correlation: caused.1,
            trace: caused.2,
            schema,
        })
    }

    proptest! {
        #[test]
        fn a_glance_at_metadata_sees_what_reading_it_does(metadata in metadata()) {
            let bytes = metadata.to_bytes().unwrap();
            let escaped = bytes.contains(&b'\\');
            match Glance::at(&bytes) {
                None => prop_assert!(escaped),
                Some(glance) => {
                    prop_assert!(!escaped);
                    prop_assert_eq!(glance.recorded_at, metadata.recorded_at);
                    prop_assert_eq!(glance.tenant, metadata.tenant.as_ref().map(TenantId::as_str));
                    let principal = metadata.principal.as_ref().map(PrincipalId::as_str);
                    prop_assert_eq!(glance.principal, principal);
                    prop_assert_eq!(glance.schema, metadata.schema);
                }
            }
        }
    }

    #[test]
    fn a_glance_sees_nothing_in_what_was_not_written_here() {
        for other in [
            r#"{"recorded_at":1,"schema":1} "#,
            r#"{"recorded_at":1,"schema":1"#,
            r#"{"recorded_at":1,"schema":65536}"#,
            r#"{"recorded_at":1-,"schema":1}"#,
            r#"{"recorded_at":1.5,"schema":1}"#,
            r#"{"recorded_at": 1,"schema":1}"#,
            r#"{"recorded_at":1,"tenant":null,"schema":1}"#,
            r#"{"recorded_at":1,"principal":"p","tenant":"t","schema":1}"#,
            r#"{"recorded_at":1,"tenant":"t,"schema":1}"#,
            r#"{"recorded_at":1,"tenant":"t"#,
            r#"{"schema":1,"recorded_at":1}"#,
            r#"{"recorded_at":1,"new":1,"schema":1}"#,
            "",
        ] {
            assert_eq!(Glance::at(other.as_bytes()), None, "{other}");
        }
    }
}
