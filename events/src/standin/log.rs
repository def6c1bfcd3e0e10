//! The one log that the nodes share, and how a server answers appends to it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::bytes::Bytes;
use uuid::Uuid;

/// How many ids a server remembers for appends that expect nothing; of a real one it is the size of a cache.
const REMEMBERED: usize = 64;

/// One record that readers see.
pub(super) struct Entry {
    pub(super) position: u64,
    pub(super) stream: Arc<str>,
    pub(super) revision: u64,
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) content_type: String,
    pub(super) data: Bytes,
    pub(super) metadata: Bytes,
    /// Tenths of a microsecond since 1970.
    pub(super) created: u64,
}

/// An event to be written.
pub(super) struct Write {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) content_type: String,
    pub(super) data: Bytes,
    pub(super) metadata: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expects {
    Any,
    Exists,
    NoStream,
    Revision(u64),
}

/// What becomes of an append.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Written now, or recognised as written before.
    Written {
        last: u64,
        position: u64,
    },
    Wrong {
        current: Option<u64>,
    },
    Deleted,
}

#[derive(Default)]
struct Stream {
    entries: Vec<Arc<Entry>>,
    deleted: bool,
}

pub(super) struct Log {
    /// Ascending in position, with gaps.
    entries: Vec<Arc<Entry>>,
    streams: HashMap<Arc<str>, Stream>,
    next: u64,
    /// The newest ids, oldest first, with stream and revision.
    remembered: VecDeque<(Uuid, Arc<str>, u64)>,
    appends: u64,
    /// How far the clock of the machines is off, in milliseconds.
    pub(super) skew_ms: i64,
}

impl Log {
    /// A log as a new cluster has it: with records of its own.
    pub(super) fn new() -> Self {
        let mut log = Self {
            entries: Vec::new(),
            streams: HashMap::new(),
            next: 0,
            remembered: VecDeque::new(),
            appends: 0,
            skew_ms: 0,
        };
        for (stream, kind) in [
            ("$users", "$UsersInformation"),
            ("$settings", "settings"),
            ("$$$users", "$metadata"),
        ] {
            log.write_own(stream, kind);
        }
        log
    }

    pub(super) fn is_deleted(&self, stream: &str) -> bool {
        self.streams
            .get(stream)
            .is_some_and(|stream| stream.deleted)
    }

    /// What can be read of a stream: all of it, or the last that its metadata lets be kept. `None` when it is missing.
    pub(super) fn stream(&self, name: &str) -> Option<&[Arc<Entry>]> {
        let entries = &self.streams.get(name)?.entries;
        let kept = self.max_count(name).unwrap_or(usize::MAX);
        let from = entries.len().saturating_sub(kept);
        (!entries.is_empty()).then(|| entries.get(from..).unwrap_or_default())
    }

