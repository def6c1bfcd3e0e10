//! What one request does to the database, within the transaction of its group.
//!
//! Everything is checked before the first row is written, so that a request that is turned down leaves nothing to undo.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::heads::{Head, Heads, Moved};
use super::rows::{NewRow, Rows};
use super::seal;
use crate::envelope::{NewEvent, Position};
use crate::store::concurrency::{Verdict, judge};
use crate::store::import::Run;
use crate::store::queue::{Request, judge_reseal, refuse_sealed};
use crate::store::{Appended, Expected, StoreError};
use crate::stream::{StreamKind, StreamName};

/// The outer error is the database's and fails the whole group; the inner one is this request's own answer.
pub(super) type Answered<T> = rusqlite::Result<Result<T, StoreError>>;

/// Does what is asked within the group's transaction, and keeps the answer until it is committed.
pub(super) fn carry_out(request: &mut Request, group: &mut Group<'_>) -> rusqlite::Result<()> {
    match request {
        Request::Append {
            stream,
            expected,
            events,
            asked,
            ..
        } => asked.keep(group.append(stream, *expected, events)?),
        Request::Erase { stream, asked } => asked.keep(group.erase(stream)?),
        Request::Import { runs, asked, .. } => asked.keep(group.import(runs)?),
        Request::Seal { why, asked } => asked.keep(group.seal(why)?),
        Request::Reseal { was, why, asked } => asked.keep(group.reseal(was, why)?),
        // SQLite has no clock but ours.
        Request::Probe { asked } => asked.keep(group.probe()?.map(|()| None)),
    }
    Ok(())
}

/// A transaction in the making: what was moved in it, and the last position given out.
pub(super) struct Group<'a> {
    conn: &'a Connection,
    heads: &'a Heads,
    moved: Moved,
    last: i64,
    /// Why nothing more is taken.
    sealed: Option<String>,
    /// Given their places, and not written yet.
    rows: Rows,
    find: CachedStatement<'a>,
}

