//! Between domain events and the bytes in the store.
//!
//! An event is stored under its type's name as JSON, with the version of its schema in the metadata. Bytes once written
//! are never changed: an event of an older version is brought up to date while it is read (`upcast.rs`). A new version is
//! read by one release before the next one writes it (`held.rs`).

mod held;
mod upcast;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::domain::Timed;
use crate::domain::access::AccessEvent;
use crate::domain::export::ExportEvent;
use crate::domain::platform::PlatformEvent;
use crate::domain::session::SessionEvent;
use crate::domain::tenant::TenantEvent;
use crate::envelope::{Metadata, NewEvent, Recorded};
use crate::ids::{PrincipalId, TenantId, Timestamp};
use crate::stream::{StreamKind, StreamName};

/// The events of one kind of stream.
pub trait DomainEvent: Sized {
    /// The kind of stream they are stored in.
    const STREAM: StreamKind;
    /// Every type's name and newest version.
    const TYPES: &'static [(&'static str, u16)];

    /// The type's name as it is stored.
    fn kind(&self) -> &'static str;

    /// The event's data as JSON in the newest version.
    ///
    /// # Errors
    /// None for any value there is; the signature is that of the serialiser.
    fn to_json(&self) -> serde_json::Result<Vec<u8>>;

    /// Reads data of the newest version; `None` when the type isn't one of these.
    ///
    /// # Errors
    /// When the data is not of the type.
    fn from_json(kind: &str, data: Json<'_>) -> serde_json::Result<Option<Self>>;

    /// The type's name, for as long as the program runs; `None` when the type isn't one of these.
    fn known(kind: &str) -> Option<&'static str>;

    /// The newest version of `kind`.
    fn newest_version(kind: &str) -> Option<u16> {
        Self::TYPES
            .iter()
            .find(|(name, _)| *name == kind)
            .map(|(_, version)| *version)
    }
}

/// JSON data, read or still to be read.
#[derive(Debug)]
pub enum Json<'a> {
    /// As it is stored.
    Bytes(&'a [u8]),
    /// As an upcast left it.
    Value(serde_json::Value),
}

impl Json<'_> {
    /// Reads the data as a `T`.
    ///
    /// # Errors
    /// When it isn't one.
    pub fn read<T: DeserializeOwned>(self) -> serde_json::Result<T> {
        match self {
            Self::Bytes(bytes) => from_bytes(bytes),
            Self::Value(value) => serde_json::from_value(value),
        }
    }
}

/// Reads JSON. That it is UTF-8 is found out at once, and not string by string.
///
/// # Errors
/// When it isn't a `T`.
pub fn from_bytes<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        // Fails as well, and says where.
        Err(_) => serde_json::from_slice(json),
    }
}

/// The name of an event's type as its stream's kind of stream has it, so that events which are read need no copy of it;
/// `None` when no such event is known.
#[must_use]
pub fn known_type(stream: StreamKind, kind: &str) -> Option<&'static str> {
    match stream {
        StreamKind::Export => ExportEvent::known(kind),
        StreamKind::Tenant => TenantEvent::known(kind),
        StreamKind::Access => AccessEvent::known(kind),
        StreamKind::Sessions => SessionEvent::known(kind),
        StreamKind::Platform => PlatformEvent::known(kind),
        StreamKind::Policy | StreamKind::Directory | StreamKind::Other => None,
    }
}

/// An event that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No event of this stream's kind has this type: types are added, never taken away.
    #[error(
        "{stream}@{revision}: `{kind}` was written by a newer release, this one knows no such event: upgrade this node"
    )]
    UnknownType {
        /// Where it stands.
        stream: StreamName,
        /// Where in it.
        revision: u64,
        /// The type.
        kind: String,
    },
    /// It was written by a newer release.
    #[error(
        "{stream}@{revision}: version {version} of `{kind}` was written by a newer release, this one reads up to {newest}: upgrade this node"
    )]
    Newer {
        /// Where it stands.
        stream: StreamName,
        /// Where in it.
        revision: u64,
        /// The type.
        kind: String,
        /// Its version.
        version: u16,
        /// The newest this release knows.
        newest: u16,
    },
    /// Its bytes are not what its type and version say.
    #[error("{stream}@{revision}: `{kind}` can't be read: {source}")]
    Malformed {
        /// Where it stands.
        stream: StreamName,
        /// Where in it.
        revision: u64,
        /// The type.
        kind: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl DecodeError {
    /// Whether a newer release wrote it, and reads it.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        match self {
            Self::UnknownType { .. } | Self::Newer { .. } => true,
            Self::Malformed { .. } => false,
        }
    }
}

