//! What must be known of a namespace beyond its events: that it was sealed, and what was erased.
//!
//! The server knows neither transactions over streams nor a lock. So a seal is an event in a stream of the store's own, of
//! which every node makes sure before it sends an append, unless it did so a moment ago; and whoever seals waits until no
//! append can be under way any more that was sent before that.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventstore::{EventData, ExpectedRevision};
use uuid::Uuid;

use super::Inner;
use super::appending::{self, write};
use super::link::Link;
use super::reading::{self, PAGE, STREAM_PATIENCE};
use super::trouble::Trouble;
use super::wire::{Empty, Revision};
use crate::store::queue::refuse_sealed;
use crate::store::{Direction, StoreError};
use crate::stream::StreamName;

/// How long a node relies on having found no seal.
const RELY: Duration = Duration::from_secs(1);

/// How long whoever seals waits: for nodes that still rely on there being no seal, and for what they have sent.
const SETTLE: Duration = RELY
    .saturating_add(appending::PATIENCE)
    .saturating_add(Duration::from_secs(1));

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

    fn set(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
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
        // Before it is asked: the answer may be older than its arrival.
        let asked = Instant::now();
        let stream = &self.names.seal();
        let read = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let start = Revision::Start(Empty {});
                let page = reading::stream(&link, stream, start, Direction::Forwards, 1).await?;
                Ok(page.events.into_iter().next())
            });
        let why = read.await?.map(|event| text(&event.data));
        self.seal.set(match &why {
            Some(why) => Known::Sealed(why.clone()),
            None => Known::None(asked),
        });
        Ok(why)
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
                let event = EventData::binary("carnet-seal", why.clone()).id(id);
                match write(&link, stream, ExpectedRevision::NoStream, vec![event]).await {
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
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let name = Bytes::copy_from_slice(name.as_str().as_bytes());
                let event = EventData::binary("carnet-erasure", name).id(id);
                let written = write(&link, stream, ExpectedRevision::Any, vec![event]).await;
                written.map(drop)
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
