//! The calls a node answers, and how it turns some away.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use tonic::body::BoxBody;
use tonic::codec::{ProstCodec, Streaming};
use tonic::metadata::MetadataMap;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tower_service::Service;
use uuid::Uuid;

use super::log::{Answer, Expects, Write};
use super::node::Switch;
use super::read::{self, Answers};
use super::shared::{AppendFault, Shared};
use super::wire::{FOLLOWER, SupportedMethods, TombstoneReq, TombstoneResp};
use crate::store::esdb::wire::appends::{
    AppendContent, AppendReq, AppendResp, AppendResult, CurrentRevision, ExpectedAt,
    PositionOption, StreamAt, Success, WrongCurrent, WrongExpected, WrongExpectedVersion,
};
use crate::store::esdb::wire::{
    ClusterInfo, Empty, LEADER, MemberInfo, ReadReq, WireEndPoint, WirePosition,
};

/// What a server takes in one append unless told otherwise: data, metadata, and types in two bytes a character.
const MAX_APPEND: usize = 1 << 20;

pub(super) struct Door {
    pub(super) node: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) switch: Switch,
}

impl Door {
    pub(super) async fn answer(
        self: Arc<Self>,
        request: http::Request<Incoming>,
    ) -> http::Response<BoxBody> {
        match request.uri().path() {
            "/event_store.client.streams.Streams/Read" => {
                let call = With(move |request| Arc::clone(&self).read(request));
                grpc().server_streaming(call, request).await
            }
            "/event_store.client.streams.Streams/Append" => {
                let call = With(move |request| Arc::clone(&self).append(request));
                grpc().client_streaming(call, request).await
            }
            "/event_store.client.streams.Streams/Tombstone" => {
                let call = With(move |request| Arc::clone(&self).tombstone(request));
                grpc().unary(call, request).await
            }
            "/event_store.client.gossip.Gossip/Read" => {
                let call = With(move |request| Arc::clone(&self).gossip(request));
                grpc().unary(call, request).await
            }
            "/event_store.client.server_features.ServerFeatures/GetSupportedMethods" => {
                let call = With(move |request| Arc::clone(&self).features(request));
                grpc().unary(call, request).await
            }
            "/event_store.client.operations.Operations/ResignNode" => {
                let call = With(move |request| Arc::clone(&self).resign(request));
                grpc().unary(call, request).await
            }
            _ => Status::unimplemented("the stand-in doesn't know this call").into_http(),
        }
    }

    async fn read(self: Arc<Self>, request: Request<ReadReq>) -> Result<Response<Answers>, Status> {
        self.admit(request.metadata())?;
        if request.metadata().get("requires-leader").is_some() {
            self.lead()?;
        }
        let options = request.into_inner().options;
        let options = options.ok_or_else(|| Status::invalid_argument("options"))?;
        Ok(Response::new(read::answer(&self.shared, options)?))
    }

    async fn append(
        self: Arc<Self>,
        request: Request<Streaming<AppendReq>>,
    ) -> Result<Response<AppendResp>, Status> {
        self.admit(request.metadata())?;
        self.lead()?;
        let (at, batch) = batch(request.into_inner()).await?;
        let stream = name(&at)?;
        let expects = expects(&at)?;
        let fault = if is_of_events(&stream) {
            self.shared.faults().pop_front()
        } else {
            None
        };
        self.before(fault).await?;
        let answer = self.shared.log().append(&stream, expects, batch);
        self.shared.written.send_replace(());
        self.after(fault).await?;
        let result = match answer {
            Answer::Written { last, position } => AppendResult::Success(Success {
                current: Some(CurrentRevision::At(last)),
                position: Some(PositionOption::At(both(position))),
            }),
            Answer::Wrong { current } => AppendResult::Wrong(WrongExpectedVersion {
                current: Some(current.map_or(WrongCurrent::NoStream(Empty {}), WrongCurrent::At)),
                expected: Some(match expects {
                    Expects::Any => WrongExpected::Any(Empty {}),
                    Expects::Exists => WrongExpected::StreamExists(Empty {}),
                    Expects::NoStream => WrongExpected::NoStream(Empty {}),
                    Expects::Revision(revision) => WrongExpected::Revision(revision),
                }),
            }),
            Answer::Deleted => return Err(read::deleted(&stream)),
        };
        Ok(Response::new(AppendResp {
            result: Some(result),
        }))
    }

