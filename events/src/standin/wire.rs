//! The messages of the writing half of the protocol, and what only a server sends; numbered as published.

use std::collections::HashMap;

use prost::bytes::Bytes;
use prost::{Message, Oneof};
use uuid::Uuid;

use crate::store::esdb::wire::{
    Empty, StreamIdentifier, Structured, UuidValue, WirePosition, WireUuid,
};

/// `VNodeState.Follower`.
pub(super) const FOLLOWER: i32 = 6;

pub(super) fn structured(id: Uuid) -> WireUuid {
    let (most, least) = id.as_u64_pair();
    WireUuid {
        value: Some(UuidValue::Structured(Structured {
            most_significant_bits: most.cast_signed(),
            least_significant_bits: least.cast_signed(),
        })),
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AppendReq {
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub(super) content: Option<AppendContent>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum AppendContent {
    #[prost(message, tag = "1")]
    Options(StreamAt),
    #[prost(message, tag = "2")]
    Proposed(Proposed),
}

/// `AppendReq.Options` and `TombstoneReq.Options` are the same on the wire.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamAt {
    #[prost(message, optional, tag = "1")]
    pub(super) stream: Option<StreamIdentifier>,
    #[prost(oneof = "ExpectedAt", tags = "2, 3, 4, 5")]
    pub(super) expected: Option<ExpectedAt>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum ExpectedAt {
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
pub(super) struct Proposed {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<WireUuid>,
    #[prost(map = "string, string", tag = "2")]
    pub(super) metadata: HashMap<String, String>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) custom_metadata: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) data: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AppendResp {
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub(super) result: Option<AppendResult>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum AppendResult {
    #[prost(message, tag = "1")]
    Success(Success),
    #[prost(message, tag = "2")]
    Wrong(WrongExpectedVersion),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Success {
    #[prost(oneof = "CurrentRevision", tags = "1, 2")]
    pub(super) current: Option<CurrentRevision>,
    #[prost(oneof = "PositionOption", tags = "3, 4")]
    pub(super) position: Option<PositionOption>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum CurrentRevision {
    #[prost(uint64, tag = "1")]
    At(u64),
    #[prost(message, tag = "2")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum PositionOption {
    #[prost(message, tag = "3")]
    At(WirePosition),
    #[prost(message, tag = "4")]
    None(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WrongExpectedVersion {
    #[prost(oneof = "WrongCurrent", tags = "6, 7")]
    pub(super) current: Option<WrongCurrent>,
    #[prost(oneof = "WrongExpected", tags = "8, 9, 10, 11")]
    pub(super) expected: Option<WrongExpected>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum WrongCurrent {
    #[prost(uint64, tag = "6")]
    At(u64),
    #[prost(message, tag = "7")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum WrongExpected {
    #[prost(uint64, tag = "8")]
    Revision(u64),
    #[prost(message, tag = "9")]
    Any(Empty),
    #[prost(message, tag = "10")]
    StreamExists(Empty),
    #[prost(message, tag = "11")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TombstoneReq {
    #[prost(message, optional, tag = "1")]
    pub(super) options: Option<StreamAt>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TombstoneResp {
    #[prost(message, optional, tag = "1")]
    pub(super) position: Option<WirePosition>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SupportedMethods {
    #[prost(string, tag = "2")]
    pub(super) server_version: String,
}