    pub(super) fn all(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    fn max_count(&self, name: &str) -> Option<usize> {
        let metadata = self.streams.get(&*format!("$${name}"))?.entries.last()?;
        let metadata: serde_json::Value = serde_json::from_slice(&metadata.data).ok()?;
        usize::try_from(metadata.get("$maxCount")?.as_u64()?).ok()
    }

    pub(super) fn append(&mut self, stream: &str, expects: Expects, batch: Vec<Write>) -> Answer {
        if self.is_deleted(stream) {
            return Answer::Deleted;
        }
        let current = self
            .streams
            .get(stream)
            .and_then(|stream| Some(stream.entries.last()?.revision));
        let next = current.map_or(0, |current| current + 1);
        let begin = match expects {
            Expects::Any => return self.append_anywhere(stream, next, batch),
            Expects::Exists if current.is_some() => {
                return self.append_anywhere(stream, next, batch);
            }
            Expects::Exists => return Answer::Wrong { current },
            Expects::NoStream => 0,
            Expects::Revision(revision) => revision.saturating_add(1),
        };
        if begin == next {
            return self.write(stream, next, batch);
        }
        // Earlier than the end: whether it was made before is told by what stands there.
        let there = self.streams.get(stream).map(|stream| &stream.entries);
        let made = begin < next
            && (begin..).zip(&batch).all(|(revision, event)| {
                let at = usize::try_from(revision).unwrap_or(usize::MAX);
                let entry = there.and_then(|entries| entries.get(at));
                entry.is_some_and(|entry| entry.id == event.id)
            });
        let last = begin + batch.len() as u64 - 1;
        let entry = there.and_then(|entries| entries.get(usize::try_from(last).ok()?));
        match entry {
            Some(entry) if made => Answer::Written {
                last,
                position: entry.position,
            },
            _ => Answer::Wrong { current },
        }
    }

    /// Without a revision only what is remembered is recognised.
    fn append_anywhere(&mut self, stream: &str, next: u64, batch: Vec<Write>) -> Answer {
        let remembered = |event: &Write| {
            let mut newest = self.remembered.iter().rev();
            newest.find(|(id, at, _)| *id == event.id && &**at == stream)
        };
        if batch
            .first()
            .is_none_or(|first| remembered(first).is_none())
        {
            return self.write(stream, next, batch);
        }
        let last = batch.iter().map(remembered).next_back().flatten();
        match last {
            Some((_, _, last)) if batch.iter().all(|event| remembered(event).is_some()) => {
                let entries = self.streams.get(stream).map(|stream| &stream.entries);
                let at = usize::try_from(*last).unwrap_or(usize::MAX);
                let entry = entries.and_then(|entries| entries.get(at));
                Answer::Written {
                    last: *last,
                    position: entry.map_or(0, |entry| entry.position),
                }
            }
            _ => Answer::Wrong {
                current: next.checked_sub(1),
            },
        }
    }

    fn write(&mut self, stream: &str, next: u64, batch: Vec<Write>) -> Answer {
        let mut answer = Answer::Wrong { current: None };
        for (last, event) in (next..).zip(batch) {
            let position = self.push(stream, last, event);
            answer = Answer::Written { last, position };
        }
        self.appends += 1;
        // Statistics, and others who use the same server.
        if self.appends.is_multiple_of(7) {
            self.write_own("$stats-127.0.0.1:2113", "$statsCollected");
        }
        if self.appends.is_multiple_of(11) {
            self.write_own("others-1", "something");
        }
        answer
    }

    fn push(&mut self, stream: &str, revision: u64, event: Write) -> u64 {
        let position = self.next;
        let known = self
            .streams
            .get_key_value(stream)
            .map(|(name, _)| Arc::clone(name));
        let name = known.unwrap_or_else(|| Arc::from(stream));
        let size = event.data.len() + event.metadata.len() + 2 * (stream.len() + event.kind.len());
        self.next += 87 + size as u64;
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or_default() + self.skew_ms;
        let entry = Arc::new(Entry {
            position,
            stream: Arc::clone(&name),
            revision,
            id: event.id,
            kind: event.kind,
            content_type: event.content_type,
            data: event.data,
            metadata: event.metadata,
            created: millis.unsigned_abs() * 10_000,
        });
        self.remembered
            .push_back((entry.id, Arc::clone(&name), revision));
        if self.remembered.len() > REMEMBERED {
            self.remembered.pop_front();
        }
        let written = self.streams.entry(name).or_default();
        written.entries.push(Arc::clone(&entry));
        self.entries.push(entry);
        position
    }

    fn write_own(&mut self, stream: &str, kind: &str) {
        let next = self
            .streams
            .get(stream)
            .map_or(0, |stream| stream.entries.len());
        let event = Write {
            id: Uuid::new_v4(),
            kind: kind.to_owned(),
            content_type: "application/json".to_owned(),
            data: Bytes::from_static(b"{}"),
            metadata: Bytes::new(),
        };
        self.push(stream, next as u64, event);
    }

    /// Writes the tombstone; its position, `None` when there is one already.
    pub(super) fn tombstone(&mut self, stream: &str) -> Option<u64> {
        if self.is_deleted(stream) {
            return None;
        }
        let event = Write {
            id: Uuid::new_v4(),
            kind: "$streamDeleted".to_owned(),
            content_type: "application/octet-stream".to_owned(),
            data: Bytes::new(),
            metadata: Bytes::new(),
        };
        let position = self.push(stream, i64::MAX as u64, event);
        if let Some(deleted) = self.streams.get_mut(stream) {
            deleted.deleted = true;
            deleted.entries.clear();
        }
        Some(position)
    }

    /// Takes the events of deleted streams out of the log, all but their tombstones.
    pub(super) fn scavenge(&mut self) {
        let streams = &self.streams;
        self.entries.retain(|entry| {
            entry.kind == "$streamDeleted"
                || !streams
                    .get(&entry.stream)
                    .is_some_and(|stream| stream.deleted)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(ids: &[u128]) -> Vec<Write> {
        ids.iter()
            .map(|id| Write {
                id: Uuid::from_u128(*id),
                kind: "k".to_owned(),
                content_type: "application/octet-stream".to_owned(),
                data: Bytes::new(),
                metadata: Bytes::new(),
            })
            .collect()
    }

    /// The cases of the published server, which the store must cope with.
    #[test]
    fn repetitions_are_recognised_where_they_stand_and_only_there() {
        let mut log = Log::new();
        let written =
            |answer: &Answer, at| matches!(answer, Answer::Written { last, .. } if *last == at);
        let first = log.append("s", Expects::NoStream, batch(&[1, 2]));
        assert!(written(&first, 1));
        assert_eq!(log.append("s", Expects::NoStream, batch(&[1, 2])), first);
        assert!(written(
            &log.append("s", Expects::Revision(1), batch(&[3])),
            2
        ));
        assert_eq!(log.append("s", Expects::NoStream, batch(&[1, 2])), first);
        for (expects, ids) in [
            (Expects::NoStream, vec![1, 9]),
            (Expects::Revision(0), vec![3]),
            (Expects::Revision(0), vec![2, 3, 4]),
            (Expects::Revision(7), vec![9]),
            (Expects::Any, vec![3, 9]),
        ] {
            let answer = log.append("s", expects, batch(&ids));
            assert_eq!(answer, Answer::Wrong { current: Some(2) }, "{ids:?}");
        }
        // What the contract forbids and a server doesn't mind.
        assert!(written(
            &log.append("s", Expects::Revision(2), batch(&[1])),
            3
        ));
        for id in 100..200 {
            log.append("t", Expects::Any, batch(&[id]));
        }
        assert!(written(&log.append("s", Expects::Any, batch(&[2])), 4));
    }
}