/// What an event carries besides itself: who and what caused it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// The tenant it concerns.
    pub tenant: Option<TenantId>,
    /// Whoever caused it; `None`: the service itself.
    pub principal: Option<PrincipalId>,
    /// The command or event that directly caused it.
    pub causation: Option<Uuid>,
    /// Shared by everything that goes back to one request.
    pub correlation: Option<Uuid>,
    /// The W3C trace id of that request.
    pub trace: Option<String>,
}

/// Writes an event as it is stored.
///
/// # Errors
/// When its type is so new that the release before this one couldn't read it.
pub fn encode<E: DomainEvent>(
    id: Uuid,
    at: Timestamp,
    event: &E,
    context: &Context,
) -> serde_json::Result<NewEvent> {
    let kind = event.kind();
    let newest = E::newest_version(kind).unwrap_or(1);
    let (schema, data) = held::written(E::STREAM, kind, newest, event.to_json()?)?;
    let metadata = Metadata {
        recorded_at: at,
        tenant: context.tenant.clone(),
        principal: context.principal.clone(),
        causation: context.causation,
        correlation: context.correlation,
        trace: context.trace.clone(),
        schema,
    };
    Ok(NewEvent {
        id,
        kind: kind.into(),
        data: Bytes::from(data),
        metadata: metadata.to_bytes()?,
    })
}

/// Reads an event as it was stored, whatever version it was written in.
///
/// # Errors
/// When its type or version is not known, or its bytes are not what they say.
pub fn decode<E: DomainEvent>(recorded: &Recorded) -> Result<(Metadata, Timed<E>), DecodeError> {
    let malformed = |source| DecodeError::Malformed {
        stream: recorded.stream.clone(),
        revision: recorded.revision,
        kind: recorded.kind.to_string(),
        source,
    };
    let unknown = || DecodeError::UnknownType {
        stream: recorded.stream.clone(),
        revision: recorded.revision,
        kind: recorded.kind.to_string(),
    };
    let metadata = Metadata::from_bytes(&recorded.metadata).map_err(malformed)?;
    let newest = E::newest_version(&recorded.kind).ok_or_else(unknown)?;
    if metadata.schema > newest {
        return Err(DecodeError::Newer {
            stream: recorded.stream.clone(),
            revision: recorded.revision,
            kind: recorded.kind.to_string(),
            version: metadata.schema,
            newest,
        });
    }
    let json = if metadata.schema == newest {
        Json::Bytes(&recorded.data)
    } else {
        let old = serde_json::from_slice(&recorded.data).map_err(malformed)?;
        Json::Value(upcast::upcast(
            E::STREAM,
            &recorded.kind,
            metadata.schema,
            old,
        ))
    };
    let event = E::from_json(&recorded.kind, json)
        .map_err(malformed)?
        .ok_or_else(unknown)?;
    let at = metadata.recorded_at;
    Ok((metadata, Timed::new(at, event)))
}

/// Declares the events of one kind of stream: an enum, and how each variant is stored.
macro_rules! events {
    (
        $(#[$meta:meta])*
        $name:ident in $stream:ident {
            $($(#[$variant_meta:meta])* $variant:ident($data:ty) = $kind:literal, $version:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant, reason = "events are few and short-lived in memory")]
        pub enum $name {
            $($(#[$variant_meta])* $variant($data),)+
        }

        impl $crate::codec::DomainEvent for $name {
            const STREAM: $crate::stream::StreamKind = $crate::stream::StreamKind::$stream;
            const TYPES: &'static [(&'static str, u16)] = &[$(($kind, $version)),+];

            fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)+
                }
            }

            fn to_json(&self) -> serde_json::Result<Vec<u8>> {
                match self {
                    $(Self::$variant(data) => serde_json::to_vec(data),)+
                }
            }

            fn known(kind: &str) -> Option<&'static str> {
                match kind {
                    $($kind => Some($kind),)+
                    _ => None,
                }
            }

            fn from_json(
                kind: &str,
                data: $crate::codec::Json<'_>,
            ) -> serde_json::Result<Option<Self>> {
                match kind {
                    $($kind => data.read().map(|data| Some(Self::$variant(data))),)+
                    _ => Ok(None),
                }
            }
        }
    };
}
pub(crate) use events;
