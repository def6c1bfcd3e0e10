//! The seal of a namespace.
//!
//! The server knows neither transactions over streams nor a lock. So a seal is an event in a stream of the store's own, of
//! which every node makes sure right before each try to write, unless it did so a moment ago; and whoever seals waits until
//! nothing can be under way any more that was sent before that. Further events there give it other reasons; the last one counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::timeout;
use uuid::Uuid;

use super::Inner;
use super::appending::{self, write};
use super::link::Link;
use super::reading::{self, PAGE, Page, STREAM_PATIENCE};
use super::trouble::Trouble;
use super::wire::appends::{ExpectedAt, Proposed};
use super::wire::{Empty, Revision};
use crate::store::queue::{judge_reseal, refuse_sealed};
use crate::store::{Direction, StoreError};

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

/// How often another reason is tried to be written, while others write some.
const RESEALS: usize = 4;

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

    /// An answer from before the seal doesn't break it; what the seal says may change.
    fn set(&self, known: Known) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(
            (&*now, &known),
            (Known::Sealed(_), Known::Nothing | Known::None(_))
        ) {
            *now = known;
        }
    }
}

impl Inner {
    /// Refuses what a sealed log doesn't take.
    pub(super) async fn writable(&self) -> Result<(), StoreError> {
        match self.seal.get() {
            Known::Sealed(why) => {
                // What it says may have changed; that it is sealed has not, whoever can be asked.
                let asked = self
                    .supervisor
                    .attempt(ASK_PATIENCE, |link: Arc<Link>| async move {
                        self.ask(&link).await
                    });
                let now = asked.await.ok().flatten();
                return Err(refuse_sealed(&now.unwrap_or(why)));
            }
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

    /// Reads why the log is sealed.
    async fn ask(&self, link: &Link) -> Result<Option<String>, Trouble> {
        // Before it is asked: the answer may be older than its arrival.
        let asked = Instant::now();
        let end = Revision::End(Empty {});
        let page = self.reasons(link, end, Direction::Backwards, 1).await?;
        let why = page.events.first().map(|event| text(&event.data));
        self.seal.set(match &why {
            Some(why) => Known::Sealed(why.clone()),
            None => Known::None(asked),
        });
        Ok(why)
    }

    /// A page of the reasons that the log was sealed for.
    async fn reasons(
        &self,
        link: &Link,
        from: Revision,
        direction: Direction,
        max: usize,
    ) -> Result<Page, Trouble> {
        let stream = self.names.seal();
        match reading::stream(link, &stream, from, direction, max).await {
            Err(Trouble::Deleted) => Err(Trouble::Invalid(format!(
                "the stream `{stream}`, which tells of a seal, was deleted"
            ))),
            page => page,
        }
    }

    /// Every reason there ever was, the first one first.
    pub(super) async fn seals(&self) -> Result<Vec<String>, StoreError> {
        let mut seals = Vec::new();
        loop {
            let from = seals.len() as u64;
            let read = self
                .supervisor
                .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                    let at = Revision::At(from);
                    self.reasons(&link, at, Direction::Forwards, PAGE).await
                });
            let page = read.await?;
            seals.extend(page.events.iter().map(|event| text(&event.data)));
            if page.whole || page.events.is_empty() {
                return Ok(seals);
            }
        }
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

    pub(super) async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        if self.read_only {
            return Err(StoreError::refused("it was opened for reading only"));
        }
        let stream = &self.names.seal();
        let (id, reason) = (Uuid::new_v4(), &Bytes::copy_from_slice(why.as_bytes()));
        for _ in 0..RESEALS {
            let seals = self.seals().await?;
            if !judge_reseal(seals.last().map(String::as_str), was, why)? {
                return Ok(());
            }
            let head = seals.len() as u64 - 1;
            let written = self
                .supervisor
                .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                    let event = Proposed::new(id, "carnet-seal", reason.clone(), Bytes::new());
                    match write(&link, stream, ExpectedAt::Revision(head), vec![event]).await {
                        // Somebody was first, or this was, and nobody heard of it: the stream tells.
                        Err(Trouble::WrongRevision) => Ok(false),
                        written => written.map(|_| true),
                    }
                });
            if written.await? {
                return Ok(());
            }
        }
        Err(StoreError::unavailable(
            "others are changing what the seal says",
        ))
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
