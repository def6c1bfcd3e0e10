//! Reading in pages, each one question.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::error::undone;
use super::pool::{Pool, Statement};
use super::sql::{Parameters, Sql};
use crate::envelope::{Position, Recorded};
use crate::store::reading::{Pages, Scan, Stretch};
use crate::store::{Direction, Filter, StoreError};
use crate::stream::{StreamKind, StreamName};

/// How many events a page has at most.
const EVENTS: i64 = 2048;

/// A page ends with the event that brings it to this many bytes.
const BYTES: i64 = 1024 * 1024;

/// How many positions are looked at for one page when not every event is wanted. Where most are wanted, those beyond a
/// page are looked at in vain.
const SCANNED: i64 = 2048;

/// The reading side of a store.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) pool: Arc<Pool>,
    pub(super) sql: Arc<Sql>,
}

impl Reader {
    /// The revisions of the streams' last events, in the order of their names.
    pub(super) async fn heads(&self, names: &[&str]) -> Result<Vec<Option<u64>>, StoreError> {
        let asked: Statement<'_> = (&self.sql.ends, &[(&names, Type::TEXT_ARRAY)]);
        let rows = self.pool.ask(asked).await?;
        let revision = |row| Ok(get::<Option<i64>>(row, 0)?.map(i64::cast_unsigned));
        rows.iter().map(revision).collect()
    }

    /// Every reason the log was ever sealed for.
    pub(super) async fn seals(&self) -> Result<Vec<String>, StoreError> {
        match self.pool.ask_one((&self.sql.seals, &[])).await? {
            Some(row) => get(&row, 0),
            None => Err(StoreError::corrupt("the log has lost its row")),
        }
    }

    /// The streams that were erased.
    pub(super) async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        let rows = self.pool.ask((&self.sql.erased_names, &[])).await?;
        rows.iter().map(|row| name(row, 0)).collect()
    }

    /// A page of which every event is wanted.
    async fn all(&self, after: i64, upto: i64, limit: i64) -> Result<Scan, StoreError> {
        let parameters: Parameters<'_> = &[
            (&after, Type::INT8),
            (&upto, Type::INT8),
            (&limit, Type::INT8),
            (&BYTES, Type::INT8),
        ];
        let rows = self.pool.ask((&self.sql.all, parameters)).await?;
        let events = rows
            .iter()
            .map(|row| recorded(row, None))
            .collect::<Result<Vec<_>, _>>()?;
        let to = events
            .last()
            .map_or(after, |event| event.position.commit.cast_signed());
        if to - after != signed(events.len()) {
            self.gap(to).await?;
        }
        let more = is_full(&events, limit);
        Ok(Scan { events, to, more })
    }

    /// A page of which some events are wanted.
    async fn some(
        &self,
        after: i64,
        upto: i64,
        limit: i64,
        filter: &Filter,
    ) -> Result<Scan, StoreError> {
        let (wanted, all_named) = (patterns(filter), StreamKind::patterns());
        let other = filter
            .wanted_streams()
            .is_none_or(|kinds| kinds.contains(&StreamKind::Other));
        let kinds: Option<Vec<&[u8]>> = filter
            .wanted_kinds()
            .map(|kinds| kinds.iter().map(|kind| kind.as_bytes()).collect());
        let scanned: Parameters<'_> = &[
            (&after, Type::INT8),
            (&upto, Type::INT8),
            (&SCANNED, Type::INT8),
        ];
        let page: Parameters<'_> = &[
            (&after, Type::INT8),
            (&upto, Type::INT8),
            (&limit, Type::INT8),
            (&BYTES, Type::INT8),
            (&SCANNED, Type::INT8),
            (&wanted, Type::TEXT_ARRAY),
            (&other, Type::BOOL),
            (&all_named, Type::TEXT_ARRAY),
            (&kinds, Type::BYTEA_ARRAY),
        ];
        // What is committed between the two is beyond what the first has seen, and belongs to the next page.
        let statements = [(&*self.sql.scanned, scanned), (&*self.sql.some, page)];
        let answers = self.pool.ask_all(&statements).await?;
        let mut answers = answers.into_iter();
        let scanned = answers.next().unwrap_or_default();
        let (last, count) = match scanned.first() {
            Some(row) => (get(row, 0)?, get(row, 1)?),
            None => (None, 0),
        };
        let last: i64 = last.unwrap_or(after);
        if last - after != count {
            self.gap(last).await?;
        }
        let mut events = Vec::new();
        for row in answers.next().unwrap_or_default() {
            let event = recorded(&row, None)?;
            let seen = event.position.commit.cast_signed() <= last;
            if seen && filter.admits(&event.stream, &event.kind) {
                events.push(event);
            }
        }
        let full = is_full(&events, limit);
        let to = match events.last() {
            Some(event) if full => event.position.commit.cast_signed(),
            _ => last,
        };
        Ok(Scan {
            events,
            to,
            more: full || count == SCANNED,
        })
    }

    /// Judges a gap before `before`: only an erasure leaves one.
    async fn gap(&self, before: i64) -> Result<(), StoreError> {
        match self.pool.ask_one((&self.sql.erased, &[])).await? {
            Some(row) if get(&row, 0)? => Ok(()),
            _ => Err(StoreError::corrupt(format!(
                "events are missing before position {before}; restore the database from a backup"
            ))),
        }
    }
}