    /// What goes wrong before an append is made.
    async fn before(&self, fault: Option<AppendFault>) -> Result<(), Status> {
        match fault {
            Some(AppendFault::LoseRequest) => {
                self.switch.drop_connections();
                Err(Status::cancelled("the connection is gone"))
            }
            Some(AppendFault::DieBefore) => Err(self.die()),
            Some(AppendFault::NotReady) => Err(Status::unavailable("Server Is Not Ready")),
            Some(AppendFault::Ignore) => std::future::pending().await,
            Some(AppendFault::Delay(long)) => {
                // The client may have gone by then, and the server makes it all the same.
                tokio::spawn(tokio::time::sleep(long))
                    .await
                    .map_err(|_| Status::internal("?"))
            }
            _ => Ok(()),
        }
    }

    /// What goes wrong after it.
    async fn after(&self, fault: Option<AppendFault>) -> Result<(), Status> {
        match fault {
            Some(AppendFault::LoseAcknowledgement) => {
                self.switch.drop_connections();
                Err(Status::cancelled("the connection is gone"))
            }
            Some(AppendFault::DieAfter) => Err(self.die()),
            Some(AppendFault::TimeOut) => Err(Status::aborted("Operation timed out: commit")),
            Some(AppendFault::Silence) => std::future::pending().await,
            Some(AppendFault::DelayAcknowledgement(long)) => {
                tokio::time::sleep(long).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn die(&self) -> Status {
        self.switch.off();
        self.shared.died(self.node);
        Status::cancelled("the node is gone")
    }

    async fn tombstone(
        self: Arc<Self>,
        request: Request<TombstoneReq>,
    ) -> Result<Response<TombstoneResp>, Status> {
        self.admit(request.metadata())?;
        self.lead()?;
        let at = request.into_inner().options;
        let stream = name(&at.ok_or_else(|| Status::invalid_argument("options"))?)?;
        let position = self.shared.log().tombstone(&stream);
        self.shared.written.send_replace(());
        match position {
            Some(position) => Ok(Response::new(TombstoneResp {
                position: Some(both(position)),
            })),
            None => Err(read::deleted(&stream)),
        }
    }

    async fn gossip(
        self: Arc<Self>,
        request: Request<Empty>,
    ) -> Result<Response<ClusterInfo>, Status> {
        // Nobody need sign in for it, but whoever does must do it right.
        if request.metadata().contains_key("authorization") {
            self.admit(request.metadata())?;
        }
        let leader = self.shared.leader();
        let member = |(node, is_alive): (usize, bool)| MemberInfo {
            instance_id: Some(Uuid::from_u128(node as u128 + 1).into()),
            time_stamp: 0,
            state: if leader == Some(node) {
                LEADER
            } else {
                FOLLOWER
            },
            is_alive,
            http_end_point: Some(WireEndPoint {
                address: "localhost".to_owned(),
                port: self.shared.port(node).into(),
            }),
        };
        let members = self
            .shared
            .alive()
            .into_iter()
            .enumerate()
            .map(member)
            .collect();
        Ok(Response::new(ClusterInfo { members }))
    }

    async fn features(
        self: Arc<Self>,
        _: Request<Empty>,
    ) -> Result<Response<SupportedMethods>, Status> {
        Ok(Response::new(SupportedMethods {
            server_version: self.shared.options.version.clone(),
        }))
    }

    async fn resign(self: Arc<Self>, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.admit(request.metadata())?;
        self.shared.resign(self.node);
        Ok(Response::new(Empty {}))
    }

    fn admit(&self, said: &MetadataMap) -> Result<(), Status> {
        let Some((user, password)) = &self.shared.options.user else {
            return Ok(());
        };
        let due = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        match said.get("authorization") {
            Some(given) if given.as_bytes() == due.as_bytes() => Ok(()),
            _ => Err(Status::unauthenticated("")),
        }
    }

    /// Turns away what only the leader does.
    fn lead(&self) -> Result<(), Status> {
        match self.shared.leader() {
            Some(leader) if leader == self.node => Ok(()),
            None => Err(Status::unknown("No leader info available in response")),
            Some(leader) => {
                let mut status = Status::not_found("Leader info available");
                let port = self.shared.port(leader).to_string();
                for (key, value) in [
                    ("exception", "not-leader"),
                    ("leader-endpoint-host", "localhost"),
                    ("leader-endpoint-port", &port),
                ] {
                    status.metadata_mut().insert(key, value.parse().unwrap());
                }
                Err(status)
            }
        }
    }
}

/// Whether faults may befall appends to it: not to what the store and the server need for themselves.
fn is_of_events(stream: &str) -> bool {
    !stream.contains('+') && !stream.starts_with('$')
}

fn both(position: u64) -> WirePosition {
    WirePosition {
        commit_position: position,
        prepare_position: position,
    }
}

fn name(at: &StreamAt) -> Result<String, Status> {
    let name = at.stream.as_ref().map(|stream| stream.stream_name.to_vec());
    let name = name.and_then(|name| String::from_utf8(name).ok());
    name.ok_or_else(|| Status::invalid_argument("stream"))
}

fn expects(at: &StreamAt) -> Result<Expects, Status> {
    match &at.expected {
        Some(ExpectedAt::Any(_)) => Ok(Expects::Any),
        Some(ExpectedAt::NoStream(_)) => Ok(Expects::NoStream),
        Some(ExpectedAt::StreamExists(_)) => Ok(Expects::Exists),
        Some(ExpectedAt::Revision(revision)) if i64::try_from(*revision).is_ok() => {
            Ok(Expects::Revision(*revision))
        }
        _ => Err(Status::invalid_argument("expected revision")),
    }
}

async fn batch(mut requests: Streaming<AppendReq>) -> Result<(StreamAt, Vec<Write>), Status> {
    let first = requests.message().await?.and_then(|first| first.content);
    let Some(AppendContent::Options(at)) = first else {
        return Err(Status::unknown("Exception was thrown by handler."));
    };
    let (mut batch, mut size) = (Vec::new(), 0);
    while let Some(request) = requests.message().await? {
        let Some(AppendContent::Proposed(mut event)) = request.content else {
            return Err(Status::unknown("Exception was thrown by handler."));
        };
        let mut property = |name: &str| {
            let missing = format!("Required Metadata Property '{name}' is missing");
            event
                .metadata
                .remove(name)
                .ok_or_else(|| Status::invalid_argument(missing))
        };
        let (kind, content_type) = (property("type")?, property("content-type")?);
        let id = event.id.as_ref().and_then(|id| id.id());
        size += event.data.len() + event.custom_metadata.len() + 2 * kind.encode_utf16().count();
        if size > MAX_APPEND {
            let reason = format!("Maximum Append Size of {MAX_APPEND} Exceeded.");
            return Err(Status::invalid_argument(reason));
        }
        batch.push(Write {
            id: id.ok_or_else(|| Status::invalid_argument("id"))?,
            kind,
            content_type,
            data: event.data,
            metadata: event.custom_metadata,
        });
    }
    Ok((at, batch))
}

fn grpc<T, U>() -> Grpc<ProstCodec<T, U>>
where
    T: prost::Message + Send + 'static,
    U: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(17 << 20)
}

/// A function as the service that the gRPC library asks for.
struct With<F>(F);

impl<F, Fut, A, B> Service<Request<A>> for With<F>
where
    F: FnMut(Request<A>) -> Fut,
    Fut: Future<Output = Result<Response<B>, Status>>,
{
    type Response = Response<B>;
    type Error = Status;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<A>) -> Fut {
        (self.0)(request)
    }
}

/// So long a subscription waits at most before it looks again.
pub(super) const IDLE: Duration = Duration::from_secs(1);
