//! Pages: one bounded reading each, of a stream or of the total order.

use std::borrow::Cow;
use std::time::Duration;

use tonic::codec::Streaming;

use super::link::Link;
use super::names::Names;
use super::trouble::Trouble;
use super::wire::{
    AllOption, AllOptions, Content, CountOption, Empty, Expression, FilterBy, FilterOption,
    FilterOptions, ReadDirection, ReadOptions, ReadResp, RecordedEvent, Revision, StreamOption,
    StreamOptions, UuidAs, UuidOption, Window, WirePosition,
};
use crate::envelope::{Position, Recorded};
use crate::store::Direction;
use crate::stream::StreamName;

/// The most events of one page.
pub(super) const PAGE: usize = 256;
/// A page ends early when its events hold more bytes than this.
const PAGE_BYTES: usize = 4 << 20;
/// How long a page of a stream may take.
pub(super) const STREAM_PATIENCE: Duration = Duration::from_secs(5);
/// How long a page of the total order may take: the server may have to pass over much that isn't ours.
pub(super) const ALL_PATIENCE: Duration = Duration::from_secs(60);
/// How many events the server looks at before it looks whether anybody still waits.
const WINDOW: u32 = 1000;

/// What one reading gave.
pub(super) struct Page {
    pub(super) events: Vec<RecordedEvent>,
    /// There was no more when it was read.
    pub(super) whole: bool,
}

/// A page of `stream`; an erased stream is [`Trouble::Deleted`].
pub(super) async fn stream(
    link: &Link,
    stream: &str,
    from: Revision,
    direction: Direction,
    max: usize,
) -> Result<Page, Trouble> {
    let options = ReadOptions {
        stream: Some(StreamOption::Stream(StreamOptions {
            stream: Some(stream.into()),
            revision: Some(from),
        })),
        direction: wire(direction),
        resolve_links: false,
        count: Some(CountOption::Count(max as u64)),
        filter: Some(FilterOption::NoFilter(Empty {})),
        uuid: structured(),
    };
    page(link.caller.read(options).await?, max).await
}

/// A page of all events in streams that begin with `prefix`; the event at `from` is read too.
pub(super) async fn all(
    link: &Link,
    prefix: &str,
    from: AllOption,
    direction: Direction,
    max: usize,
) -> Result<Page, Trouble> {
    let count = CountOption::Count(max as u64);
    let options = everything(prefix, from, direction, count);
    page(link.caller.read(options).await?, max).await
}

/// A subscription to what will be written to streams that begin with `prefix`.
pub(super) async fn follow(link: &Link, prefix: &str) -> Result<Streaming<ReadResp>, Trouble> {
    let end = AllOption::End(Empty {});
    let count = CountOption::Subscription(Empty {});
    link.caller
        .read(everything(prefix, end, Direction::Forwards, count))
        .await
}

fn everything(
    prefix: &str,
    from: AllOption,
    direction: Direction,
    count: CountOption,
) -> ReadOptions {
    let ours = Expression {
        regex: String::new(),
        prefix: vec![prefix.to_owned()],
    };
    ReadOptions {
        stream: Some(StreamOption::All(AllOptions { from: Some(from) })),
        direction: wire(direction),
        resolve_links: false,
        count: Some(count),
        filter: Some(FilterOption::Filter(FilterOptions {
            by: Some(FilterBy::StreamIdentifier(ours)),
            window: Some(Window::Max(WINDOW)),
            checkpoint_interval_multiplier: 10,
        })),
        uuid: structured(),
    }
}

fn wire(direction: Direction) -> i32 {
    match direction {
        Direction::Forwards => ReadDirection::Forwards as i32,
        Direction::Backwards => ReadDirection::Backwards as i32,
    }
}

fn structured() -> Option<UuidOption> {
    Some(UuidOption {
        content: Some(UuidAs::Structured(Empty {})),
    })
}