#[async_trait]
impl Pages for Reader {
    async fn of_stream(
        &self,
        stream: &StreamName,
        revision: i64,
        direction: Direction,
        max: usize,
    ) -> Result<Stretch, StoreError> {
        let sql = match direction {
            Direction::Forwards => &self.sql.forwards,
            Direction::Backwards => &self.sql.backwards,
        };
        let limit = i64::try_from(max).unwrap_or(EVENTS).min(EVENTS);
        let name = stream.as_str();
        let parameters: Parameters<'_> = &[
            (&name, Type::TEXT),
            (&revision, Type::INT8),
            (&limit, Type::INT8),
            (&BYTES, Type::INT8),
        ];
        let rows = self.pool.ask((sql, parameters)).await?;
        let events: Vec<Recorded> = rows
            .iter()
            .map(|row| recorded(row, Some(stream)))
            .collect::<Result<_, _>>()?;
        let more = is_full(&events, limit);
        Ok(Stretch { events, more })
    }

    async fn of_all(
        &self,
        after: i64,
        upto: i64,
        filter: &Arc<Filter>,
        max: usize,
    ) -> Result<Scan, StoreError> {
        let limit = i64::try_from(max).unwrap_or(EVENTS).min(EVENTS);
        let page = if filter.admits_all() {
            self.all(after, upto, limit).await?
        } else {
            self.some(after, upto, limit, filter).await?
        };
        // Whoever follows without an end asks beyond every position; whoever has an end has seen an event there.
        if !page.more && page.to < upto && upto < i64::MAX {
            self.gap(upto).await?;
        }
        Ok(page)
    }

    async fn last(&self) -> Result<i64, StoreError> {
        match self.pool.ask_one((&self.sql.last, &[])).await? {
            Some(row) => get(&row, 0),
            None => Err(StoreError::corrupt("the log has lost its row")),
        }
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Whether the page may have been cut short.
fn is_full(events: &[Recorded], limit: i64) -> bool {
    let size = |event: &Recorded| event.kind.len() + event.data.len() + event.metadata.len();
    signed(events.len()) >= limit || signed(events.iter().map(size).sum()) >= BYTES
}

/// What the names of the wanted streams are like, but for those of no kind; `None`: every stream is wanted.
fn patterns(filter: &Filter) -> Option<Vec<String>> {
    let kinds = filter.wanted_streams()?.iter();
    Some(kinds.filter_map(|kind| kind.pattern()).collect())
}

/// The value of a column; what isn't of the type the schema says is damage.
fn get<'row, T: FromSql<'row>>(row: &'row Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| undone(&error))
}

fn number(row: &Row, column: usize) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, column)?)
        .map_err(|_| StoreError::corrupt("an event's place is negative"))
}

fn name(row: &Row, column: usize) -> Result<StreamName, StoreError> {
    let name: &str = get(row, column)?;
    name.parse()
        .map_err(|error| StoreError::corrupt(format!("a stream has an impossible name: {error}")))
}

/// The event in a row of a page, whose stream may be known.
fn recorded(row: &Row, stream: Option<&StreamName>) -> Result<Recorded, StoreError> {
    let stream = match stream {
        Some(stream) => stream.clone(),
        None => name(row, 1)?,
    };
    let kind = std::str::from_utf8(get(row, 4)?)
        .map_err(|error| StoreError::corrupt(format!("an event's type is not text: {error}")))?;
    let (data, metadata): (&[u8], &[u8]) = (get(row, 5)?, get(row, 6)?);
    // One allocation for both.
    let mut data_bytes = Bytes::from([data, metadata].concat());
    let metadata = data_bytes.split_off(data.len());
    Ok(Recorded {
        stream,
        revision: number(row, 2)?,
        position: Position::single(number(row, 0)?),
        id: get::<Uuid>(row, 3)?,
        kind: kind.to_owned().into(),
        data: data_bytes,
        metadata,
    })
}
