//! The messages of an append, of both sides.
#![allow(missing_docs, reason = "the names are the protocol's own")]

use std::collections::HashMap;

use prost::bytes::Bytes;
use prost::{Message, Oneof};
use uuid::Uuid;

use super::{Empty, StreamIdentifier, WirePosition, WireUuid};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AppendReq {
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub(crate) content: Option<AppendContent>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum AppendContent {
    #[prost(message, tag = "1")]
    Options(StreamAt),
    #[prost(message, tag = "2")]
    Proposed(Proposed),
}

/// `AppendReq.Options` and `TombstoneReq.Options` are the same on the wire.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamAt {
    #[prost(message, optional, tag = "1")]
    pub(crate) stream: Option<StreamIdentifier>,
    #[prost(oneof = "ExpectedAt", tags = "2, 3, 4, 5")]
    pub(crate) expected: Option<ExpectedAt>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum ExpectedAt {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    NoStream(Empty),
    #[prost(message, tag = "4")]
    Any(Empty),
    #[prost(message, tag = "5")]
    StreamExists(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Proposed {
    #[prost(message, optional, tag = "1")]
    pub(crate) id: Option<WireUuid>,
    #[prost(map = "string, string", tag = "2")]
    pub(crate) metadata: HashMap<String, String>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) custom_metadata: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) data: Bytes,
}

impl Proposed {
    /// An event whose data are bytes that mean nothing to the server.
    pub(crate) fn new(id: Uuid, kind: &str, data: Bytes, metadata: Bytes) -> Self {
        let system = [("type", kind), ("content-type", "application/octet-stream")];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            id: Some(id.into()),
            metadata: system.map(owned).into(),
            custom_metadata: metadata,
            data,
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AppendResp {
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub(crate) result: Option<AppendResult>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum AppendResult {
    #[prost(message, tag = "1")]
    Success(Success),
    #[prost(message, tag = "2")]
    Wrong(WrongExpectedVersion),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Success {
    #[prost(oneof = "CurrentRevision", tags = "1, 2")]
    pub(crate) current: Option<CurrentRevision>,
    #[prost(oneof = "PositionOption", tags = "3, 4")]
    pub(crate) position: Option<PositionOption>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum CurrentRevision {
    #[prost(uint64, tag = "1")]
    At(u64),
    #[prost(message, tag = "2")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum PositionOption {
    #[prost(message, tag = "3")]
    At(WirePosition),
    #[prost(message, tag = "4")]
    None(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WrongExpectedVersion {
    #[prost(oneof = "WrongCurrent", tags = "6, 7")]
    pub(crate) current: Option<WrongCurrent>,
    #[prost(oneof = "WrongExpected", tags = "8, 9, 10, 11")]
    pub(crate) expected: Option<WrongExpected>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum WrongCurrent {
    #[prost(uint64, tag = "6")]
    At(u64),
    #[prost(message, tag = "7")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum WrongExpected {
    #[prost(uint64, tag = "8")]
    Revision(u64),
    #[prost(message, tag = "9")]
    Any(Empty),
    #[prost(message, tag = "10")]
    StreamExists(Empty),
    #[prost(message, tag = "11")]
    NoStream(Empty),
}
