//! Appending: judged here, made at an exact revision there, repeated with the same ids until the answer is definite.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::known::Known;
use super::link::Link;
use super::reading::{self, PAGE, STREAM_PATIENCE};
use super::seal::WRITE_PATIENCE;
use super::supervisor::Tries;
use super::trouble::Trouble;
use super::wire::appends::{AppendResult, CurrentRevision, ExpectedAt, PositionOption, Proposed};
use super::wire::{Empty, Revision, WireUuid};
use super::{Inner, reading::position};
use crate::envelope::{NewEvent, Position};
use crate::store::concurrency::Verdict;
use crate::store::{Appended, Direction, Expected, StoreError, validate};
use crate::stream::StreamName;

/// How long one try may take. The server drops without an answer what repeats an append that is not replicated yet, so
/// this is also how soon that is asked again.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// More rounds than this are not gone, whoever else writes to the stream.
const MAX_ROUNDS: usize = 1000;

/// What is known of an append under way.
#[derive(Default)]
struct Course {
    /// It was sent, and nobody knows what became of it.
    sent: bool,
    /// The stream was read to its end since the append began, or since it was last found elsewhere.
    fresh: bool,
}

impl Inner {
    pub(super) async fn append(
        &self,
        name: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        validate::batch(&events)?;
        if self.read_only {
            return Err(StoreError::refused("it was opened for reading only"));
        }
        self.writable().await?;
        let known = self.streams.of(name);
        let Ok(mut known) = timeout(super::supervisor::BUDGET, known.lock()).await else {
            return Err(StoreError::unavailable(
                "others are appending to the stream",
            ));
        };
        let appended = self.course(name, expected, &events, &mut known).await;
        self.streams.count(name, &known);
        if appended.is_ok() {
            self.tail.bump();
        }
        appended
    }

    async fn course(
        &self,
        name: &StreamName,
        expected: Expected,
        events: &[NewEvent],
        known: &mut Known,
    ) -> Result<Appended, StoreError> {
        let on_server = self.names.on_server(name);
        let mut course = Course::default();
        let mut tries = Tries::new();
        for _ in 0..MAX_ROUNDS {
            if !known.complete {
                self.refresh(&on_server, known, &mut course).await?;
            }
            let trouble = match known.judge(expected, events) {
                Verdict::Replay { first } => {
                    let last = first + events.len() as u64 - 1;
                    let position = self.position_of(&on_server, last).await;
                    let position = position.map_err(|error| course.say(error))?;
                    return Ok(Appended {
                        first_revision: first,
                        last_revision: last,
                        position,
                        replayed: !course.sent,
                    });
                }
                Verdict::Conflict if course.fresh => {
                    return Err(StoreError::Conflict {
                        stream: name.clone(),
                        expected,
                        actual: known.head(),
                    });
                }
                Verdict::Conflict => {
                    self.refresh(&on_server, known, &mut course).await?;
                    continue;
                }
                Verdict::Append => match self.send(&on_server, known, events).await {
                    Ok(appended) => return Ok(appended),
                    Err(trouble) => trouble,
                },
            };
            match trouble {
                Trouble::WrongRevision => {
                    let before = known.head();
                    self.refresh(&on_server, known, &mut course).await?;
                    if known.head() != before {
                        continue;
                    }
                    // It stands before what is known of it: a backup was put back under us.
                    known.forget();
                }
                Trouble::Deleted => {
                    known.forget();
                    let erased = StoreError::refused(format!("{name} was erased"));
                    return Err(course.say(erased));
                }
                Trouble::Denied | Trouble::Invalid(_) | Trouble::Sealed(_) => {
                    return Err(course.say(trouble.into_error()));
                }
                Trouble::Lost(_) => course.sent = true,
                Trouble::NotDone(_) | Trouble::NotLeader(_) => {}
            }
            if !tries.pause().await {
                return Err(course.say(trouble.into_error()));
            }
        }
        Err(course.say(Trouble::WrongRevision.into_error()))
    }

    /// Sends the batch once, to stand behind what is known.
    async fn send(
        &self,
        on_server: &str,
        known: &mut Known,
        events: &[NewEvent],
    ) -> Result<Appended, Trouble> {
        let expected = match known.head() {
            None => ExpectedAt::NoStream(Empty {}),
            Some(head) => ExpectedAt::Revision(head),
        };
        let first = known.next();
        let last = first + events.len() as u64 - 1;
        let batch: Vec<Proposed> = events.iter().map(proposed).collect();
        // Until it is answered nobody knows how far the stream goes, whoever stops waiting: it is looked at first then.
        // What isn't there by then may still come, so it is sent again, at the same revision and with the same ids.
        known.complete = false;
        let sent = self
            .supervisor
            .attempt(WRITE_PATIENCE, |link: Arc<Link>| async move {
                let written = write(&link, on_server, expected, batch);
                self.unsealed(&link, written).await
            });
        let (revision, position) = sent.await?;
        if revision != last {
            // Not where it was told to: the stream was deleted by hand, and is another one now.
            known.forget();
            return Err(Trouble::Lost(format!(
                "appended at revision {revision} instead of {last}"
            )));
        }
        for event in events {
            known.push(event.id);
        }
        known.complete = true;
        let position = match position {
            Some(position) => position,
            // A server that recognised a repetition doesn't always tell.
            None => self
                .position_of(on_server, last)
                .await
                .map_err(|error| Trouble::Lost(error.to_string()))?,
        };
        Ok(Appended {
            first_revision: first,
            last_revision: last,
            position,
            replayed: false,
        })
    }

