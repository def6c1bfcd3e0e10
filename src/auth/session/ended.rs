//! Sessions that are over before their time, as the log says.
//!
//! A session's end stands in the stream of the day it began, so one stream tells whether it is over. The fold of a day is
//! kept and held against the stream's head, which every node sees at once: an end counts everywhere from the moment it is
//! recorded. To end is to add to a set: ends never conflict, whatever their order, so they are appended with `Any`.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use carnet_events::codec::{self, Context};
use carnet_events::domain::session::{EndCause, SessionEnded, SessionEvent, SessionStarted};
use carnet_events::ids::{Day, PrincipalId, Timestamp};
use carnet_events::store::{Direction, EventStore, Expected, ReadFrom, StoreError};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;
use uuid::Uuid;

use super::{Session, SessionError, SessionKey};

/// Days whose ends are kept in memory: more than any session lasts.
const MAX_DAYS: usize = 16;

/// Ends kept in memory, of all days; some 50 MB. Days beyond that are read anew by whoever asks, the oldest first.
const MAX_ENDS: usize = 1_000_000;

/// The sessions of one day that are over, up to a revision of their stream.
#[derive(Debug, Default)]
struct Fold {
    revision: Option<u64>,
    ended: HashSet<Uuid>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ended {
    days: Mutex<BTreeMap<Day, Fold>>,
    /// Ends kept in memory.
    most: usize,
}

impl Default for Ended {
    fn default() -> Self {
        Self::keeping(MAX_ENDS)
    }
}

impl Ended {
    pub(super) fn keeping(most: usize) -> Self {
        Self {
            days: Mutex::default(),
            most,
        }
    }

    /// Whether the log says that a session is over, linearizable.
    pub(super) async fn contains(
        &self,
        store: &dyn EventStore,
        key: SessionKey,
    ) -> Result<bool, SessionError> {
        let day = key.started_at.day();
        let stream = StreamName::sessions(day);
        let head = store.head(&stream).await?;
        let known = match self.lock().get(&day) {
            Some(fold) if fold.revision >= head => return Ok(fold.ended.contains(&key.id)),
            // No end is ever taken back.
            Some(fold) if fold.ended.contains(&key.id) => return Ok(true),
            Some(fold) => fold.revision,
            None => None,
        };
        let News {
            revision,
            ended,
            names_it,
        } = read(store, &stream, known, (key.id, self.most)).await?;
        let Some(news) = ended else {
            // More than are kept. What was known of the day isn't all there is any more.
            self.lock().remove(&day);
            return Ok(names_it);
        };
        let mut days = self.lock();
        let fold = days.entry(day).or_default();
        // Of two who read at once each adds what it found; adding twice is adding once. Should the fold have gone meanwhile,
        // it begins anew, and what was read of it isn't all there is.
        if fold.revision >= known {
            fold.ended.extend(news);
            fold.revision = fold.revision.max(revision);
            let over = fold.ended.contains(&key.id);
            while days.len() > MAX_DAYS || kept(&days) > self.most {
                days.pop_first();
            }
            return Ok(over);
        }
        Err(StoreError::Unavailable {
            reason: "too many days are looked up at once".to_owned(),
        }
        .into())
    }

    pub(super) async fn record_start(
        &self,
        store: &dyn EventStore,
        session: &Session,
        principal: PrincipalId,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        let started = SessionEvent::Started(SessionStarted {
            session: session.key.id,
            by: session.by,
        });
        append(store, session, principal, &started, now).await
    }

    pub(super) async fn record_end(
        &self,
        store: &dyn EventStore,
        session: &Session,
        principal: PrincipalId,
        cause: EndCause,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        let ended = SessionEvent::Ended(SessionEnded {
            session: session.key.id,
            cause,
        });
        append(store, session, principal, &ended, now).await
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        kept(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Day, Fold>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kept(days: &BTreeMap<Day, Fold>) -> usize {
    days.values().map(|fold| fold.ended.len()).sum()
}

/// What the events after a revision say.
struct News {
    /// The revision of the last of them.
    revision: Option<u64>,
    /// The sessions they end; `None`: too many.
    ended: Option<Vec<Uuid>>,
    /// The session that is asked for is among them.
    names_it: bool,
}

/// What the events after `known` say of a session, and of up to `most` others.
async fn read(
    store: &dyn EventStore,
    stream: &StreamName,
    known: Option<u64>,
    (session, most): (Uuid, usize),
) -> Result<News, SessionError> {
    let from = known.map_or(ReadFrom::Start, |known| ReadFrom::Revision(known + 1));
    let mut events = store.read(stream, from, Direction::Forwards, usize::MAX);
    let mut news = News {
        revision: known,
        ended: Some(Vec::new()),
        names_it: false,
    };
    while let Some(recorded) = events.next().await.transpose()? {
        let (_, event) = codec::decode::<SessionEvent>(&recorded)?;
        if let SessionEvent::Ended(end) = event.what {
            news.names_it |= end.session == session;
            news.ended = news.ended.filter(|ended| ended.len() < most);
            if let Some(ended) = &mut news.ended {
                ended.push(end.session);
            }
        }
        news.revision = Some(recorded.revision);
    }
    Ok(news)
}

/// The id of the event is derived: a session begins once and ends once, however often that is recorded.
async fn append(
    store: &dyn EventStore,
    session: &Session,
    principal: PrincipalId,
    event: &SessionEvent,
    at: Timestamp,
) -> Result<(), SessionError> {
    use carnet_events::codec::DomainEvent as _;

    let context = Context {
        tenant: session.who.tenant.clone(),
        principal: Some(principal),
        ..Context::default()
    };
    let id = Uuid::new_v5(&session.key.id, event.kind().as_bytes());
    let event = codec::encode(id, at, event, &context)?;
    let stream = StreamName::sessions(session.key.started_at.day());
    store.append(&stream, Expected::Any, vec![event]).await?;
    Ok(())
}
