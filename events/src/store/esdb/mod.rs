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
//! up with the same ids (`appending`). Subscriptions are readings, told by one subscription of the server's when there
//! is something to read (`following`). A link lost to a dead, deposed or silent node is made anew (`supervisor`).
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
mod following;
mod known;
mod link;
mod names;
mod reading;
mod supervisor;
mod tls;
mod total;
mod trouble;
mod url;
pub(crate) mod wire;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use eventstore::{AppendToStreamOptions, Credentials, ExpectedRevision, StreamMetadataBuilder};
use futures::stream::{self, StreamExt, TryStreamExt};
use lru::LruCache;
use uuid::Uuid;

use self::appending::{contained, write};
use self::following::Tail;
use self::known::Streams;
use self::link::Link;
use self::names::Names;
use self::reading::{PAGE, STREAM_PATIENCE};
use self::supervisor::Supervisor;
use self::trouble::Trouble;
pub(super) use self::url::DEFAULT_NAMESPACE;
use self::url::Settings;
use self::wire::appends::{ExpectedAt, Proposed};
use self::wire::{Empty, Revision};
use super::types::skew_at_least;
use super::{
    Access, Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom,
    StoreError, StoreHealth,
};
use crate::envelope::{NewEvent, Position, Recorded};
use crate::stream::{StreamKind, StreamName};

/// Revisions beyond this are taken for the end: the server counts with signed numbers.
const MAX_REVISION: u64 = 1 << 53;
/// What the mark of a namespace says.
const MARK: &[u8] = br#"{"format":1}"#;

/// A store on EventStoreDB or KurrentDB. Clones share their links and what they know.
#[derive(Clone)]
pub struct EsdbStore(Arc<Inner>);

struct Inner {
    supervisor: Supervisor,
    names: Names,
    read_only: bool,
    streams: Streams,
    erased: Erased,
    seal: ending::Seal,
    tail: Tail,
    /// Before this stands nothing of ours; `None` when that isn't known.
    mark: Option<Position>,
    /// The stream of probes was told to keep one event.
    probes_bounded: AtomicBool,
}

/// Streams known to be erased, as many as are worth remembering: they stay so.
struct Erased(Mutex<LruCache<StreamName, ()>>);

impl Erased {
    const MOST: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

    fn contains(&self, name: &StreamName) -> bool {
        let mut erased = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        erased.get(name).is_some()
    }

    fn add(&self, name: &StreamName) {
        let mut erased = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        erased.put(name.clone(), ());
    }
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
            erased: Erased(Mutex::new(LruCache::new(Erased::MOST))),
            seal: ending::Seal::default(),
            tail: Tail::new(),
            mark,
            probes_bounded: AtomicBool::new(false),
        })))
    }
}

/// Where the namespace begins; marked there if it is new, so that nobody ever looks for our events in what others wrote
/// before there were any.
async fn mark(
    supervisor: &Supervisor,
    stream: &str,
    read_only: bool,
) -> Result<Option<Position>, StoreError> {
    let corrupt = &|| {
        StoreError::corrupt(format!(
            "the stream `{stream}`, with which the namespace begins, was deleted or is not ours"
        ))
    };
    for _ in 0..2 {
        let read = supervisor.retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
            let start = Revision::Start(Empty {});
            let page = reading::stream(&link, stream, start, Direction::Forwards, 1).await;
            match page {
                Err(Trouble::Deleted) => Ok(Err(corrupt())),
                page => Ok(Ok(page?.events.into_iter().next())),
            }
        });
        if let Some(event) = read.await?? {
            let position = reading::position(&event).map_err(Trouble::into_error)?;
            let ours = event.revision == 0 && event.data == MARK;
            return if ours {
                Ok(Some(position))
            } else {
                Err(corrupt())
            };
        }
        if read_only {
            return Ok(None);
        }
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, stream.as_bytes());
        let written = supervisor.retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
            let mark = Bytes::from_static(MARK);
            let event = Proposed::new(id, "carnet-store", mark, Bytes::new());
            match write(&link, stream, ExpectedAt::NoStream(Empty {}), vec![event]).await {
                // Somebody else was first.
                Err(Trouble::WrongRevision) => Ok(()),
                written => written.map(|_| ()),
            }
        });
        written.await?;
    }
    Err(corrupt())
}