    /// Reads what isn't known of the stream yet.
    async fn refresh(
        &self,
        on_server: &str,
        known: &mut Known,
        course: &mut Course,
    ) -> Result<(), StoreError> {
        loop {
            let next = known.next();
            let page = self
                .supervisor
                .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                    let forwards = Direction::Forwards;
                    reading::stream(&link, on_server, Revision::At(next), forwards, PAGE).await
                });
            let page = page.await.map_err(|error| course.say(error))?;
            for event in &page.events {
                if event.revision != known.next() {
                    return Err(StoreError::corrupt(format!(
                        "{on_server} was cut short by other hands: revision {} follows {:?}",
                        event.revision,
                        known.head()
                    )));
                }
                known.push(event.id.as_ref().and_then(WireUuid::id).unwrap_or_default());
            }
            if page.whole {
                known.complete = true;
                course.fresh = true;
                return Ok(());
            }
        }
    }

    async fn position_of(&self, on_server: &str, revision: u64) -> Result<Position, StoreError> {
        let read = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let from = Revision::At(revision);
                let page = reading::stream(&link, on_server, from, Direction::Forwards, 1).await?;
                page.events.first().map(position).transpose()
            });
        let position = read.await?;
        position.ok_or_else(|| StoreError::unavailable("an event just written can't be read"))
    }
}

impl Course {
    fn say(&self, error: StoreError) -> StoreError {
        said(self.sent, error)
    }
}

/// What a failure means for a write: unless an earlier try was sent whose outcome nobody knows, that it was not made. What
/// the server refuses now, or a seal set since, says nothing of that try.
pub(super) fn said(sent: bool, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable { reason }
        | StoreError::Invalid { reason }
        | StoreError::Refused { reason }
            if sent =>
        {
            StoreError::unknown(reason)
        }
        other => other,
    }
}

fn proposed(event: &NewEvent) -> Proposed {
    let (data, metadata) = (event.data.clone(), event.metadata.clone());
    Proposed::new(event.id, &event.kind, data, metadata)
}

/// One append: the revision of its last event, and its position where the server tells it.
pub(super) async fn write(
    link: &Link,
    stream: &str,
    expected: ExpectedAt,
    events: Vec<Proposed>,
) -> Result<(u64, Option<Position>), Trouble> {
    let appending = link.caller.append(stream, expected, events);
    let Ok(answer) = timeout(PATIENCE, appending).await else {
        return Err(Trouble::Lost("an append was not answered".to_owned()));
    };
    let written = match answer?.result {
        Some(AppendResult::Success(written)) => written,
        Some(AppendResult::Wrong(_)) => return Err(Trouble::WrongRevision),
        None => return Err(Trouble::Lost("an append's answer is empty".to_owned())),
    };
    let position = match written.position {
        Some(PositionOption::At(position)) => Some(Position {
            commit: position.commit_position,
            prepare: position.prepare_position,
        }),
        _ => None,
    };
    match written.current {
        Some(CurrentRevision::At(revision)) => Ok((revision, position)),
        _ => Err(Trouble::Lost(
            "an append's answer names no revision".to_owned(),
        )),
    }
}

/// Runs a call of the client crate so that its panic is only a lost answer.
pub(super) async fn contained<T: Send + 'static>(
    call: impl Future<Output = eventstore::Result<T>> + Send + 'static,
) -> Result<T, Trouble> {
    /// Whoever stops waiting stops the call.
    struct Ends<T>(tokio::task::JoinHandle<T>);
    impl<T> Drop for Ends<T> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let mut task = Ends(tokio::spawn(call));
    match (&mut task.0).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Trouble::of_client(error)),
        Err(_) => Err(Trouble::Lost(
            "the client did not take the answer".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_lost_try_only_what_the_stream_shows_is_definite() {
        let unknown = |error: &StoreError| matches!(error, StoreError::Unknown { .. });
        for error in [
            StoreError::unavailable("no node answers"),
            Trouble::Denied.into_error(),
            Trouble::Deleted.into_error(),
            Trouble::Invalid("too large".to_owned()).into_error(),
            Trouble::Sealed("it was moved".to_owned()).into_error(),
        ] {
            assert_eq!(said(false, error.clone()), error);
            assert!(unknown(&said(true, error.clone())), "{error}");
        }
        let corrupt = StoreError::corrupt("cut short");
        assert_eq!(said(true, corrupt.clone()), corrupt);
    }
}
