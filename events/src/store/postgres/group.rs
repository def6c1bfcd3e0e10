//! What a group of appends does to the database, decided before the first row is written.
//!
//! The database tells where the streams stand; here every request is judged, and what is to be written is gathered, so
//! that the whole group is one statement and a request that is turned down leaves nothing to undo.

use std::collections::HashMap;

use tokio_postgres::Row;
use uuid::Uuid;

use super::error::undone;
use crate::envelope::{NewEvent, Position};
use crate::store::concurrency::{Verdict, judge};
use crate::store::queue::Request;
use crate::store::{Appended, Expected, StoreError};
use crate::stream::StreamName;

/// What is asked about a group: every stream once, and every event's stream and id.
#[derive(Debug, Default)]
pub(super) struct Question {
    pub(super) names: Vec<StreamName>,
    pub(super) event_names: Vec<StreamName>,
    pub(super) event_ids: Vec<Uuid>,
}

impl Question {
    pub(super) fn about(group: &[Request]) -> Self {
        let mut question = Self::default();
        let mut known = std::collections::HashSet::new();
        let mut ask = |stream, events: &[NewEvent]| {
            if known.insert(stream) {
                question.names.push(StreamName::clone(stream));
            }
            for event in events {
                question.event_names.push(stream.clone());
                question.event_ids.push(event.id);
            }
        };
        for request in group {
            match request {
                Request::Append { stream, events, .. } => ask(stream, events),
                Request::Import { runs, .. } => {
                    runs.iter().for_each(|run| ask(&run.stream, &run.events));
                }
                Request::Erase { .. }
                | Request::Seal { .. }
                | Request::Reseal { .. }
                | Request::Probe { .. } => {}
            }
        }
        question
    }
}

/// Where a stream stands, as this transaction sees it.
#[derive(Debug, Default)]
struct Head {
    id: Option<i64>,
    /// How many events it has: the next revision.
    count: i64,
    erased: bool,
    /// Revisions and positions of those events of the group that are there, or were added by the group itself.
    found: HashMap<Uuid, (i64, i64)>,
}

/// The rows to be added, column by column.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    pub(super) stream_ids: Vec<i64>,
    pub(super) stream_names: Vec<&'a str>,
    pub(super) positions: Vec<i64>,
    pub(super) streams: Vec<i64>,
    pub(super) revisions: Vec<i64>,
    pub(super) ids: Vec<Uuid>,
    pub(super) kinds: Vec<&'a [u8]>,
    pub(super) data: Vec<&'a [u8]>,
    pub(super) metadata: Vec<&'a [u8]>,
}

/// A group being judged: where everything stands, and what is to be written.
#[derive(Debug)]
pub(super) struct Group {
    heads: HashMap<StreamName, Head>,
    /// The last position and the last stream's row given out.
    pub(super) position: i64,
    pub(super) streams: i64,
}

impl Group {
    /// From the database's answers to the [`Question`].
    pub(super) fn new(
        question: &Question,
        (position, streams): (i64, i64),
        heads: &[Row],
        found: &[Row],
    ) -> Result<Self, StoreError> {
        let mut group = Self {
            heads: question
                .names
                .iter()
                .map(|name| (name.clone(), Head::default()))
                .collect(),
            position,
            streams,
        };
        let failed = |error| undone(&error);
        let strange = || StoreError::corrupt("the database answers what it was not asked");
        for row in heads {
            let name = nth(&question.names, row.try_get(0).map_err(failed)?);
            let head = name.and_then(|name| group.heads.get_mut(name));
            let head = head.ok_or_else(strange)?;
            let last: Option<i64> = row.try_get(2).map_err(failed)?;
            head.id = Some(row.try_get(1).map_err(failed)?);
            head.count = last.map_or(0, |last| last + 1);
            head.erased = row.try_get(3).map_err(failed)?;
        }
        for row in found {
            let n: i64 = row.try_get(0).map_err(failed)?;
            let name = nth(&question.event_names, n);
            let head = name.and_then(|name| group.heads.get_mut(name));
            let (head, id) = head.zip(nth(&question.event_ids, n)).ok_or_else(strange)?;
            let place = (
                row.try_get(1).map_err(failed)?,
                row.try_get(2).map_err(failed)?,
            );
            head.found.insert(*id, place);
        }
        Ok(group)
    }

    /// Judges one append; what it is to write goes into `rows`.
    pub(super) fn append<'a>(
        &mut self,
        stream: &'a StreamName,
        expected: Expected,
        batch: &'a [NewEvent],
        rows: &mut Rows<'a>,
    ) -> Result<Appended, StoreError> {
        let head = self.heads.entry(stream.clone()).or_default();
        if head.erased {
            return Err(StoreError::refused(format!("{stream} was erased")));
        }
        let revision = head.count.checked_sub(1).filter(|last| *last >= 0);
        let actual = revision.map(i64::cast_unsigned);
        let place = |event: &NewEvent| head.found.get(&event.id);
        let found: Vec<Option<u64>> = batch
            .iter()
            .map(|event| place(event).map(|(revision, _)| revision.cast_unsigned()))
            .collect();
        match judge(expected, actual, &found) {
            Verdict::Append => {}
            Verdict::Replay { first } => {
                let last = batch.last().and_then(place);
                let position = last.map(|(_, position)| position.cast_unsigned());
                return Ok(Appended {
                    first_revision: first,
                    last_revision: first + batch.len() as u64 - 1,
                    position: Position::single(position.unwrap_or_default()),
                    replayed: true,
                });
            }
            Verdict::Conflict => {
                return Err(StoreError::Conflict {
                    stream: stream.clone(),
                    expected,
                    actual,
                });
            }
        }
        let id = *head.id.get_or_insert_with(|| {
            self.streams += 1;
            rows.stream_ids.push(self.streams);
            rows.stream_names.push(stream.as_str());
            self.streams
        });
        let first = head.count;
        for event in batch {
            self.position += 1;
            head.found.insert(event.id, (head.count, self.position));
            rows.positions.push(self.position);
            rows.streams.push(id);
            rows.revisions.push(head.count);
            rows.ids.push(event.id);
            rows.kinds.push(event.kind.as_bytes());
            rows.data.push(&event.data);
            rows.metadata.push(&event.metadata);
            head.count += 1;
        }
        Ok(Appended {
            first_revision: first.cast_unsigned(),
            last_revision: (head.count - 1).cast_unsigned(),
            position: Position::single(self.position.cast_unsigned()),
            replayed: false,
        })
    }
}

/// The element that SQL, which counts from 1, calls the `n`-th.
fn nth<T>(list: &[T], n: i64) -> Option<&T> {
    list.get(usize::try_from(n).ok()?.checked_sub(1)?)
}
