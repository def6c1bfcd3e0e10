//! Reading in pages: each is one short transaction, so that no reader holds up the write-ahead log, and none of any
//! length takes more memory than a page.

use bytes::{Bytes, BytesMut};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::error::undone;
use super::readers::Reader;
use crate::codec;
use crate::envelope::{Position, Recorded};
use crate::store::reading::{Scan, Stretch};
use crate::store::{Direction, Filter, StoreError};
use crate::stream::StreamName;

/// How many events a page has at most.
const EVENTS: usize = 1024;

/// A page ends with the event that brings it to this many bytes.
const BYTES: usize = 1024 * 1024;

/// How many events are looked at for one page, wanted or not.
const SCANNED: usize = 8192;

/// A page of one stream: at most `max` events from `revision` on.
pub(super) fn of_stream(
    reader: &mut Reader,
    stream: &StreamName,
    revision: i64,
    direction: Direction,
    max: usize,
) -> Result<Stretch, StoreError> {
    let sql = match direction {
        Direction::Forwards => {
            "SELECT position, stream, revision, id, kind, data, metadata FROM events \
             WHERE stream = (SELECT id FROM streams WHERE name = ?1) AND revision >= ?2 ORDER BY revision LIMIT ?3"
        }
        Direction::Backwards => {
            "SELECT position, stream, revision, id, kind, data, metadata FROM events \
             WHERE stream = (SELECT id FROM streams WHERE name = ?1) AND revision <= ?2 ORDER BY revision DESC LIMIT ?3"
        }
    };
    let limit = max.min(EVENTS);
    let mut statement = reader.conn.prepare_cached(sql).map_err(undone)?;
    let mut rows = statement
        .query(params![stream.as_str(), revision, limit as i64])
        .map_err(undone)?;
    let mut page = Page::new(limit, PageSize::default());
    while !page.is_full()
        && let Some(row) = rows.next().map_err(undone)?
    {
        let kind = kind(row)?;
        page.push(row, kind, stream.clone())?;
    }
    Ok(Stretch {
        more: page.is_full(),
        events: page.finish(),
    })
}

/// A page of the total order: at most `max` events that `filter` admits, after position `after` and not beyond `upto`.
pub(super) fn of_all(
    reader: &mut Reader,
    after: i64,
    upto: i64,
    filter: &Filter,
    max: usize,
) -> Result<Scan, StoreError> {
    let sql = "SELECT position, stream, revision, id, kind, data, metadata FROM events \
               WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";
    let mut statement = reader.conn.prepare_cached(sql).map_err(undone)?;
    let mut rows = statement
        .query(params![after, upto, SCANNED as i64])
        .map_err(undone)?;
    let mut page = Page::new(max.min(EVENTS), reader.page);
    let (mut to, mut scanned) = (after, 0);
    while !page.is_full()
        && let Some(row) = rows.next().map_err(undone)?
    {
        scanned += 1;
        let position = row.get(0).map_err(undone)?;
        if position != to.saturating_add(1) {
            gap(&reader.conn, to, position)?;
        }
        to = position;
        let (kind, stream) = (
            kind(row)?,
            reader
                .names
                .get(&reader.conn, row.get(1).map_err(undone)?)?,
        );
        if filter.admits(&stream, kind) {
            page.push(row, kind, stream)?;
        }
    }
    let more = page.is_full() || scanned == SCANNED;
    // Whoever follows without an end asks beyond every position; whoever has an end has seen an event there.
    if !more && to < upto && upto < i64::MAX {
        gap(&reader.conn, to, upto + 1)?;
    }
    drop(rows);
    drop(statement);
    reader.page = page.size();
    Ok(Scan {
        events: page.finish(),
        to,
        more,
    })
}

