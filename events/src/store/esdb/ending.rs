//! What must be known of a namespace beyond its events: that it was sealed, and what was erased.
//!
//! The server knows neither transactions over streams nor a lock. So a seal is an event in a stream of the store's own, of
//! which every node makes sure right before each try to write, unless it did so a moment ago; and whoever seals waits until
//! nothing can be under way any more that was sent before that.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventstore::{Credentials, ExpectedRevision, TombstoneStreamOptions};
use tokio::time::timeout;
use uuid::Uuid;

use super::Inner;
use super::appending::{self, contained, write};
use super::link::Link;
use super::reading::{self, PAGE, STREAM_PATIENCE};
use super::supervisor::BUDGET;
use super::trouble::Trouble;
use super::wire::appends::{ExpectedAt, Proposed};
use super::wire::{Empty, Revision};
use crate::store::queue::refuse_sealed;
use crate::store::{Direction, StoreError};
use crate::stream::StreamName;

/// How long a node relies on having found no seal.
const RELY: Duration = Duration::from_secs(1);

/// How long the seal may take to be read before something is sent.
const ASK_PATIENCE: Duration = Duration::from_secs(2);

/// What it may take on top to come to an end: for the tasks to be scheduled, and for the server to put down what it took.
const MARGIN: Duration = Duration::from_secs(2);

/// How long one try to write may take, asking for the seal included. More than its parts, so that it is they that give up:
/// they know whether something was sent.
pub(super) const WRITE_PATIENCE: Duration = ASK_PATIENCE
    .saturating_add(appending::PATIENCE)
    .saturating_add(Duration::from_secs(1));

/// How long whoever seals waits: for nodes that still rely on there being no seal, and for what they have sent.
const SETTLE: Duration = RELY.saturating_add(WRITE_PATIENCE).saturating_add(MARGIN);

/// What this process knows of the seal.
#[derive(Debug, Default)]
pub(super) struct Seal(Mutex<Known>);

#[derive(Debug, Clone, Default)]
enum Known {
    #[default]
    Nothing,
    /// There was none at this time.
    None(Instant),
    /// It is sealed, which it stays.
    Sealed(String),
}

impl Seal {
    fn get(&self) -> Known {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// An answer from before the seal doesn't break it.
    fn set(&self, known: Known) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*now, Known::Sealed(_)) {
            *now = known;
        }
    }
}

impl Inner {
    /// Refuses what a sealed log doesn't take.
    pub(super) async fn writable(&self) -> Result<(), StoreError> {
        match self.seal.get() {
            Known::Sealed(why) => return Err(refuse_sealed(&why)),
            Known::None(at) if at.elapsed() < RELY => return Ok(()),
            Known::None(_) | Known::Nothing => {}
        }
        match self.sealed().await? {
            Some(why) => Err(refuse_sealed(&why)),
            None => Ok(()),
        }
    }

