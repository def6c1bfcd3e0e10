//! Reading one stream of ours, page by page.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::Inner;
use super::link::Link;
use super::reading::{self, PAGE, STREAM_PATIENCE};
use super::trouble::Trouble;
use super::wire::{Empty, Revision};
use crate::envelope::Recorded;
use crate::store::{Direction, EventStream, ReadFrom, StoreError};
use crate::stream::StreamName;

/// Revisions beyond this are taken for the end: the server counts with signed numbers.
const MAX_REVISION: u64 = 1 << 53;

/// Reads a stream, page by page.
pub(super) fn read(
    inner: Arc<Inner>,
    name: StreamName,
    from: ReadFrom,
    direction: Direction,
    max: usize,
) -> EventStream<Recorded> {
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

    pub(super) async fn head(&self, name: &StreamName) -> Result<Option<u64>, StoreError> {
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
}