/// The streams that were erased.
pub(super) fn erased(reader: &mut Reader) -> Result<Vec<StreamName>, StoreError> {
    let sql = "SELECT stream FROM erasures ORDER BY stream";
    let mut statement = reader.conn.prepare_cached(sql).map_err(undone)?;
    let ids = statement.query_map([], |row| row.get::<_, i64>(0));
    let ids: Vec<i64> = ids.and_then(Iterator::collect).map_err(undone)?;
    ids.into_iter()
        .map(|id| reader.names.get(&reader.conn, id))
        .collect()
}

/// Judges a gap between two positions: only an erasure leaves one. Where nothing was ever erased, a page of the database
/// has been overwritten in a way that its own format allows, and what comes after must not pass for the whole log.
fn gap(conn: &Connection, before: i64, after: i64) -> Result<(), StoreError> {
    let erased: bool = conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM erasures)")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(undone)?;
    if erased {
        return Ok(());
    }
    Err(StoreError::corrupt(format!(
        "events are missing between the positions {before} and {after}; restore the file from a backup"
    )))
}

/// What is read so far. The events' bytes lie in one buffer, which the events share in the end: whoever keeps one of them for
/// long should copy it.
struct Page {
    events: Vec<Recorded>,
    limit: usize,
    buffer: BytesMut,
    /// Length of data and metadata, by event.
    lengths: Vec<(usize, usize)>,
    /// Counts towards the page's size.
    bytes: usize,
}

/// How large a page was.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PageSize {
    events: usize,
    bytes: usize,
}

impl Page {
    /// An empty one, with room for what a page of this size holds.
    fn new(limit: usize, room: PageSize) -> Self {
        let events = room.events.min(limit);
        Self {
            events: Vec::with_capacity(events),
            limit,
            buffer: BytesMut::with_capacity(room.bytes),
            lengths: Vec::with_capacity(events),
            bytes: 0,
        }
    }

    fn size(&self) -> PageSize {
        PageSize {
            events: self.events.len(),
            bytes: self.buffer.len(),
        }
    }

    fn is_full(&self) -> bool {
        self.events.len() >= self.limit || self.bytes >= BYTES
    }

    fn push(&mut self, row: &Row<'_>, kind: &str, stream: StreamName) -> Result<(), StoreError> {
        let (data, metadata) = (blob(row, 5)?, blob(row, 6)?);
        let known = codec::known_type(stream.kind(), kind);
        self.buffer.extend_from_slice(data);
        self.buffer.extend_from_slice(metadata);
        self.lengths.push((data.len(), metadata.len()));
        self.bytes += kind.len() + data.len() + metadata.len();
        self.events.push(Recorded {
            stream,
            revision: number(row, 2)?,
            position: Position::single(number(row, 0)?),
            id: Uuid::from_slice(blob(row, 3)?)
                .map_err(|error| StoreError::corrupt(error.to_string()))?,
            kind: known.map_or_else(|| kind.to_owned().into(), Into::into),
            data: Bytes::new(),
            metadata: Bytes::new(),
        });
        Ok(())
    }

    /// The events, each with its bytes.
    fn finish(mut self) -> Vec<Recorded> {
        let mut bytes = self.buffer.freeze();
        for (event, (data, metadata)) in self.events.iter_mut().zip(self.lengths) {
            event.data = bytes.split_to(data);
            event.metadata = bytes.split_to(metadata);
        }
        self.events
    }
}

fn kind<'row>(row: &'row Row<'_>) -> Result<&'row str, StoreError> {
    let value = row.get_ref(4).map_err(undone)?;
    value
        .as_str()
        .map_err(|error| StoreError::corrupt(format!("an event's type is not text: {error}")))
}

fn blob<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row [u8], StoreError> {
    match row.get_ref(column).map_err(undone)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        _ => Err(StoreError::corrupt(format!(
            "column {column} of an event is not bytes"
        ))),
    }
}

fn number(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    let number: i64 = row.get(column).map_err(undone)?;
    u64::try_from(number).map_err(|_| StoreError::corrupt("an event's place is negative"))
}
