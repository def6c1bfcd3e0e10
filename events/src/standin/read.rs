//! Reading and following, as a server answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::stream::{self, BoxStream, StreamExt};
use prost::bytes::Bytes;
use regex::Regex;
use tokio::sync::watch;
use tonic::Status;

use super::door::IDLE;
use super::log::Entry;
use super::shared::Shared;
use crate::store::esdb::wire::{
    AllOption, Confirmation, Content, CountOption, Empty, Expression, FilterBy, FilterOption,
    ReadDirection, ReadEvent, ReadOptions, ReadPosition, ReadResp, RecordedEvent, Revision,
    StreamIdentifier, StreamNotFound, StreamOption, StreamOptions, Window, WirePosition,
};

pub(super) type Answers = BoxStream<'static, Result<ReadResp, Status>>;

/// How many records are considered at once, unless a window says otherwise.
const BATCH: usize = 32;

pub(super) fn deleted(stream: &str) -> Status {
    let mut status = Status::failed_precondition(format!("Event stream '{stream}' is deleted."));
    let exception = tonic::metadata::MetadataValue::from_static("stream-deleted");
    status.metadata_mut().insert("exception", exception);
    status
}

pub(super) fn answer(shared: &Arc<Shared>, options: ReadOptions) -> Result<Answers, Status> {
    let invalid = |what: &str| Status::invalid_argument(format!("'{what}' is required"));
    if options.uuid.is_none() {
        return Err(invalid("uuidOption"));
    }
    let backwards = options.direction == ReadDirection::Backwards as i32;
    let filter = Sieve::of(options.filter.ok_or_else(|| invalid("filterOption"))?)?;
    let count = match options.count.ok_or_else(|| invalid("countOption"))? {
        CountOption::Count(count) => Some(usize::try_from(count).unwrap_or(usize::MAX)),
        CountOption::Subscription(_) => None,
    };
    match (
        options.stream.ok_or_else(|| invalid("streamOption"))?,
        count,
    ) {
        (StreamOption::Stream(stream), Some(count)) => {
            read_stream(shared, &stream, backwards, count)
        }
        (StreamOption::All(all), Some(count)) => {
            let from = all.from.ok_or_else(|| invalid("allOption"))?;
            read_all(shared, &from, backwards, &filter, count)
        }
        (StreamOption::All(all), None) if !backwards => {
            let from = all.from.ok_or_else(|| invalid("allOption"))?;
            subscribe(shared, &from, filter)
        }
        _ => Err(Status::invalid_argument("The combination is invalid.")),
    }
}

fn read_stream(
    shared: &Shared,
    options: &StreamOptions,
    backwards: bool,
    count: usize,
) -> Result<Answers, Status> {
    let name = options
        .stream
        .as_ref()
        .map(|stream| stream.stream_name.to_vec());
    let name = name.and_then(|name| String::from_utf8(name).ok());
    let name = name.ok_or_else(|| Status::invalid_argument("stream"))?;
    let log = shared.log();
    if log.is_deleted(&name) {
        return Err(deleted(&name));
    }
    let Some(entries) = log.stream(&name) else {
        let missing = Content::StreamNotFound(StreamNotFound {
            stream: Some(name.as_str().into()),
        });
        return Ok(contents(vec![missing]));
    };
    let first = entries.first().map_or(0, |entry| entry.revision);
    let last = entries.last().map_or(0, |entry| entry.revision);
    let from = match options.revision.as_ref() {
        Some(Revision::At(revision)) if i64::try_from(*revision).is_ok() => *revision,
        Some(Revision::Start(_)) => 0,
        Some(Revision::End(_)) => last + u64::from(!backwards),
        _ => return Err(Status::invalid_argument("revision")),
    };
    let mut answers = Vec::new();
    if backwards {
        let fitting = entries.iter().rev().filter(|entry| entry.revision <= from);
        // Behind the end a server looks where nothing is.
        let reach = if from > last { 0 } else { count };
        answers.extend(fitting.take(reach).map(|entry| event(entry)));
    } else {
        let fitting = entries.iter().filter(|entry| entry.revision >= from);
        answers.extend(fitting.take(count).map(|entry| event(entry)));
    }
    answers.push(Content::FirstStreamPosition(first));
    answers.push(Content::LastStreamPosition(last));
    Ok(contents(answers))
}