impl<'a> Group<'a> {
    /// Begins after the position `last`.
    pub(super) fn begin(
        conn: &'a Connection,
        heads: &'a Heads,
        last: i64,
        sealed: Option<String>,
    ) -> rusqlite::Result<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let find =
            conn.prepare_cached("SELECT revision FROM events WHERE stream = ?1 AND id = ?2")?;
        Ok(Self {
            conn,
            heads,
            moved: Moved::default(),
            last,
            sealed,
            rows: Rows::default(),
            find,
        })
    }

    /// Writes what is left to be written; what was moved, and the last position given out.
    pub(super) fn finish(mut self) -> rusqlite::Result<(Moved, i64)> {
        self.rows.write(self.conn)?;
        Ok((self.moved, self.last))
    }

    pub(super) fn append(
        &mut self,
        stream: &StreamName,
        expected: Expected,
        batch: &[NewEvent],
    ) -> Answered<Appended> {
        if let Err(refused) = self.writable() {
            return Ok(Err(refused));
        }
        let head = self.head(stream)?;
        if head.erased {
            return Ok(Err(StoreError::refused(format!("{stream} was erased"))));
        }
        if self.moved.contains_key(stream) {
            // Events of this stream may be among those not written yet.
            self.rows.write(self.conn)?;
        }
        let found = self.find(head, batch)?;
        match judge(expected, head.revision(), &found) {
            Verdict::Append => self.write(stream, head, batch).map(Ok),
            Verdict::Replay { first } => self.replay(head, first, batch.len()).map(Ok),
            Verdict::Conflict => Ok(Err(StoreError::Conflict {
                stream: stream.clone(),
                expected,
                actual: head.revision(),
            })),
        }
    }

    fn writable(&self) -> Result<(), StoreError> {
        let sealed = self.sealed.as_deref();
        sealed.map_or(Ok(()), |why| Err(refuse_sealed(why)))
    }

    fn import(&mut self, runs: &[Run]) -> Answered<()> {
        for run in runs {
            if let Err(error) = self.append(&run.stream, run.expected, &run.events)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn seal(&mut self, why: &str) -> Answered<()> {
        if self.sealed.is_none() {
            self.rows.write(self.conn)?;
            seal::set(self.conn, why)?;
            self.sealed = Some(why.to_owned());
        }
        Ok(Ok(()))
    }

    fn reseal(&mut self, was: &str, why: &str) -> Answered<()> {
        let judged = judge_reseal(self.sealed.as_deref(), was, why);
        if let Ok(true) = judged {
            seal::follow(self.conn, why)?;
            self.sealed = Some(why.to_owned());
        }
        Ok(judged.map(drop))
    }

    pub(super) fn erase(&mut self, stream: &StreamName) -> Answered<()> {
        if let Err(refused) = self.writable() {
            return Ok(Err(refused));
        }
        if stream.kind() != StreamKind::Directory {
            return Ok(Err(StoreError::refused(format!(
                "{stream} is not a directory: its events stay"
            ))));
        }
        let head = self.head(stream)?;
        if !head.erased {
            self.rows.write(self.conn)?;
            let id = self.row(stream, head)?;
            self.conn
                .prepare_cached("INSERT INTO erasures (stream, position) VALUES (?1, ?2)")?
                .execute(params![id, self.last])?;
            self.conn
                .prepare_cached("DELETE FROM events WHERE stream = ?1")?
                .execute(params![id])?;
            self.moved.insert(
                stream.clone(),
                Head {
                    id: Some(id),
                    count: 0,
                    erased: true,
                },
            );
        }
        Ok(Ok(()))
    }

    pub(super) fn probe(&mut self) -> Answered<()> {
        if let Err(refused) = self.writable() {
            return Ok(Err(refused));
        }
        let sql = "INSERT INTO probe (id, count) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1";
        self.conn.prepare_cached(sql)?.execute([])?;
        Ok(Ok(()))
    }

    /// The stream's head as this transaction sees it.
    fn head(&self, stream: &StreamName) -> rusqlite::Result<Head> {
        match self
            .moved
            .get(stream)
            .copied()
            .or_else(|| self.heads.for_writer(stream))
        {
            Some(head) => Ok(head),
            None => head(self.conn, stream),
        }
    }

    /// At which revisions the ids of the batch stand in the stream.
    fn find(&mut self, head: Head, batch: &[NewEvent]) -> rusqlite::Result<Vec<Option<u64>>> {
        let Some(stream) = head.id else {
            return Ok(vec![None; batch.len()]);
        };
        let find = |event: &NewEvent| {
            let revision = |row: &Row<'_>| row.get::<_, i64>(0).map(i64::cast_unsigned);
            self.find
                .query_row(params![stream, event.id.as_bytes()], revision)
                .optional()
        };
        batch.iter().map(find).collect()
    }

    fn write(
        &mut self,
        stream: &StreamName,
        head: Head,
        batch: &[NewEvent],
    ) -> rusqlite::Result<Appended> {
        let id = self.row(stream, head)?;
        let mut revision = head.count;
        for event in batch {
            self.last += 1;
            let row = NewRow {
                position: self.last,
                stream: id,
                revision,
                event: event.clone(),
            };
            self.rows.add(self.conn, row)?;
            revision += 1;
        }
        self.moved.insert(
            stream.clone(),
            Head {
                id: Some(id),
                count: revision,
                erased: false,
            },
        );
        Ok(Appended {
            first_revision: head.count.cast_unsigned(),
            last_revision: (revision - 1).cast_unsigned(),
            position: Position::single(self.last.cast_unsigned()),
            replayed: false,
        })
    }

    /// The first answer to a batch that stands in the stream already.
    fn replay(&self, head: Head, first: u64, count: usize) -> rusqlite::Result<Appended> {
        let last_revision = first + count as u64 - 1;
        let sql = "SELECT position FROM events WHERE stream = ?1 AND revision = ?2";
        let position: i64 = self
            .conn
            .prepare_cached(sql)?
            .query_row(params![head.id, last_revision.cast_signed()], |row| {
                row.get(0)
            })?;
        Ok(Appended {
            first_revision: first,
            last_revision,
            position: Position::single(position.cast_unsigned()),
            replayed: true,
        })
    }

    /// The stream's row, made if there is none.
    fn row(&self, stream: &StreamName, head: Head) -> rusqlite::Result<i64> {
        match head.id {
            Some(id) => Ok(id),
            None => self
                .conn
                .prepare_cached("INSERT INTO streams (name) VALUES (?1)")?
                .insert(params![stream.as_str()]),
        }
    }
}

/// Where the stream stands, as the database has it.
pub(super) fn head(conn: &Connection, stream: &StreamName) -> rusqlite::Result<Head> {
    let sql = "SELECT s.id, (SELECT ifnull(max(revision) + 1, 0) FROM events WHERE stream = s.id), \
               EXISTS (SELECT 1 FROM erasures WHERE stream = s.id) FROM streams s WHERE s.name = ?1";
    let read = |row: &Row<'_>| {
        Ok(Head {
            id: row.get(0)?,
            count: row.get(1)?,
            erased: row.get(2)?,
        })
    };
    let head = conn
        .prepare_cached(sql)?
        .query_row(params![stream.as_str()], read)
        .optional()?;
    Ok(head.unwrap_or(Head::MISSING))
}

/// The last position ever given out, 0 when none was.
pub(super) fn last_position(conn: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max(ifnull((SELECT max(position) FROM events), 0), ifnull((SELECT max(position) FROM erasures), 0))";
    conn.prepare_cached(sql)?.query_row([], |row| row.get(0))
}
