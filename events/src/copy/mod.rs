//! Moving a log to another store: every event with its bytes, id, stream and revision, in the same total order.
//!
//! The source is sealed first, so that nothing is written to it any more while it is copied, nor afterwards by mistake. A
//! copy that was broken off, wherever, goes on when it is begun again: what the target holds must be the beginning of the
//! source, event for event, and the rest is written after it. At the end both are read again and compared.
//!
//! From before the source names it until both were found equal the target is marked: it is [`unfinished`], and not to be
//! served from. The mark is an event in a directory of no tenant, the one kind of stream that can be taken away again. So
//! wherever a copy ends before its time, either the log is still in the source, or the target says that it isn't whole.
//!
//! The seal names the one place that the log goes to. Another is refused, for each of two copies would live on as the same log;
//! unless the first is given up for lost. Then the seal names the second from there on, and the second says what it takes
//! the place of: that is known from the seal alone, whoever finishes the copy.
//!
//! Positions are the store's own and change; nothing that identifies an event does.

mod mark;
mod record;
mod verify;

use std::time::Duration;

use futures::TryStreamExt;
use uuid::Uuid;

use mark::{all, begin, mark};
use record::Records;
use verify::{identity, place, verify};

use crate::codec;
use crate::domain::platform::PlatformEvent;
use crate::envelope::{Position, Recorded};
use crate::ids::{Digest, Timestamp};
use crate::store::{Direction, EventStore, ReadFrom, StoreError};
use crate::stream::StreamName;

pub use mark::{is_reserved, unfinished};

/// How many events are written at once at most, and how many bytes of them.
const BATCH: usize = 1000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How often a write that the target can't do now is repeated, waiting longer each time.
const ATTEMPTS: u32 = 8;
const WAIT: Duration = Duration::from_millis(100);

/// Where a log goes, as its seal will say.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    /// The address of the target, without secrets: the same whenever it is the same store, and no other's.
    pub to: &'a str,
    /// The address that the seal names so far, where that copy is lost.
    pub instead_of: Option<&'a str>,
    /// The time now, for what the target records.
    pub now: Timestamp,
}

impl Move<'_> {
    /// Why the source is sealed.
    fn why(&self) -> String {
        moved_to(self.to)
    }

    /// Whether a source that was sealed for these reasons may go there.
    fn check(&self, seals: &[String]) -> Result<(), CopyError> {
        let Some((now, before)) = seals.split_last() else {
            return Err(CopyError::Source(StoreError::corrupt(
                "it was sealed, and is not",
            )));
        };
        let may = match self.instead_of {
            None => *now == self.why(),
            Some(place) if place == self.to => false,
            // Given up just now, or by an earlier attempt.
            Some(place) if *now == self.why() => before.contains(&moved_to(place)),
            Some(place) => *now == moved_to(place),
        };
        match may {
            true => Ok(()),
            false => Err(CopyError::Elsewhere(now.clone())),
        }
    }
}

fn moved_to(place: &str) -> String {
    format!("it was moved to {place}")
}

/// How far a copy has come; the number counts events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Comparing what an earlier attempt had written.
    Resuming(u64),
    /// Writing.
    Copying(u64),
    /// Reading both again and comparing.
    Verifying(u64),
}

/// A copy that was made and found equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The log's id, where it has one.
    pub log: Option<Uuid>,
    /// How many events there are.
    pub events: u64,
    /// How many of them an earlier attempt had written.
    pub resumed: u64,
    /// In how many streams.
    pub streams: u64,
    /// How many erased streams there are, which stay erased.
    pub erased: u64,
    /// SHA-256 over every event's stream, revision, id, type, data and metadata, in order, with their lengths.
    pub digest: Digest,
}

