//! Subscriptions: pages of the total order, and something that tells when there is another.
//!
//! One subscription to the server per store tells that something was written; whoever follows then reads on from where
//! they are. So what is delivered comes from readings alone, in their order, without gap or repeat, whatever becomes of
//! that subscription: it may end, break or fall silent, and is begun anew with a pause; meanwhile everyone looks for
//! themselves every other second. (The client crate's own subscription is not used: when the server ends one in good
//! order, it spins without ever giving its thread back.)

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Inner;
use super::reading;
use super::trouble::Trouble;
use super::wire::Content;
use crate::envelope::Position;
use crate::store::{Delivery, EventStream, Filter, StoreError};

/// How often everyone looks, told or not.
const LOOK: Duration = Duration::from_secs(2);
/// How long a subscription may take to begin.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two subscriptions; doubled while they don't last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// While nothing of ours is written but much of others', how often it is told how far that is.
const SILENCE: Duration = Duration::from_secs(60);

/// Tells those who follow that something was written.
pub(super) struct Tail {
    written: watch::Sender<u64>,
    /// How far the server has looked for our events, in what others write.
    passed: Mutex<Option<Position>>,
    started: AtomicBool,
    /// Dropped with the store, which ends the task.
    alive: watch::Sender<()>,
}

impl Tail {
    pub(super) fn new() -> Self {
        Self {
            written: watch::Sender::new(0),
            passed: Mutex::new(None),
            started: AtomicBool::new(false),
            alive: watch::Sender::new(()),
        }
    }

    /// Something was written, or may have been.
    pub(super) fn bump(&self) {
        self.written
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn passed(&self) -> Option<Position> {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, inner: &Arc<Inner>) {
        if !self.started.swap(true, Ordering::SeqCst) {
            let (inner, mut alive) = (Arc::downgrade(inner), self.alive.subscribe());
            tokio::spawn(async move {
                tokio::select! {
                    _ = alive.changed() => {}
                    () = watch_tail(inner) => {}
                }
            });
        }
    }
}

async fn watch_tail(inner: Weak<Inner>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let Some(trouble) = listen(&inner).await else {
            return;
        };
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tracing::debug!(%trouble, pause_ms = pause.as_millis(), "the subscription ended; it is begun anew");
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Listens until the subscription ends; `None` when the store has.
async fn listen(inner: &Weak<Inner>) -> Option<Trouble> {
    let store = inner.upgrade()?;
    let link = match timeout(PATIENCE, store.supervisor.link()).await {
        Ok(Ok(link)) => link,
        Ok(Err(trouble)) => return Some(trouble),
        Err(_) => return Some(Trouble::NotDone("no node answered in time".to_owned())),
    };
    let begun = timeout(PATIENCE, reading::follow(&link, store.names.prefix())).await;
    let trouble = match begun {
        Ok(Ok(mut answers)) => {
            // What was written before it began.
            store.tail.bump();
            drop(store);
            loop {
                let answer = answers.message().await;
                let store = inner.upgrade()?;
                match answer {
                    Ok(Some(answer)) => match answer.content {
                        Some(Content::Event(_)) => store.tail.bump(),
                        Some(Content::Checkpoint(at)) => {
                            let passed = Position {
                                commit: at.commit_position,
                                prepare: at.prepare_position,
                            };
                            *store
                                .tail
                                .passed
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner) = Some(passed);
                        }
                        _ => {}
                    },
                    // A server that goes down in good order ends it so; the link is made anew when that is so.
                    Ok(None) => return Some(Trouble::NotDone("the server ended it".to_owned())),
                    Err(status) => break Trouble::of_status(&status),
                }
            }
        }
        Ok(Err(trouble)) => trouble,
        Err(_) => Trouble::Lost("the subscription did not begin in time".to_owned()),
    };
    inner.upgrade()?.supervisor.learn(&link, &trouble).await;
    Some(trouble)
}

/// Every event after `after` that `filter` admits, and those to come.
pub(super) fn subscribe(
    inner: Arc<Inner>,
    after: Option<Position>,
    filter: Filter,
) -> EventStream<Delivery> {
    let written = inner.tail.written.subscribe();
    let subscription = Subscription {
        inner,
        written,
        filter,
        here: after,
        behind: true,
        told: Instant::now(),
    };
    stream::unfold(Some(subscription), |subscription| async move {
        let mut subscription = subscription?;
        let (deliveries, subscription) = match subscription.next().await {
            Ok(deliveries) => (deliveries.into_iter().map(Ok).collect(), Some(subscription)),
            Err(error) => (vec![Err(error)], None),
        };
        Some((stream::iter(deliveries), subscription))
    })
    .flatten()
    .boxed()
}

struct Subscription {
    inner: Arc<Inner>,
    written: watch::Receiver<u64>,
    filter: Filter,
    /// Everything up to here has been looked at.
    here: Option<Position>,
    behind: bool,
    /// When anything was last delivered.
    told: Instant,
}

impl Subscription {
    async fn next(&mut self) -> Result<Vec<Delivery>, StoreError> {
        self.inner.tail.start(&self.inner);
        loop {
            self.written.borrow_and_update();
            let passed = self.inner.tail.passed();
            let seen = self.inner.page(self.here).await?;
            let mut deliveries = Vec::with_capacity(seen.events.len() + 2);
            let mut here = None;
            let mut delivered = None;
            for (position, event) in seen.events {
                here = Some(position);
                if let Some(event) = event
                    && self.filter.admits(&event.stream, &event.kind)
                {
                    delivered = here;
                    deliveries.push(Delivery::Event(event));
                }
            }
            if let Some(here) = here.filter(|_| here != delivered) {
                deliveries.push(Delivery::Checkpoint(here));
            }
            self.here = here.or(self.here);
            if !seen.whole {
                self.behind = true;
            } else {
                self.pass(passed, &mut deliveries);
                if std::mem::take(&mut self.behind) {
                    deliveries.push(Delivery::CaughtUp);
                }
            }
            if !deliveries.is_empty() {
                self.told = Instant::now();
                return Ok(deliveries);
            }
            // The sender is kept by `self.inner`. Whether it was told or not, the time has come to look.
            let _ = timeout(LOOK, self.written.changed()).await;
        }
    }

    /// A whole page read after the server said that it had passed so much of what others wrote has nothing of ours there,
    /// and none of it need be looked at again. That is told only after a long silence: it is not a place of ours.
    fn pass(&mut self, passed: Option<Position>, deliveries: &mut Vec<Delivery>) {
        let Some(passed) = passed.filter(|passed| Some(*passed) > self.here) else {
            return;
        };
        self.here = Some(passed);
        if self.told.elapsed() > SILENCE {
            deliveries.push(Delivery::Checkpoint(passed));
        }
    }
}
