//! What only a server hears or says, and what only the client crate sends; numbered as published.

use prost::Message;

use crate::store::esdb::wire::WirePosition;
use crate::store::esdb::wire::appends::StreamAt;

/// `VNodeState.Follower`.
pub(super) const FOLLOWER: i32 = 6;

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
