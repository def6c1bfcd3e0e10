//! A store that fails as a test wants it to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carnet_events::envelope::{NewEvent, Position, Recorded};
use carnet_events::store::{
    Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom, StoreError,
    StoreHealth,
};
use carnet_events::stream::StreamName;
use futures::{StreamExt, stream};
use tokio::sync::Notify;

/// What goes wrong with an append.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not made.
    NotMade,
    /// It is made, and the answer is lost.
    AnswerLost,
    /// It is not made, and the answer doesn't say so.
    InDoubt,
    /// It was made before, and is answered as if it were another one.
    Forgotten,
}

type Rule = Box<dyn FnMut(&StreamName, &[NewEvent]) -> Option<Fault> + Send>;

/// Another store, as it looks through a bad line.
pub struct FaultyStore {
    behind: Arc<dyn EventStore>,
    rule: Mutex<Option<Rule>>,
    cut: AtomicBool,
    mute: AtomicBool,
    pub skew_ms: Mutex<Option<i64>>,
    held: Mutex<Option<(StreamName, Hold)>>,
}

/// A reading that ends when a test says so.
#[derive(Clone, Default)]
pub struct Hold {
    /// Told when the reader has everything but the end.
    pub held: Arc<Notify>,
    /// Tells it to go on.
    pub go_on: Arc<Notify>,
}

impl FaultyStore {
    pub fn new(behind: Arc<dyn EventStore>) -> Arc<Self> {
        Arc::new(Self {
            behind,
            rule: Mutex::default(),
            cut: AtomicBool::new(false),
            mute: AtomicBool::new(false),
            skew_ms: Mutex::default(),
            held: Mutex::default(),
        })
    }

    pub fn fail(
        &self,
        rule: impl FnMut(&StreamName, &[NewEvent]) -> Option<Fault> + Send + 'static,
    ) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// Holds up the next reading of this stream, which goes on with what there is by now.
    pub fn hold(&self, stream: StreamName) -> Hold {
        let hold = Hold::default();
        *self.held.lock().unwrap() = Some((stream, hold.clone()));
        hold
    }

    /// Streams can be neither written nor read any more.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// It doesn't say whether it can be written, nor what time it is.
    pub fn mute(&self) {
        self.mute.store(true, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.mute.store(false, Ordering::SeqCst);
        self.cut.store(false, Ordering::SeqCst);
        *self.rule.lock().unwrap() = None;
    }

    fn line(&self) -> Result<(), StoreError> {
        match self.cut.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable {
                reason: "planned".to_owned(),
            }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl EventStore for FaultyStore {
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        self.line()?;
        let fault = self
            .rule
            .lock()
            .unwrap()
            .as_mut()
            .and_then(|rule| rule(stream, &events));
        match fault {
            None => self.behind.append(stream, expected, events).await,
            Some(Fault::NotMade) => Err(StoreError::Unavailable {
                reason: "planned".to_owned(),
            }),
            Some(Fault::InDoubt) => Err(StoreError::Unknown {
                reason: "planned".to_owned(),
            }),
            Some(Fault::Forgotten) => Err(StoreError::Conflict {
                stream: stream.clone(),
                expected,
                actual: self.behind.head(stream).await?,
            }),
            Some(Fault::AnswerLost) => {
                self.behind.append(stream, expected, events).await?;
                Err(StoreError::Unknown {
                    reason: "planned".to_owned(),
                })
            }
        }
    }

    fn read(
        &self,
        name: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded> {
        let hold = self.held.lock().unwrap().take_if(|(held, _)| held == name);
        if let Some((_, hold)) = hold {
            let events = self.behind.read(name, from, direction, max);
            let events = async move {
                let events = events.collect::<Vec<_>>().await;
                hold.held.notify_one();
                hold.go_on.notified().await;
                stream::iter(events)
            };
            return stream::once(events).flatten().boxed();
        }
        match self.line() {
            Ok(()) => self.behind.read(name, from, direction, max),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        self.line()?;
        self.behind.head(stream).await
    }

    fn read_all(
        &self,
        after: Option<Position>,
        filter: Filter,
        max: usize,
    ) -> EventStream<Recorded> {
        self.behind.read_all(after, filter, max)
    }

    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery> {
        self.behind.subscribe(after, filter)
    }

    /// The rule is asked about it as about an append of nothing.
    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError> {
        self.line()?;
        let fault = self
            .rule
            .lock()
            .unwrap()
            .as_mut()
            .and_then(|rule| rule(stream, &[]));
        match fault {
            None => self.behind.erase(stream).await,
            Some(_) => Err(StoreError::Unavailable {
                reason: "planned".to_owned(),
            }),
        }
    }

    async fn seal(&self, why: &str) -> Result<(), StoreError> {
        self.behind.seal(why).await
    }

    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        self.behind.reseal(was, why).await
    }

    async fn seals(&self) -> Result<Vec<String>, StoreError> {
        self.behind.seals().await
    }

    async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        self.behind.erased().await
    }

    async fn last_position(&self) -> Result<Option<Position>, StoreError> {
        self.behind.last_position().await
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        if self.mute.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable {
                reason: "planned".to_owned(),
            });
        }
        Ok(StoreHealth {
            clock_skew_ms: *self.skew_ms.lock().unwrap(),
        })
    }
}