/// Where to begin in the total order.
pub(super) fn from(position: Option<Position>) -> AllOption {
    match position {
        None => AllOption::Start(Empty {}),
        Some(position) => AllOption::Position(WirePosition {
            commit_position: position.commit,
            prepare_position: position.prepare,
        }),
    }
}

async fn page(mut answers: Streaming<ReadResp>, max: usize) -> Result<Page, Trouble> {
    let mut events = Vec::new();
    let mut bytes = 0;
    loop {
        let answer = match answers.message().await {
            Ok(answer) => answer,
            Err(status) => return Err(Trouble::of_status(&status)),
        };
        let Some(answer) = answer else {
            let whole = events.len() < max;
            return Ok(Page { events, whole });
        };
        // Where nothing is, nothing is read; and what later releases may tell besides is not for us.
        if let Some(Content::Event(read)) = answer.content {
            let event = read.event.ok_or_else(|| {
                Trouble::Invalid("the server sent an event without content".to_owned())
            })?;
            bytes += event.data.len() + event.custom_metadata.len();
            events.push(event);
        }
        if bytes > PAGE_BYTES {
            let whole = false;
            return Ok(Page { events, whole });
        }
    }
}

/// Where an event stands.
pub(super) fn position(event: &RecordedEvent) -> Result<Position, Trouble> {
    if event.commit_position == u64::MAX {
        return Err(Trouble::Invalid(
            "the server doesn't tell where a stream's events stand: it must be release 22.10 or later".to_owned(),
        ));
    }
    Ok(Position {
        commit: event.commit_position,
        prepare: event.prepare_position,
    })
}

/// An event's type.
pub(super) fn kind(event: &RecordedEvent) -> &str {
    event.metadata.get("type").map_or("", String::as_str)
}

/// The event as ours, `None` when it isn't.
pub(super) fn recorded(
    names: &Names,
    mut event: RecordedEvent,
) -> Result<Option<Recorded>, Trouble> {
    let position = position(&event)?;
    let kind = event.metadata.remove("type").unwrap_or_default();
    let on_server = event.stream.as_ref().map(|stream| &*stream.stream_name);
    let Some(stream) = on_server.and_then(|stream| names.ours(stream, &kind)) else {
        return Ok(None);
    };
    let id = event.id.and_then(|id| id.id());
    let id = id.ok_or_else(|| Trouble::Invalid(format!("an event of {stream} has no id")))?;
    Ok(Some(Recorded {
        stream,
        revision: event.revision,
        position,
        id,
        kind: Cow::Owned(kind),
        data: event.data,
        metadata: event.custom_metadata,
    }))
}

/// The revision of a stream's last event.
pub(super) async fn head(link: &Link, stream_name: &str) -> Result<Option<u64>, Trouble> {
    let end = Revision::End(Empty {});
    let page = stream(link, stream_name, end, Direction::Backwards, 1).await?;
    Ok(page.events.first().map(|event| event.revision))
}

/// The last event of ours in the total order, however much of others' follows it.
pub(super) async fn last(link: &Link, names: &Names) -> Result<Option<Position>, Trouble> {
    const FEW: usize = 16;
    let mut begin = AllOption::End(Empty {});
    let mut before = None;
    loop {
        let page = all(link, names.prefix(), begin, Direction::Backwards, FEW).await?;
        let mut lowest = before;
        for event in page.events {
            let here = position(&event)?;
            if before.is_some_and(|before| here >= before) {
                continue;
            }
            lowest = Some(here);
            let on_server = event.stream.as_ref().map(|stream| &*stream.stream_name);
            let ours: Option<StreamName> =
                on_server.and_then(|stream| names.ours(stream, kind(&event)));
            if ours.is_some() {
                return Ok(Some(here));
            }
        }
        if page.whole || lowest == before {
            return Ok(None);
        }
        before = lowest;
        begin = from(lowest);
    }
}
