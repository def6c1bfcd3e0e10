//! A link to one node: calls of our own for what is appended and read, the client crate for the rest.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::stream;
use http::uri::PathAndQuery;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tonic::body::BoxBody;
use tonic::client::Grpc;
use tonic::codec::{ProstCodec, Streaming};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use super::trouble::Trouble;
use super::url::{Endpoint, Settings};
use super::wire::appends::{AppendContent, AppendReq, AppendResp, ExpectedAt, Proposed, StreamAt};
use super::wire::{ClusterInfo, Empty, ReadOptions, ReadReq, ReadResp};
use crate::store::StoreError;

/// The largest message taken: an append of foreign events may be larger than ours.
const MAX_MESSAGE: usize = 17 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

type Http = HttpClient<HttpsConnector<HttpConnector>, BoxBody>;

/// What every link is made with.
#[derive(Clone)]
pub(super) struct Dialer {
    tls: rustls::ClientConfig,
    keep_alive: (Duration, Duration),
    scheme: &'static str,
    /// The client crate's parameters.
    parameters: String,
    credentials: Option<(String, String)>,
    headers: MetadataMap,
}

impl Dialer {
    pub(super) fn new(settings: &Settings, tls: rustls::ClientConfig) -> Result<Self, StoreError> {
        let unfit = |_| StoreError::invalid("the store's URL: `connectionName` is plain ASCII");
        let mut headers = MetadataMap::new();
        headers.insert("requires-leader", MetadataValue::from_static("true"));
        let name: MetadataValue<Ascii> = settings.connection_name.parse().map_err(unfit)?;
        headers.insert("connection-name", name);
        if let Some((user, password)) = &settings.user {
            let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            headers.insert("authorization", basic.parse().map_err(unfit)?);
        }
        let (interval, timeout) = settings.keep_alive;
        let mut parameters = format!(
            "tls={}&tlsVerifyCert={}&nodePreference=leader&maxDiscoverAttempts=2&discoveryInterval=50&gossipTimeout={}\
             &keepAliveInterval={}&keepAliveTimeout={}&connectionName={}",
            settings.tls,
            settings.verify_certificates,
            settings.gossip_timeout.as_millis(),
            interval.as_millis().max(10_000),
            timeout.as_millis().max(10_000),
            utf8_percent_encode(&settings.connection_name, NON_ALPHANUMERIC),
        );
        if let Some(path) = settings.ca_file.as_ref().filter(|_| settings.tls) {
            let path = path.to_string_lossy();
            parameters.push_str("&tlsCaFile=");
            parameters.extend(utf8_percent_encode(&path, NON_ALPHANUMERIC));
        }
        Ok(Self {
            tls,
            keep_alive: settings.keep_alive,
            scheme: if settings.tls { "https" } else { "http" },
            parameters,
            credentials: settings.user.clone(),
            headers,
        })
    }

    /// A link to `node`; nothing is sent yet. Must be called within a runtime.
    pub(super) fn link(&self, node: &Endpoint) -> Result<Link, Trouble> {
        let unfit = |error: String| Trouble::NotDone(format!("no client for {node}: {error}"));
        let settings = format!("esdb://{node}?{}", self.parameters);
        let settings = settings
            .parse::<eventstore::ClientSettings>()
            .map_err(|error| unfit(error.to_string()))?;
        let client = eventstore::Client::new(settings).map_err(|error| unfit(error.to_string()))?;
        Ok(Link {
            node: node.clone(),
            client,
            credentials: self.credentials.clone(),
            caller: self.caller(node)?,
        })
    }

    /// Our own way to call `node`.
    pub(super) fn caller(&self, node: &Endpoint) -> Result<Caller, Trouble> {
        let origin = format!("{}://{node}", self.scheme)
            .parse()
            .map_err(|_| Trouble::NotDone(format!("{node} is no address")))?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.tls.clone())
            .https_or_http()
            .enable_http2()
            .wrap_connector(tcp);
        let http: Http = HttpClient::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .http2_only(true)
            .http2_keep_alive_interval(self.keep_alive.0)
            .http2_keep_alive_timeout(self.keep_alive.1)
            .http2_keep_alive_while_idle(true)
            .build(connector);
        Ok(Caller {
            grpc: Grpc::with_origin(http, origin).max_decoding_message_size(MAX_MESSAGE),
            headers: self.headers.clone(),
        })
    }
}

/// A node, and both ways to talk to it. Thrown away as a whole when anything goes wrong with either.
pub(super) struct Link {
    pub(super) node: Endpoint,
    /// Tombstones and metadata: it is pointed at this one node, so that its own discovery has nothing to do.
    pub(super) client: eventstore::Client,
    pub(super) credentials: Option<(String, String)>,
    /// Appends and reads.
    pub(super) caller: Caller,
}

/// Calls of our own to one node.
#[derive(Clone)]
pub(super) struct Caller {
    grpc: Grpc<Http>,
    headers: MetadataMap,
}

impl Caller {
    /// `Streams.Append`: one batch.
    pub(super) async fn append(
        &self,
        stream: &str,
        expected: ExpectedAt,
        events: Vec<Proposed>,
    ) -> Result<AppendResp, Trouble> {
        let mut grpc = self.ready().await?;
        let options = AppendContent::Options(StreamAt {
            stream: Some(stream.into()),
            expected: Some(expected),
        });
        let contents =
            std::iter::once(options).chain(events.into_iter().map(AppendContent::Proposed));
        let messages = contents.map(|content| AppendReq {
            content: Some(content),
        });
        let request = self.request(stream::iter(messages));
        let path = PathAndQuery::from_static("/event_store.client.streams.Streams/Append");
        let answer = grpc
            .client_streaming(request, path, ProstCodec::default())
            .await;
        match answer {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(Trouble::of_status(&status)),
        }
    }

    /// `Streams.Read`: reading and following alike.
    pub(super) async fn read(&self, options: ReadOptions) -> Result<Streaming<ReadResp>, Trouble> {
        let mut grpc = self.ready().await?;
        let request = self.request(ReadReq {
            options: Some(options),
        });
        let path = PathAndQuery::from_static("/event_store.client.streams.Streams/Read");
        let answer = grpc
            .server_streaming(request, path, ProstCodec::default())
            .await;
        match answer {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(Trouble::of_status(&status)),
        }
    }

    /// `Gossip.Read`: the nodes of the cluster, as this one sees it.
    pub(super) async fn gossip(&self) -> Result<ClusterInfo, Trouble> {
        let mut grpc = self.ready().await?;
        let path = PathAndQuery::from_static("/event_store.client.gossip.Gossip/Read");
        let answer = grpc
            .unary(self.request(Empty {}), path, ProstCodec::default())
            .await;
        match answer {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(Trouble::of_status(&status)),
        }
    }

    async fn ready(&self) -> Result<Grpc<Http>, Trouble> {
        let mut grpc = self.grpc.clone();
        match grpc.ready().await {
            Ok(()) => Ok(grpc),
            Err(error) => Err(Trouble::NotDone(error.to_string())),
        }
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        tonic::Request::from_parts(self.headers.clone(), tonic::Extensions::default(), message)
    }
}
