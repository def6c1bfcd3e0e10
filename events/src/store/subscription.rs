//! Subscriptions, shared by the backends that number their positions: pages of the total order until its end is reached, then pages of whatever is committed from there on.
//!
//! There is no queue between writer and subscriber to overflow or to keep in step: a subscriber asks for the next page
//! when it has consumed the last one. On the way to the end of the log one page is read ahead, while the subscriber is busy
//! with the one before. The writer only hints that there is more; beneath the hint it is looked for anyway.

use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::reading::{Pages, Scan, flatten, number};
use super::{Delivery, EventStream, Filter, StoreError};
use crate::envelope::Position;

/// How long to wait for a hint before looking anyway.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

/// How often to look when another process writes, which gives no hints.
const LOOK: Duration = Duration::from_millis(100);

/// Tells that more was committed; `None` when another process is the one that commits.
pub(crate) type Hint = Option<watch::Receiver<i64>>;

struct Subscription<P> {
    pages: P,
    hint: Hint,
    filter: Arc<Filter>,
    /// The last position looked at.
    at: i64,
    /// The end of the log has not been reached yet, or had moved on by more than a page.
    behind: bool,
    /// The page after that position, if it is being read already. It ends with the subscription.
    ahead: JoinSet<Result<Scan, StoreError>>,
}

pub(crate) fn subscribe(
    pages: impl Pages,
    hint: Hint,
    after: Option<Position>,
    filter: Filter,
) -> EventStream<Delivery> {
    let begin = Subscription {
        pages,
        hint,
        filter: Arc::new(filter),
        at: number(after),
        behind: true,
        ahead: JoinSet::new(),
    };
    flatten(stream::try_unfold(begin, |mut subscription| async move {
        let page = subscription.next().await?;
        Ok(Some((page, subscription)))
    }))
}

impl<P: Pages> Subscription<P> {
    /// The next deliveries; waits until there are some.
    async fn next(&mut self) -> Result<Vec<Delivery>, StoreError> {
        loop {
            let deliveries = self.look().await?;
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            self.wait().await?;
        }
    }

    async fn look(&mut self) -> Result<Vec<Delivery>, StoreError> {
        let after = self.at;
        let page = match self.ahead.join_next().await {
            Some(Ok(page)) => page?,
            Some(Err(error)) => {
                let reason = format!("a read was broken off: {error}");
                return Err(StoreError::unavailable(reason));
            }
            None => self.page().await?,
        };
        self.at = page.to;

        let told = page
            .events
            .last()
            .map_or(after, |event| number(Some(event.position)));
        let mut deliveries: Vec<Delivery> = page.events.into_iter().map(Delivery::Event).collect();
        if told < self.at {
            deliveries.push(Delivery::Checkpoint(Position::single(
                self.at.cast_unsigned(),
            )));
        }
        if page.more {
            self.behind = true;
            let page = self.page();
            self.ahead.spawn(page);
        } else if std::mem::take(&mut self.behind) {
            deliveries.push(Delivery::CaughtUp);
        }
        Ok(deliveries)
    }

    /// The page after the last position looked at.
    fn page(&mut self) -> impl Future<Output = Result<Scan, StoreError>> + Send + use<P> {
        // Marked as seen before looking, so that what is committed while looking is hinted at again.
        if let Some(hint) = &mut self.hint {
            hint.borrow_and_update();
        }
        let (pages, filter, after) = (self.pages.clone(), Arc::clone(&self.filter), self.at);
        async move { pages.of_all(after, i64::MAX, &filter, usize::MAX).await }
    }

    async fn wait(&mut self) -> Result<(), StoreError> {
        match &mut self.hint {
            None => tokio::time::sleep(LOOK).await,
            Some(hint) => match tokio::time::timeout(LOOK_ANYWAY, hint.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(_)) => return Err(StoreError::unavailable("the event store was closed")),
            },
        }
        Ok(())
    }
}
