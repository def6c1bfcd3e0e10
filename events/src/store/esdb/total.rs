//! The total order: `$all`, narrowed by the server to our streams.

use std::collections::HashSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::Inner;
use super::link::Link;
use super::reading::{self, ALL_PATIENCE, PAGE, STREAM_PATIENCE};
use super::trouble::Trouble;
use crate::envelope::{Position, Recorded};
use crate::store::{Direction, EventStream, Filter, StoreError};
use crate::stream::{StreamKind, StreamName};

/// How many streams are asked at once whether they are there still.
const ASKED_AT_ONCE: usize = 16;

/// A page of the total order.
pub(super) struct Seen {
    /// What stands there, in order; `None` for what is not for anyone's eyes: tombstones and erased events.
    pub(super) events: Vec<(Position, Option<Recorded>)>,
    /// There was no more when it was read.
    pub(super) whole: bool,
}

impl Inner {
    /// The next page after `after`.
    pub(super) async fn page(&self, after: Option<Position>) -> Result<Seen, StoreError> {
        // Nothing of ours stands before the mark.
        let begin = after.or(self.mark);
        let read = self
            .supervisor
            .retry(ALL_PATIENCE, |link: Arc<Link>| async move {
                let (prefix, from) = (self.names.prefix(), reading::from(begin));
                // What stands at `after` is read too.
                let page = reading::all(&link, prefix, from, Direction::Forwards, PAGE + 1).await?;
                let whole = page.whole;
                let mut events = Vec::with_capacity(page.events.len());
                for event in page.events {
                    let position = reading::position(&event)?;
                    if Some(position) > after {
                        events.push((position, reading::recorded(&self.names, event)?));
                    }
                }
                Ok(Seen { events, whole })
            });
        let mut seen = read.await?;
        self.hide_erased(&mut seen).await?;
        Ok(seen)
    }

    /// The event at `position`.
    pub(super) async fn at(&self, position: Position) -> Result<Option<Recorded>, StoreError> {
        let read = self
            .supervisor
            .retry(ALL_PATIENCE, |link: Arc<Link>| async move {
                let (prefix, from) = (self.names.prefix(), reading::from(Some(position)));
                let page = reading::all(&link, prefix, from, Direction::Forwards, 1).await?;
                let event = page.events.into_iter().next();
                let event = event.map(|event| reading::recorded(&self.names, event));
                let event = event.transpose()?.flatten();
                Ok(event.filter(|event| event.position == position))
            });
        let mut seen = Seen {
            events: vec![(position, read.await?)],
            whole: true,
        };
        self.hide_erased(&mut seen).await?;
        Ok(seen.events.pop().and_then(|(_, event)| event))
    }

    /// Takes out what belongs to erased streams: until the server is scavenged, `$all` still holds their events.
    async fn hide_erased(&self, seen: &mut Seen) -> Result<(), StoreError> {
        let directories: HashSet<StreamName> = seen
            .events
            .iter()
            .filter_map(|(_, event)| event.as_ref())
            .map(|event| &event.stream)
            .filter(|stream| stream.kind() == StreamKind::Directory)
            .cloned()
            .collect();
        let erased: HashSet<StreamName> = stream::iter(directories)
            .map(|name| async move {
                let erased = self.is_erased(&name).await?;
                Ok::<_, StoreError>(erased.then_some(name))
            })
            .buffer_unordered(ASKED_AT_ONCE)
            .try_filter_map(|name| async move { Ok(name) })
            .try_collect()
            .await?;
        for (_, event) in &mut seen.events {
            if event
                .as_ref()
                .is_some_and(|event| erased.contains(&event.stream))
            {
                *event = None;
            }
        }
        Ok(())
    }

    async fn is_erased(&self, name: &StreamName) -> Result<bool, StoreError> {
        if self.erased.contains(name) {
            return Ok(true);
        }
        let on_server = &self.names.on_server(name);
        let erased = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                match reading::head(&link, on_server).await {
                    Err(Trouble::Deleted) => Ok(true),
                    // A stream that isn't there is no erased one, which the server would tell.
                    head => head.map(|_| false),
                }
            });
        let erased = erased.await?;
        if erased {
            self.erased.add(name);
        }
        Ok(erased)
    }

    /// The position of the last event of ours.
    pub(super) async fn last(&self) -> Result<Option<Position>, StoreError> {
        let names = &self.names;
        let read = self
            .supervisor
            .retry(ALL_PATIENCE, |link: Arc<Link>| async move {
                reading::last(&link, names).await
            });
        read.await
    }
}

/// At most `max` events after `after`, up to the one that is the last when it begins.
pub(super) fn read(
    inner: Arc<Inner>,
    after: Option<Position>,
    filter: Filter,
    max: usize,
) -> EventStream<Recorded> {
    if max == 0 {
        return stream::empty().boxed();
    }
    stream::once(async move {
        let end = inner.last().await?;
        let begin = (end > after).then_some((after, end));
        let pages = stream::try_unfold(begin, move |place| {
            let (inner, filter) = (Arc::clone(&inner), filter.clone());
            async move {
                let Some((after, end)) = place else {
                    return Ok::<_, StoreError>(None);
                };
                let seen = inner.page(after).await?;
                let last = seen.events.last().map(|(position, _)| *position);
                let goes_on = !seen.whole && last.is_some() && last < end;
                let wanted = seen
                    .events
                    .into_iter()
                    .filter(|(position, _)| Some(*position) <= end)
                    .filter_map(|(_, event)| event)
                    .filter(|event| filter.admits(&event.stream, &event.kind))
                    .map(Ok)
                    .collect::<Vec<Result<Recorded, StoreError>>>();
                Ok(Some((stream::iter(wanted), goes_on.then_some((last, end)))))
            }
        });
        Ok::<_, StoreError>(pages.try_flatten())
    })
    .try_flatten()
    .take(max)
    .boxed()
}