/// Why a copy was not made, or not to the end. But for `Target` and `Source` nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// The source can't be read or sealed.
    #[error("the source: {0}")]
    Source(#[source] StoreError),
    /// The target can't be read or written.
    #[error("the target: {0}; repeat the command to go on where it stopped")]
    Target(#[source] StoreError),
    /// There is nothing to copy.
    #[error("the source holds no event; check the URL")]
    Empty,
    /// The target holds something else than the beginning of the source.
    #[error("the target is not empty, and no begun copy of this log ({0}); name an empty one")]
    NotEmpty(String),
    /// The source is a copy that was not made to the end.
    #[error("the source is itself a copy that was begun and not finished; finish that one first")]
    Unfinished,
    /// The source was sealed before, for another target or another reason.
    #[error("the source is sealed: {0}. Copied to two places it would be two logs with one id")]
    Elsewhere(String),
    /// The source isn't sealed, so nothing was copied that could be lost.
    #[error("the source is not sealed: there is no copy to give up; leave that out")]
    NothingToAbandon,
    /// The target takes no events.
    #[error("the target is sealed itself ({0}); name an empty one")]
    TargetSealed(String),
    /// What was copied isn't equal.
    #[error("source and target differ: {0}; don't use the target, copy to an empty one")]
    Different(String),
    /// The source was written to after it had been sealed, by a node whose write was under way.
    #[error("the source was still being written to; repeat the command to copy the rest")]
    StillWritten,
}

/// Copies all of `source` to `target`, sealing `source` for that, and tells `progress` how far it is.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy(
    source: &dyn EventStore,
    target: &dyn EventStore,
    way: Move<'_>,
    progress: &(dyn Fn(Stage) + Sync),
) -> Result<Report, CopyError> {
    let mark = mark().map_err(CopyError::Target)?;
    let seals = prepare(source, target, way, &mark).await?;
    let end = source.last_position().await.map_err(CopyError::Source)?;
    let records = Records::of(source, &seals, way).await?;
    let (resumed, after) = resume(source, target, &records, progress).await?;
    begin(target, &mark).await?;
    name_target(source, &seals, way).await?;
    write(source, target, after, resumed, progress).await?;
    for name in source.erased().await.map_err(CopyError::Source)? {
        if name == mark {
            continue;
        }
        insist(async || target.erase(&name).await).await?;
    }
    let report = verify(source, target, &records, progress).await?;
    if source.last_position().await.map_err(CopyError::Source)? != end {
        return Err(CopyError::StillWritten);
    }
    records.write(target, way.now).await?;
    // The last step: from here on it is served.
    insist(async || target.erase(&mark).await).await?;
    Ok(Report { resumed, ..report })
}

/// Makes sure that it may begin, and seals the source; gives the reasons that it is and was sealed for.
async fn prepare(
    source: &dyn EventStore,
    target: &dyn EventStore,
    way: Move<'_>,
    mark: &StreamName,
) -> Result<Vec<String>, CopyError> {
    if let Some(why) = target.sealed().await.map_err(CopyError::Target)? {
        return Err(CopyError::TargetSealed(why));
    }
    let last = source.last_position().await.map_err(CopyError::Source)?;
    last.ok_or(CopyError::Empty)?;
    if unfinished(source).await.map_err(CopyError::Source)? {
        return Err(CopyError::Unfinished);
    }
    // A copy begins by sealing: a target that holds anything before that was not begun by us. It may be the source itself,
    // named in another way.
    let seals = source.seals().await.map_err(CopyError::Source)?;
    if !seals.is_empty() {
        way.check(&seals)?;
    } else {
        if way.instead_of.is_some() {
            return Err(CopyError::NothingToAbandon);
        }
        let holds = all(target, None).try_next().await;
        let holds = holds.map_err(CopyError::Target)?;
        let erased = target.erased().await.map_err(CopyError::Target)?;
        if holds.is_some() || !erased.is_empty() {
            let reason = "it holds events, while the source is not sealed yet";
            return Err(CopyError::NotEmpty(reason.to_owned()));
        }
        // Nothing is sealed for a target that can't take it.
        target.probe().await.map_err(CopyError::Target)?;
        begin(target, mark).await?;
    }
    // Also what is sealed already: only who sealed to the end has waited for the writes that were under way.
    source.seal(&way.why()).await.map_err(CopyError::Source)?;
    // Of two who seal it at once for different targets, one does.
    let seals = source.seals().await.map_err(CopyError::Source)?;
    way.check(&seals)?;
    Ok(seals)
}

