//! `esdb://…`: EventStoreDB and KurrentDB, releases 22.10 to 26, one node or a cluster.
//!
//! # The URL
//! `esdb://user:password@host:port,host:port?parameter=value`, user and password percent-encoded. One host is taken as the
//! node to talk to; several, or `esdb+discover://name:port`, are asked which node leads. `kurrentdb://` is the same.
//!
//! | parameter | meaning | unless given |
//! |---|---|---|
//! | `tls` | whether connections are encrypted | `true` |
//! | `tlsCaFile` | PEM file of the authority that signed the servers' certificates | the system's authorities |
//! | `tlsVerifyCert` | whether certificates are verified | `true` |
//! | `namespace` | what the names of our streams begin with, before a full stop | `carnet` |
//! | `gossipTimeout`, `discoveryInterval`, `keepAliveInterval`, `keepAliveTimeout` | milliseconds | 3000, 200, 10000, 10000 |
//!
//! # What it rests on
//! Everything is asked of the leader, which answers from what a majority holds; so reads are linearizable, as far as a
//! leader cut off from its cluster can be told by it: for the seconds until it notices, such a one may read stale, and
//! can confirm nothing. Appends are judged here and made at an exact revision (`known`); lost answers are followed
//! up with the same ids (`appending`). A stream is read by itself (`single`) or with all others in their order (`total`);
//! subscriptions are such readings, told by one subscription of the server's when there is something to read (`following`). A link
//! lost to a dead, deposed or silent node is made anew (`supervisor`).
//!
//! The client crate `eventstore` makes tombstones and stream metadata. What is appended and read goes over calls of our own
//! (`link`, `wire`): the crate leaves Nagle's algorithm on, so that an append alone on its connection waits the 40 ms
//! for which the server's kernel puts off its acknowledgement; its reading of `$all` takes no filter, its subscription can
//! spin for ever, it cuts timestamps to seconds, and it panics over answers that a later release may give.
//!
//! The addresses that the nodes advertise to clients must be reached from here, by the names in their certificates.
//!
//! # What differs
//! - Erasing hides a stream at once, from every reading, and closes it for ever; its bytes leave the disks when the server
//!   is **scavenged**, node by node, and backups when they are renewed. Have scavenges run as often as erasure must be
//!   physical.
//! - Two processes that send the same batch in the same moment may both be told that it was theirs
//!   ([`Appended::replayed`]); it is written once.
//! - Other software may write to the same server, but what it writes between two events of ours the server has to look through.
//!   With millions of those, reading on after a long standstill can take longer than the minute it is waited for, and fails.
//!   A server of its own is best.
//! - The user needs to append to streams and to read `$all`; by default only administrators read `$all`.

mod appending;
mod ending;
mod erased;
mod following;
mod known;
mod link;
mod mark;
mod names;
mod probing;
mod reading;
mod seal;
mod single;
mod supervisor;
mod tls;
mod total;
mod trouble;
mod url;
pub(crate) mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;

use self::erased::Erased;
use self::following::Tail;
use self::known::Streams;
use self::mark::mark;
use self::names::Names;
use self::supervisor::Supervisor;
pub(super) use self::url::DEFAULT_NAMESPACE;
use self::url::Settings;
use super::{
    Access, Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom,
    StoreError, StoreHealth,
};
use crate::envelope::{NewEvent, Position, Recorded};
use crate::stream::{StreamKind, StreamName};

/// A store on EventStoreDB or KurrentDB. Clones share their links and what they know.
#[derive(Clone)]
pub struct EsdbStore(Arc<Inner>);

struct Inner {
    supervisor: Supervisor,
    names: Names,
    read_only: bool,
    streams: Streams,
    erased: Erased,
    seal: seal::Seal,
    tail: Tail,
    /// Before this stands nothing of ours; `None` when that isn't known.
    mark: Option<Position>,
    /// The stream of probes was told to keep one event.
    probes_bounded: AtomicBool,
}

/// Finds out whether `url` is one that [`EsdbStore::open`] understands, without connecting to anything.
///
/// # Errors
/// `Invalid`, naming what to write instead.
pub fn check(url: &str) -> Result<(), StoreError> {
    Settings::parse(url).map(|_| ())
}

impl EsdbStore {
    /// Connects to the cluster that `url` names.
    ///
    /// # Errors
    /// `Invalid` for a URL that can't be understood, `Refused` when user or password are wrong, `Unavailable` when no
    /// leader could be reached in time.
    pub async fn open(url: &str, access: Access) -> Result<Self, StoreError> {
        let settings = Settings::parse(url)?;
        tls::prepare().await?;
        let names = Names::new(&settings.namespace);
        let supervisor = Supervisor::new(settings)?;
        let read_only = access == Access::ReadOnly;
        let mark = mark(&supervisor, &names.mark(), read_only).await?;
        Ok(Self(Arc::new(Inner {
            supervisor,
            names,
            read_only,
            streams: Streams::new(),
            erased: Erased::new(),
            seal: seal::Seal::default(),
            tail: Tail::new(),
            mark,
            probes_bounded: AtomicBool::new(false),
        })))
    }
}

#[async_trait]
impl EventStore for EsdbStore {
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        self.0.append(stream, expected, events).await
    }

    fn read(
        &self,
        stream: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded> {
        single::read(Arc::clone(&self.0), stream.clone(), from, direction, max)
    }

    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        self.0.head(stream).await
    }

    fn read_all(
        &self,
        after: Option<Position>,
        filter: Filter,
        max: usize,
    ) -> EventStream<Recorded> {
        total::read(Arc::clone(&self.0), after, filter, max)
    }

    async fn at(&self, position: Position) -> Result<Option<Recorded>, StoreError> {
        self.0.at(position).await
    }

    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery> {
        following::subscribe(Arc::clone(&self.0), after, filter)
    }

    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError> {
        if stream.kind() != StreamKind::Directory {
            return Err(StoreError::refused(format!(
                "{stream} is not a directory: its events stay"
            )));
        }
        if self.0.read_only {
            return Err(StoreError::refused("it was opened for reading only"));
        }
        self.0.erase(stream).await
    }

    async fn seal(&self, why: &str) -> Result<(), StoreError> {
        self.0.seal(why).await
    }

    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        self.0.reseal(was, why).await
    }

    async fn seals(&self) -> Result<Vec<String>, StoreError> {
        self.0.seals().await
    }

    async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        self.0.all_erased().await
    }

    async fn last_position(&self) -> Result<Option<Position>, StoreError> {
        self.0.last().await
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        self.0.probe().await
    }
}
