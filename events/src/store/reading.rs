//! Readings that end, shared by the backends that number their positions: a stream, or the total order up to now, page by
//! page as the consumer asks.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::{Direction, EventStream, Filter, ReadFrom, StoreError};
use crate::envelope::{Position, Recorded};
use crate::stream::StreamName;

/// A page of one stream.
pub(crate) struct Stretch {
    pub(crate) events: Vec<Recorded>,
    /// There may be more beyond it.
    pub(crate) more: bool,
}

/// A page of the total order.
pub(crate) struct Scan {
    /// The events wanted.
    pub(crate) events: Vec<Recorded>,
    /// The last position looked at; where the next page goes on.
    pub(crate) to: i64,
    /// There may be more beyond it.
    pub(crate) more: bool,
}

/// How a backend reads: a page at a time, each within bounds of its own.
#[async_trait]
pub(crate) trait Pages: Clone + Send + Sync + 'static {
    /// At most `max` events of `stream` from `revision` on.
    async fn of_stream(
        &self,
        stream: &StreamName,
        revision: i64,
        direction: Direction,
        max: usize,
    ) -> Result<Stretch, StoreError>;

    /// At most `max` events that `filter` admits, after position `after` and not beyond `upto`.
    async fn of_all(
        &self,
        after: i64,
        upto: i64,
        filter: &Arc<Filter>,
        max: usize,
    ) -> Result<Scan, StoreError>;

    /// The last position ever given out, 0 when none was.
    async fn last(&self) -> Result<i64, StoreError>;
}

/// Hands out the events of the pages one by one.
pub(crate) fn flatten<T: Send + 'static>(
    pages: impl stream::Stream<Item = Result<Vec<T>, StoreError>> + Send + 'static,
) -> EventStream<T> {
    pages
        .map_ok(|page| stream::iter(page.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

/// The position as the number that a database keeps.
pub(crate) fn number(position: Option<Position>) -> i64 {
    position.map_or(0, |position| signed(position.commit))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn of_stream(
    pages: impl Pages,
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
        let (pages, name) = (pages.clone(), name.clone());
        async move {
            if max == 0 || revision < 0 {
                return Ok(None);
            }
            let page = pages.of_stream(&name, revision, direction, max).await?;
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

pub(crate) fn of_all(
    pages: impl Pages,
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
            let (pages, filter) = (pages.clone(), filter.clone());
            async move {
                if max == 0 {
                    return Ok(None);
                }
                let upto = match upto {
                    Some(upto) => upto,
                    None => pages.last().await?,
                };
                let page = pages.of_all(after, upto, &filter, max).await?;
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