fn read_all(
    shared: &Shared,
    from: &AllOption,
    backwards: bool,
    filter: &Sieve,
    count: usize,
) -> Result<Answers, Status> {
    let log = shared.log();
    let entries = log.all();
    let index = match from {
        AllOption::Start(_) => 0,
        AllOption::End(_) => entries.len(),
        AllOption::Position(position) => place(entries, position.commit_position)?,
    };
    let (before, after) = entries.split_at(index);
    let answers = if backwards {
        let fitting = before.iter().rev().filter(|entry| filter.admits(entry));
        fitting.take(count).map(|entry| event(entry)).collect()
    } else {
        let fitting = after.iter().filter(|entry| filter.admits(entry));
        fitting.take(count).map(|entry| event(entry)).collect()
    };
    Ok(contents(answers))
}

/// Where a record stands. What lies between records, a server can't read from.
fn place(entries: &[Arc<Entry>], position: u64) -> Result<usize, Status> {
    let index = entries.partition_point(|entry| entry.position < position);
    let scavenged = entries
        .get(index)
        .is_none_or(|entry| entry.position != position);
    if scavenged && entries.last().is_none_or(|last| position > last.position) {
        return Ok(entries.len());
    }
    if scavenged && index > 0 {
        return Err(Status::unknown(
            "Unexpected FilteredReadAllResult: InvalidPosition",
        ));
    }
    Ok(index)
}

struct Follower {
    shared: Arc<Shared>,
    written: watch::Receiver<()>,
    ended: watch::Receiver<()>,
    filter: Sieve,
    /// The position of the last record considered.
    after: Option<u64>,
    /// Considered since the last checkpoint.
    considered: usize,
    behind: bool,
}

fn subscribe(shared: &Arc<Shared>, from: &AllOption, filter: Sieve) -> Result<Answers, Status> {
    let after = {
        let log = shared.log();
        match from {
            AllOption::Start(_) => None,
            AllOption::End(_) => log.all().last().map(|entry| entry.position),
            AllOption::Position(position) => {
                place(log.all(), position.commit_position)?;
                Some(position.commit_position)
            }
        }
    };
    let number = shared.begun_subscriptions.fetch_add(1, Ordering::SeqCst);
    let follower = Follower {
        written: shared.written.subscribe(),
        ended: shared.endings.subscribe(),
        shared: Arc::clone(shared),
        filter,
        after,
        considered: 0,
        behind: true,
    };
    let confirmation = Content::Confirmation(Confirmation {
        subscription_id: number.to_string(),
    });
    let followed = stream::unfold(follower, |mut follower| async move {
        let batch = follower.next().await?;
        Some((contents(batch), follower))
    });
    Ok(contents(vec![confirmation])
        .chain(followed.flatten())
        .boxed())
}

impl Follower {
    async fn next(&mut self) -> Option<Vec<Content>> {
        loop {
            self.written.borrow_and_update();
            let batch = self.batch();
            if !batch.is_empty() {
                return Some(batch);
            }
            tokio::select! {
                _ = self.ended.changed() => return None,
                _ = self.written.changed() => {}
                () = tokio::time::sleep(IDLE) => {}
            }
        }
    }

