//! What the target says beyond what the source holds: which copies it takes the place of.
//!
//! The source's seal has named every place that the log was to go to. The last one is the target; those before it were given
//! up. Their records follow the source's events, with ids of their own, so that whoever finds them there knows them again.

use futures::TryStreamExt;
use uuid::Uuid;

use super::{CopyError, Move, insist, log, moved_to};
use crate::codec::{self, Context};
use crate::domain::platform::{CopyAbandoned, PlatformEvent};
use crate::envelope::{Metadata, NewEvent, Recorded};
use crate::ids::Timestamp;
use crate::store::{Direction, EventStore, Expected, ReadFrom, StoreError};
use crate::stream::StreamName;

/// The records that a whole copy has.
#[derive(Debug)]
pub(super) struct Records {
    /// The platform's last event in the source; the records follow it.
    head: Option<u64>,
    /// Ids and places.
    records: Vec<(Uuid, String)>,
}

impl Records {
    /// Those of a copy of `source`, which was sealed for these reasons, by the way it goes now.
    pub(super) async fn of(
        source: &dyn EventStore,
        seals: &[String],
        way: Move<'_>,
    ) -> Result<Self, CopyError> {
        let before = match seals.split_last() {
            Some((last, before)) if *last == way.why() => before,
            Some(_) | None => seals,
        };
        let head = source.head(&StreamName::platform()).await;
        let head = head.map_err(CopyError::Source)?;
        let log = log(source).await.map_err(CopyError::Source)?;
        let from = log.unwrap_or(Uuid::NAMESPACE_URL);
        let here = moved_to("");
        let places = before.iter().filter_map(|why| why.strip_prefix(&here));
        // The head tells apart what was given up in one store and, after the log had moved on, in another.
        let record = |(n, place): (usize, &str)| {
            let name = format!("copy abandoned: {head:?} {n} {place}");
            (Uuid::new_v5(&from, name.as_bytes()), place.to_owned())
        };
        let records = places.enumerate().map(record).collect();
        Ok(Self { head, records })
    }

    /// Whether `event` is the record that follows so many others.
    pub(super) fn follows(&self, others: usize, event: &Recorded) -> bool {
        let record = self.records.get(others);
        event.stream == StreamName::platform() && record.is_some_and(|(id, _)| *id == event.id)
    }

    /// Whether `event` is one of the records.
    pub(super) fn hold(&self, event: &Recorded) -> bool {
        (0..self.records.len()).any(|others| self.follows(others, event))
    }

    /// Writes those that `target` doesn't have yet, all at once.
    pub(super) async fn write(
        &self,
        target: &dyn EventStore,
        now: Timestamp,
    ) -> Result<(), CopyError> {
        let platform = StreamName::platform();
        let mut newest = target.read(&platform, ReadFrom::End, Direction::Backwards, 1);
        let newest = newest.try_next().await.map_err(CopyError::Target)?;
        let head = newest.as_ref().map(|event| event.revision);
        let count = |head: Option<u64>| head.map_or(0, |head| head + 1);
        let there = count(head).saturating_sub(count(self.head));
        let there = usize::try_from(there).unwrap_or(usize::MAX);
        // Times never run backwards within a stream.
        let last = newest.and_then(|event| Metadata::from_bytes(&event.metadata).ok());
        let now = last.map_or(now, |last| last.recorded_at.max(now));
        let missing = self.records.iter().skip(there);
        let missing: Result<Vec<NewEvent>, CopyError> = missing
            .map(|(id, place)| {
                let place = place.clone();
                let event = PlatformEvent::CopyAbandoned(CopyAbandoned { place });
                let event = codec::encode(*id, now, &event, &Context::default());
                event.map_err(|error| CopyError::Target(StoreError::invalid(error.to_string())))
            })
            .collect();
        let missing = missing?;
        if missing.is_empty() {
            return Ok(());
        }
        let expected = head.map_or(Expected::NoStream, Expected::Exact);
        insist(async || {
            let appended = target.append(&platform, expected, missing.clone()).await;
            appended.map(drop)
        })
        .await
    }
}