impl Inner {
    /// One page of a stream; an erased one has none.
    async fn stream_page(
        &self,
        on_server: &str,
        from: Revision,
        direction: Direction,
        max: usize,
    ) -> Result<(Vec<Recorded>, bool), StoreError> {
        let from = &from;
        let page = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let from = from.clone();
                let page = reading::stream(&link, on_server, from, direction, max).await;
                let page = match page {
                    Err(Trouble::Deleted) => return Ok((Vec::new(), true)),
                    page => page?,
                };
                let events = page
                    .events
                    .into_iter()
                    .filter_map(|event| reading::recorded(&self.names, event).transpose())
                    .collect::<Result<Vec<Recorded>, Trouble>>()?;
                Ok((events, page.whole))
            });
        page.await
    }

    async fn head(&self, name: &StreamName) -> Result<Option<u64>, StoreError> {
        let on_server = &self.names.on_server(name);
        let head = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                match reading::head(&link, on_server).await {
                    Err(Trouble::Deleted) => Ok(None),
                    head => head,
                }
            });
        head.await
    }

    /// Where a reading begins on the server; `None` when there is nothing to read.
    async fn begin(
        &self,
        name: &StreamName,
        from: ReadFrom,
        direction: Direction,
    ) -> Result<Option<Revision>, StoreError> {
        let end = Revision::End(Empty {});
        Ok(match (direction, from) {
            (Direction::Forwards, ReadFrom::End) => None,
            (Direction::Forwards, ReadFrom::Revision(at)) if at > MAX_REVISION => None,
            (Direction::Forwards, ReadFrom::Revision(at)) => Some(Revision::At(at)),
            (_, ReadFrom::Start) => Some(Revision::At(0)),
            (Direction::Backwards, ReadFrom::End) => Some(end),
            // The server gives nothing when asked to begin behind the end.
            (Direction::Backwards, ReadFrom::Revision(at)) => match self.head(name).await? {
                Some(head) if at < head => Some(Revision::At(at)),
                Some(_) => Some(end),
                None => None,
            },
        })
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        if self.read_only {
            return Err(StoreError::refused("it was opened for reading only"));
        }
        self.writable().await?;
        let stream = &self.names.probes();
        if !self.probes_bounded.swap(true, Ordering::SeqCst) {
            self.bound_probes(stream).await;
        }
        let id = Uuid::new_v4();
        let begun = SystemTime::now();
        let written = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let event = Proposed::new(id, "probe", Bytes::new(), Bytes::new());
                let written = write(&link, stream, ExpectedAt::Any(Empty {}), vec![event]).await;
                Ok((written?.0, SystemTime::now()))
            });
        let (revision, answered) = written.await?;
        let created = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let (from, forwards) = (Revision::At(revision), Direction::Forwards);
                let page = reading::stream(&link, stream, from, forwards, 1).await?;
                let event = page.events.first();
                // In tenths of a microsecond; the client crate would cut it to seconds.
                let ticks =
                    event.and_then(|event| event.metadata.get("created")?.parse::<i64>().ok());
                Ok(ticks.map(|ticks| ticks / 10_000))
            });
        let (begun, answered) = (unix_ms(begun), unix_ms(answered));
        let created = created.await?;
        Ok(StoreHealth {
            clock_skew_ms: created.map(|created| skew_at_least(created, begun, answered)),
        })
    }

    /// Tells the server to keep one probe. A user who may not say so leaves the probes there, which harms little.
    async fn bound_probes(&self, stream: &str) {
        let told = self
            .supervisor
            .attempt(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let mut options = AppendToStreamOptions::default()
                    .expected_revision(ExpectedRevision::NoStream)
                    .requires_leader(true)
                    .deadline(STREAM_PATIENCE);
                if let Some((user, password)) = link.credentials.clone() {
                    options = options.authenticated(Credentials::new(user, password));
                }
                let metadata = StreamMetadataBuilder::new().max_count(1).build();
                let (client, stream) = (link.client.clone(), stream.to_owned());
                let call = async move {
                    client
                        .set_stream_metadata(stream, &options, &metadata)
                        .await
                };
                contained(call).await
            });
        match told.await {
            Ok(_) | Err(Trouble::WrongRevision) => {}
            Err(trouble) => {
                tracing::info!(%trouble, stream, "probes of the event store are not bounded");
            }
        }
    }
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
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
        let (inner, name) = (Arc::clone(&self.0), stream.clone());
        if max == 0 {
            return stream::empty().boxed();
        }
        stream::once(async move {
            let begin = inner.begin(&name, from, direction).await?;
            let place = begin.map(|from| (from, max));
            let on_server = inner.names.on_server(&name);
            let pages = stream::try_unfold(place, move |place| {
                let (inner, on_server) = (Arc::clone(&inner), on_server.clone());
                async move {
                    let Some((from, left)) = place else {
                        return Ok::<_, StoreError>(None);
                    };
                    let most = left.min(PAGE);
                    let page = inner.stream_page(&on_server, from, direction, most).await?;
                    let (events, whole) = page;
                    let left = left - events.len();
                    let next = events.last().and_then(|event| match direction {
                        Direction::Forwards => event.revision.checked_add(1),
                        Direction::Backwards => event.revision.checked_sub(1),
                    });
                    let goes_on = !whole && left > 0;
                    let place = next.filter(|_| goes_on).map(|at| (Revision::At(at), left));
                    let events = events.into_iter().map(Ok::<_, StoreError>);
                    Ok(Some((stream::iter(events), place)))
                }
            });
            Ok::<_, StoreError>(pages.try_flatten())
        })
        .try_flatten()
        .boxed()
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

    async fn sealed(&self) -> Result<Option<String>, StoreError> {
        self.0.sealed().await
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