    fn batch(&mut self) -> Vec<Content> {
        let log = self.shared.log();
        let begin = log
            .all()
            .partition_point(|entry| Some(entry.position) <= self.after);
        let mut batch = Vec::new();
        let window = log.all().get(begin..).unwrap_or_default();
        for entry in window.iter().take(self.filter.window) {
            self.after = Some(entry.position);
            self.considered += 1;
            if self.filter.admits(entry) {
                batch.push(event(entry));
            }
            if self.considered >= self.filter.interval {
                self.considered = 0;
                batch.push(Content::Checkpoint(both(entry.position)));
            }
        }
        if window.len() <= self.filter.window && std::mem::take(&mut self.behind) {
            batch.extend(
                self.shared
                    .tells_caught_up()
                    .then_some(Content::CaughtUp(Empty {})),
            );
        }
        batch
    }
}

impl Shared {
    /// Since 23.10.
    fn tells_caught_up(&self) -> bool {
        let mut numbers = self.options.version.split('.').map(str::parse::<u32>);
        let release = (numbers.next(), numbers.next());
        matches!(release, (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (23, 10))
    }
}

/// What is admitted, and how much is considered at once.
struct Sieve {
    prefixes: Option<(bool, Vec<String>)>,
    regex: Option<(bool, Regex)>,
    window: usize,
    interval: usize,
}

impl Sieve {
    fn of(filter: FilterOption) -> Result<Self, Status> {
        let FilterOption::Filter(filter) = filter else {
            return Ok(Self {
                prefixes: None,
                regex: None,
                window: BATCH,
                interval: usize::MAX,
            });
        };
        let window = match filter.window {
            Some(Window::Max(max)) => max as usize,
            Some(Window::Count(_)) => BATCH,
            None => return Err(Status::invalid_argument("window")),
        };
        let (by_stream, Expression { regex, prefix }) = match filter.by {
            Some(FilterBy::StreamIdentifier(expression)) => (true, expression),
            Some(FilterBy::EventType(expression)) => (false, expression),
            None => return Err(Status::invalid_argument("filter")),
        };
        let pattern = if regex.is_empty() {
            None
        } else {
            Some(Regex::new(&regex).map_err(|_| Status::invalid_argument("regex"))?)
        };
        Ok(Self {
            prefixes: pattern.is_none().then_some((by_stream, prefix)),
            regex: pattern.map(|pattern| (by_stream, pattern)),
            window,
            interval: window.saturating_mul(filter.checkpoint_interval_multiplier.max(1) as usize),
        })
    }

    fn admits(&self, entry: &Entry) -> bool {
        let text = |by_stream| {
            if by_stream {
                &*entry.stream
            } else {
                &entry.kind
            }
        };
        let by_prefix = self.prefixes.as_ref().is_none_or(|(by_stream, prefixes)| {
            prefixes
                .iter()
                .any(|prefix| text(*by_stream).starts_with(prefix))
        });
        let by_regex = self
            .regex
            .as_ref()
            .is_none_or(|(by_stream, regex)| regex.is_match(text(*by_stream)));
        by_prefix && by_regex
    }
}

fn both(position: u64) -> WirePosition {
    WirePosition {
        commit_position: position,
        prepare_position: position,
    }
}

fn contents(contents: Vec<Content>) -> Answers {
    let answer = |content| {
        Ok(ReadResp {
            content: Some(content),
        })
    };
    stream::iter(contents.into_iter().map(answer)).boxed()
}

fn event(entry: &Entry) -> Content {
    let metadata = HashMap::from([
        ("type".to_owned(), entry.kind.clone()),
        ("content-type".to_owned(), entry.content_type.clone()),
        ("created".to_owned(), entry.created.to_string()),
    ]);
    Content::Event(ReadEvent {
        event: Some(RecordedEvent {
            id: Some(entry.id.into()),
            stream: Some(StreamIdentifier {
                stream_name: Bytes::copy_from_slice(entry.stream.as_bytes()),
            }),
            revision: entry.revision,
            prepare_position: entry.position,
            commit_position: entry.position,
            metadata,
            custom_metadata: entry.metadata.clone(),
            data: entry.data.clone(),
        }),
        position: Some(ReadPosition::Commit(entry.position)),
    })
}