    pub(super) async fn sealed(&self) -> Result<Option<String>, StoreError> {
        let read = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                self.ask(&link).await
            });
        read.await
    }

    /// Reads why the log was sealed.
    async fn ask(&self, link: &Link) -> Result<Option<String>, Trouble> {
        // Before it is asked: the answer may be older than its arrival.
        let asked = Instant::now();
        let (stream, start) = (self.names.seal(), Revision::Start(Empty {}));
        let page = match reading::stream(link, &stream, start, Direction::Forwards, 1).await {
            Err(Trouble::Deleted) => {
                let reason = format!("the stream `{stream}`, which tells of a seal, was deleted");
                return Err(Trouble::Invalid(reason));
            }
            page => page?,
        };
        let why = page.events.first().map(|event| text(&event.data));
        self.seal.set(match &why {
            Some(why) => Known::Sealed(why.clone()),
            None => Known::None(asked),
        });
        Ok(why)
    }

    /// Makes one try of a write over `link`, which is there, unless the log is sealed. What comes of it is known at most
    /// [`RELY`] and [`appending::PATIENCE`] after it was last found unsealed; for [`WRITE_PATIENCE`] altogether.
    ///
    /// It is `Lost` only if it was sent.
    pub(super) async fn unsealed<T>(
        &self,
        link: &Link,
        write: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let why = match self.seal.get() {
            Known::Sealed(why) => Some(why),
            Known::None(at) if at.elapsed() < RELY => None,
            Known::None(_) | Known::Nothing => match timeout(ASK_PATIENCE, self.ask(link)).await {
                Ok(Err(Trouble::Lost(reason))) => return Err(Trouble::NotDone(reason)),
                Ok(answer) => answer?,
                Err(_) => {
                    let reason = format!("no answer within {ASK_PATIENCE:?}");
                    return Err(Trouble::NotDone(reason));
                }
            },
        };
        if let Some(why) = why {
            return Err(Trouble::Sealed(why));
        }
        match timeout(appending::PATIENCE, write).await {
            Ok(written) => written,
            Err(_) => {
                let patience = appending::PATIENCE;
                Err(Trouble::Lost(format!("no answer within {patience:?}")))
            }
        }
    }

    /// Erases `name`, as the log's contract says.
    pub(super) async fn erase(&self, name: &StreamName) -> Result<(), StoreError> {
        self.writable().await?;
        self.note_erasure(name).await?;
        let on_server = &self.names.on_server(name);
        // Whoever appends to it in this process is done first, and knows nothing of it afterwards.
        let known = self.streams.of(name);
        let Ok(mut known) = timeout(BUDGET, known.lock()).await else {
            return Err(StoreError::unavailable(
                "others are appending to the stream",
            ));
        };
        known.forget();
        let sent = &AtomicBool::new(false);
        let erased = self
            .supervisor
            .retry(WRITE_PATIENCE, |link: Arc<Link>| async move {
                match self.unsealed(&link, tombstone(&link, on_server)).await {
                    Ok(()) | Err(Trouble::Deleted) => Ok(()),
                    Err(trouble) => {
                        let lost = matches!(trouble, Trouble::Lost(_));
                        sent.fetch_or(lost, Ordering::Relaxed);
                        Err(trouble)
                    }
                }
            });
        let erased = erased.await;
        erased.map_err(|error| appending::said(sent.load(Ordering::Relaxed), error))?;
        self.erased.add(name);
        Ok(())
    }

    pub(super) async fn seal(&self, why: &str) -> Result<(), StoreError> {
        if self.read_only {
            return Err(StoreError::refused("it was opened for reading only"));
        }
        let stream = &self.names.seal();
        let (id, why) = (Uuid::new_v4(), Bytes::copy_from_slice(why.as_bytes()));
        let why = &why;
        let written = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let event = Proposed::new(id, "carnet-seal", why.clone(), Bytes::new());
                match write(&link, stream, ExpectedAt::NoStream(Empty {}), vec![event]).await {
                    // It is sealed already.
                    Err(Trouble::WrongRevision) => Ok(()),
                    written => written.map(|_| ()),
                }
            });
        written.await?;
        tokio::time::sleep(SETTLE).await;
        self.sealed().await.map(drop)
    }

    /// Notes that `name` is to be erased, before it is: the server tells of an erased stream only who asks for it by name.
    pub(super) async fn note_erasure(&self, name: &StreamName) -> Result<(), StoreError> {
        let stream = &self.names.erasures();
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_str().as_bytes());
        let written = self
            .supervisor
            .retry(WRITE_PATIENCE, |link: Arc<Link>| async move {
                let name = Bytes::copy_from_slice(name.as_str().as_bytes());
                let event = Proposed::new(id, "carnet-erasure", name, Bytes::new());
                let written = write(&link, stream, ExpectedAt::Any(Empty {}), vec![event]);
                self.unsealed(&link, written).await.map(drop)
            });
        written.await
    }

    /// The streams that were erased: of those noted the ones that are.
    pub(super) async fn all_erased(&self) -> Result<Vec<StreamName>, StoreError> {
        let stream = &self.names.erasures();
        let (mut noted, mut from) = (BTreeSet::new(), 0);
        loop {
            let read = self
                .supervisor
                .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                    let at = Revision::At(from);
                    reading::stream(&link, stream, at, Direction::Forwards, PAGE).await
                });
            let page = read.await?;
            for event in &page.events {
                from = event.revision + 1;
                let strange =
                    |_| StoreError::corrupt("an erasure was noted under an impossible name");
                noted.insert(text(&event.data).parse::<StreamName>().map_err(strange)?);
            }
            if page.whole || page.events.is_empty() {
                break;
            }
        }
        let mut erased = Vec::new();
        for name in noted {
            let on_server = &self.names.on_server(&name);
            let is_erased = self
                .supervisor
                .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                    match reading::head(&link, on_server).await {
                        Err(Trouble::Deleted) => Ok(true),
                        head => head.map(|_| false),
                    }
                });
            if is_erased.await? {
                erased.push(name);
            }
        }
        Ok(erased)
    }
}

/// One try to close a stream for good.
async fn tombstone(link: &Link, stream: &str) -> Result<(), Trouble> {
    let mut options = TombstoneStreamOptions::default()
        .expected_revision(ExpectedRevision::Any)
        .requires_leader(true)
        .deadline(appending::PATIENCE);
    if let Some((user, password)) = link.credentials.clone() {
        options = options.authenticated(Credentials::new(user, password));
    }
    let (client, stream) = (link.client.clone(), stream.to_owned());
    let call = async move { client.tombstone_stream(stream, &options).await };
    contained(call).await.map(drop)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