/// Has the source's seal name the target, which is marked by now, instead of the place that was given up.
async fn name_target(
    source: &dyn EventStore,
    seals: &[String],
    way: Move<'_>,
) -> Result<(), CopyError> {
    let Some(was) = seals.last().filter(|why| **why != way.why()) else {
        return Ok(());
    };
    match source.reseal(was, &way.why()).await {
        // Somebody else was faster, and went elsewhere.
        Err(StoreError::Refused { reason }) => {
            let now = source.seals().await.map_err(CopyError::Source)?;
            way.check(&now)?;
            Err(CopyError::Source(StoreError::refused(reason)))
        }
        named => named.map_err(CopyError::Source),
    }
}

/// Finds how much of the source stands in the target: how many events, and the source's position of the last of them.
async fn resume(
    source: &dyn EventStore,
    target: &dyn EventStore,
    records: &Records,
    progress: &(dyn Fn(Stage) + Sync),
) -> Result<(u64, Option<Position>), CopyError> {
    let (mut from, mut to) = (all(source, None), all(target, None));
    let (mut count, mut after, mut recorded) = (0, None, 0);
    while let Some(there) = to.try_next().await.map_err(CopyError::Target)? {
        let here = from.try_next().await.map_err(CopyError::Source)?;
        match here {
            Some(here) if identity(&here) == identity(&there) => after = Some(here.position),
            None if records.follows(recorded, &there) => {
                recorded += 1;
                continue;
            }
            Some(_) | None => {
                return Err(CopyError::NotEmpty(strangers(source, target, &there).await));
            }
        }
        count += 1;
        progress(Stage::Resuming(count));
    }
    Ok((count, after))
}

/// Why the target is not ours.
async fn strangers(source: &dyn EventStore, target: &dyn EventStore, there: &Recorded) -> String {
    let (ours, theirs) = (log(source).await, log(target).await);
    match (ours, theirs) {
        (Ok(ours), Ok(Some(theirs))) if ours != Some(theirs) => {
            format!("it holds the log {theirs}")
        }
        _ => format!("it holds something else from {} on", place(there)),
    }
}

/// The log's id: what its first platform event says.
async fn log(store: &dyn EventStore) -> Result<Option<Uuid>, StoreError> {
    let platform = StreamName::platform();
    let mut events = store.read(&platform, ReadFrom::Start, Direction::Forwards, 1);
    let Some(first) = events.try_next().await? else {
        return Ok(None);
    };
    Ok(match codec::decode::<PlatformEvent>(&first) {
        Ok((_, event)) => match event.what {
            PlatformEvent::LogCreated(created) => Some(created.log),
            _ => None,
        },
        Err(_) => None,
    })
}

async fn write(
    source: &dyn EventStore,
    target: &dyn EventStore,
    after: Option<Position>,
    mut count: u64,
    progress: &(dyn Fn(Stage) + Sync),
) -> Result<(), CopyError> {
    let mut events = all(source, after);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let event = events.try_next().await.map_err(CopyError::Source)?;
        let ended = event.is_none();
        if let Some(event) = event {
            bytes += event.kind.len() + event.data.len() + event.metadata.len();
            batch.push(event);
        }
        let full = batch.len() >= BATCH || bytes >= BATCH_BYTES;
        if (full || ended) && !batch.is_empty() {
            // Cheap to clone: the bytes are shared.
            insist(async || target.import(batch.clone()).await).await?;
            count += batch.len() as u64;
            progress(Stage::Copying(count));
            batch.clear();
            bytes = 0;
        }
        if ended {
            return Ok(());
        }
    }
}

/// Repeats a write until its outcome is definite, or the target has been away for too long.
async fn insist(write: impl AsyncFn() -> Result<(), StoreError>) -> Result<(), CopyError> {
    for attempt in 0..ATTEMPTS {
        match write().await {
            Err(StoreError::Unavailable { .. } | StoreError::Unknown { .. }) => {
                tokio::time::sleep(WAIT * 2_u32.pow(attempt)).await;
            }
            done => return done.map_err(CopyError::Target),
        }
    }
    write().await.map_err(CopyError::Target)
}
