//! The line between a process and the store: it delays, loses, repeats and brings late what is sent over it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use carnet_actors::ports::Clock as _;
use carnet_events::envelope::{NewEvent, Position, Recorded};
use carnet_events::store::{
    Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom, StoreError,
    StoreHealth,
};
use carnet_events::stream::StreamName;
use futures::{StreamExt, stream};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::chance::Chance;
use crate::server::{Process, Server};
use crate::time::NodeClock;

/// How good the lines are at present, all of them.
#[derive(Default)]
pub struct Weather {
    /// Messages in a hundred that something happens to.
    pub bad: AtomicU32,
    /// Messages take seconds.
    pub slow: AtomicBool,
}

/// A node's cable.
#[derive(Default)]
pub struct Cable {
    pub cut: AtomicBool,
}

/// What becomes of a message.
enum Fate {
    Arrives,
    /// It is refused, and the sender knows.
    Refused,
    /// It is gone, and nobody says anything.
    Swallowed,
    /// It arrives, and the answer doesn't.
    AnswerLost,
    /// It arrives long after the sender was told that nothing is known of it.
    Late,
    /// It arrives twice.
    Twice,
}

/// A process's end of it.
#[derive(Clone)]
pub struct Line {
    pub process: Process,
    pub clock: NodeClock,
    pub cable: Arc<Cable>,
    pub weather: Arc<Weather>,
    pub server: Arc<Server>,
    pub chance: Chance,
}

fn unavailable() -> StoreError {
    StoreError::Unavailable {
        reason: "simulated".to_owned(),
    }
}

fn unknown() -> StoreError {
    StoreError::Unknown {
        reason: "simulated".to_owned(),
    }
}

impl Line {
    fn fate(&self) -> Fate {
        if self.cable.cut.load(Ordering::Relaxed) || self.server.is_down() {
            return match self.chance.percent(50) {
                true => Fate::Refused,
                false => Fate::Swallowed,
            };
        }
        if !self
            .chance
            .percent(self.weather.bad.load(Ordering::Relaxed))
        {
            return Fate::Arrives;
        }
        match self.chance.below(6) {
            0 => Fate::Refused,
            1 => Fate::Swallowed,
            2 | 3 => Fate::AnswerLost,
            4 => Fate::Late,
            _ => Fate::Twice,
        }
    }

    async fn transit(&self) {
        let bad = self.weather.bad.load(Ordering::Relaxed);
        let delay = if self.weather.slow.load(Ordering::Relaxed) && self.chance.percent(30) {
            self.chance.millis(100, 6000)
        } else if bad > 0 {
            self.chance.millis(0, 20)
        } else {
            Duration::ZERO
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
    }

    /// Asks the server for something that changes nothing.
    async fn ask<T>(&self, question: impl Future<Output = T>) -> Result<T, StoreError> {
        self.clock.power.gate().await;
        self.transit().await;
        let answer = match self.fate() {
            Fate::Arrives | Fate::Late | Fate::Twice => Ok(question.await),
            Fate::Refused => Err(unavailable()),
            Fate::Swallowed | Fate::AnswerLost => pending().await,
        };
        self.transit().await;
        self.clock.power.gate().await;
        answer
    }

    /// The events after `after`, once there are any.
    async fn news(&self, after: Option<Position>) -> Vec<Recorded> {
        loop {
            let more = self.server.more.notified();
            let news = self.server.all_after(after).await;
            if !news.is_empty() {
                return news;
            }
            more.await;
        }
    }

    /// Carries an append. It runs as a task of its own: what is sent goes its way, whatever becomes of the sender.
    async fn carry(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        let send = || {
            let (process, events) = (self.process, events.clone());
            self.server.append(process, stream, expected, events)
        };
        self.transit().await;
        let answer = match self.fate() {
            Fate::Arrives => send().await,
            Fate::Refused => Err(unavailable()),
            Fate::Swallowed => self.silence().await,
            Fate::AnswerLost => {
                let _ = send().await;
                self.silence().await
            }
            Fate::Late => {
                let line = self.clone();
                let (stream, events) = (stream.clone(), events.clone());
                tokio::spawn(async move {
                    sleep(line.chance.millis(50, 20_000)).await;
                    line.server
                        .append(line.process, &stream, expected, events)
                        .await
                });
                self.silence().await
            }
            Fate::Twice => {
                let answer = send().await;
                sleep(self.chance.millis(0, 500)).await;
                let _ = send().await;
                answer
            }
        };
        self.transit().await;
        answer
    }

    /// No answer: the connection breaks, or nothing is heard any more.
    async fn silence(&self) -> Result<Appended, StoreError> {
        match self.chance.percent(50) {
            true => Err(unknown()),
            false => pending().await,
        }
    }
}

#[async_trait]
impl EventStore for Line {
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        self.clock.power.gate().await;
        let (line, stream) = (self.clone(), stream.clone());
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let _ = sender.send(line.carry(&stream, expected, events).await);
        });
        let answer = receiver.await.unwrap_or_else(|_| Err(unknown()));
        self.clock.power.gate().await;
        answer
    }

    fn read(
        &self,
        name: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded> {
        let (line, name) = (self.clone(), name.clone());
        let events = async move {
            let read = line.server.read(&name, from, direction, max);
            match line.ask(read).await {
                Ok(events) => events.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        };
        stream::once(events).flat_map(stream::iter).boxed()
    }

    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        self.ask(self.server.head(stream)).await
    }

    fn read_all(&self, after: Option<Position>, _: Filter, _: usize) -> EventStream<Recorded> {
        let line = self.clone();
        let events = async move {
            match line.ask(line.server.all_after(after)).await {
                Ok(events) => events.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        };
        stream::once(events).flat_map(stream::iter).boxed()
    }

    /// The reference store wakes its subscribers in an order of chance, which this one doesn't.
    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery> {
        let next = move |(line, after, filter): (Self, Option<Position>, Filter)| async move {
            let news = line.news(after).await;
            let after = news.last().map(|event| event.position).or(after);
            line.clock.power.gate().await;
            let deliveries: Vec<_> = match line.cable.cut.load(Ordering::Relaxed) {
                true => vec![Err(unavailable())],
                false => news
                    .into_iter()
                    .filter(|event| filter.admits(&event.stream, &event.kind))
                    .map(|event| Ok(Delivery::Event(event)))
                    .collect(),
            };
            Some((stream::iter(deliveries), (line, after, filter)))
        };
        stream::unfold((self.clone(), after, filter), next)
            .flatten()
            .boxed()
    }

    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError> {
        self.ask(self.server.store.erase(stream)).await?
    }

    async fn seal(&self, why: &str) -> Result<(), StoreError> {
        self.ask(self.server.store.seal(why)).await?
    }

    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        self.ask(self.server.store.reseal(was, why)).await?
    }

    async fn seals(&self) -> Result<Vec<String>, StoreError> {
        self.ask(self.server.store.seals()).await?
    }

    async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        self.ask(self.server.store.erased()).await?
    }

    async fn last_position(&self) -> Result<Option<Position>, StoreError> {
        self.ask(self.server.store.last_position()).await?
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        let store = self.ask(async { self.server.time.now() }).await?;
        let own = self.clock.now();
        Ok(StoreHealth {
            clock_skew_ms: Some(store.as_millis() - own.as_millis()),
        })
    }
}
