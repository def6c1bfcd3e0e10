//! Readings that end: a stream, or the total order up to now, page by page as the consumer asks.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::append::last_position;
use super::error::undone;
use super::pages;
use super::readers::Readers;
use crate::envelope::{Position, Recorded};
use crate::store::{Direction, EventStream, Filter, ReadFrom, StoreError};
use crate::stream::StreamName;

/// Hands out the events of the pages one by one.
pub(super) fn flatten<T: Send + 'static>(
    pages: impl stream::Stream<Item = Result<Vec<T>, StoreError>> + Send + 'static,
) -> EventStream<T> {
    pages
        .map_ok(|page| stream::iter(page.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

/// The position as the number that SQLite keeps.
pub(super) fn number(position: Option<Position>) -> i64 {
    position.map_or(0, |position| signed(position.commit))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn of_stream(
    readers: Arc<Readers>,
    name: StreamName,
    from: ReadFrom,
    direction: Direction,
    max: usize,
) -> EventStream<Recorded> {
    let start = match (direction, from) {
        (Direction::Forwards, ReadFrom::End) => return stream::empty().boxed(),
        (_, ReadFrom::Start) => 0,
        (_, ReadFrom::Revision(revision)) => signed(revision),
        (Direction::Backwards, ReadFrom::End) => i64::MAX,
    };
    flatten(stream::try_unfold((start, max), move |(revision, max)| {
        let (readers, name) = (readers.clone(), name.clone());
        async move {
            if max == 0 || revision < 0 {
                return Ok(None);
            }
            let page = readers
                .run(move |reader| pages::of_stream(reader, &name, revision, direction, max))
                .await?;
            let Some(last) = page.events.last() else {
                return Ok(None);
            };
            let next = match direction {
                Direction::Forwards => signed(last.revision).saturating_add(1),
                Direction::Backwards => signed(last.revision) - 1,
            };
            let left = if page.more {
                max - page.events.len()
            } else {
                0
            };
            Ok(Some((page.events, (next, left))))
        }
    }))
}

/// Where a reading of the total order has got to.
struct All {
    after: i64,
    /// The last position when the reading began; known from the first page on.
    upto: Option<i64>,
    max: usize,
}

pub(super) fn of_all(
    readers: Arc<Readers>,
    after: Option<Position>,
    filter: Filter,
    max: usize,
) -> EventStream<Recorded> {
    let filter = Arc::new(filter);
    let begin = All {
        after: number(after),
        upto: None,
        max,
    };
    flatten(stream::try_unfold(
        begin,
        move |All { after, upto, max }| {
            let (readers, filter) = (readers.clone(), filter.clone());
            async move {
                if max == 0 {
                    return Ok(None);
                }
                let read = readers.run(move |reader| {
                    let upto =
                        upto.map_or_else(|| last_position(&reader.conn).map_err(undone), Ok)?;
                    Ok((pages::of_all(reader, after, upto, &filter, max)?, upto))
                });
                let (page, upto) = read.await?;
                let max = if page.more {
                    max - page.events.len()
                } else {
                    0
                };
                Ok(Some((
                    page.events,
                    All {
                        after: page.to,
                        upto: Some(upto),
                        max,
                    },
                )))
            }
        },
    ))
}
