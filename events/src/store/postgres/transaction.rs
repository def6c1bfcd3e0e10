//! One transaction of the writer.

use std::time::{SystemTime, UNIX_EPOCH};

use futures::{join, try_join};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::connect::Connection;
use super::error::{in_doubt, lost, undone};
use super::group::{Group, Question, Rows};
use super::sql::{Parameters, Sql};
use crate::store::StoreError;
use crate::store::queue::{Request, judge_reseal, refuse_sealed};
use crate::store::types::skew_at_least;
use crate::stream::{StreamKind, StreamName};

/// How many bytes of events one transaction takes, but for a single append.
const BYTES: usize = 8 * 1024 * 1024;

/// Why a group was not committed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection was dead before anything was written.
    Lost(StoreError),
    /// Nothing was written.
    Undone(StoreError),
    /// The log takes nothing, and nothing was written; the connection is as good as before.
    Refused(StoreError),
    /// Whether it was committed is not known.
    InDoubt(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(error)
            | Failure::Undone(error)
            | Failure::Refused(error)
            | Failure::InDoubt(error) => error,
        }
    }
}

fn before_writing(error: Error) -> Failure {
    match lost(&error) {
        true => Failure::Lost(undone(&error)),
        false => Failure::Undone(undone(&error)),
    }
}

/// Splits what waits into transactions: appends together, everything else by itself, in the order asked.
pub(super) fn groups(waiting: &mut Vec<Request>) -> Vec<Vec<Request>> {
    let mut groups: Vec<Vec<Request>> = Vec::new();
    let mut room = 0_usize;
    for request in waiting.drain(..) {
        let size = match &request {
            Request::Append { events, .. } => events.iter().map(|event| event.size()).sum(),
            Request::Erase { .. }
            | Request::Import { .. }
            | Request::Seal { .. }
            | Request::Reseal { .. }
            | Request::Probe { .. } => usize::MAX,
        };
        match groups.last_mut() {
            Some(group) if size <= room => group.push(request),
            _ => {
                groups.push(vec![request]);
                room = if size == usize::MAX { 0 } else { BYTES };
            }
        }
        room = room.saturating_sub(size);
    }
    groups
}

/// Does what the group asks, keeps the answers, and commits; gives the last position if anything was written. `committing`
/// is set when the commit is sent.
pub(super) async fn carry_out(
    connection: &Connection,
    sql: &Sql,
    group: &mut [Request],
    committing: &mut bool,
) -> Result<Option<i64>, Failure> {
    match group {
        [Request::Erase { stream, asked }] => {
            let answer = erase(connection, sql, stream, committing).await?;
            asked.keep(answer);
            Ok(None)
        }
        [Request::Seal { why, asked }] => {
            let judge = |now: Option<&str>| Ok(now.is_none());
            let statement = (&*sql.seal, &**why);
            let answer = seal(connection, sql, judge, statement, committing).await?;
            asked.keep(answer);
            Ok(None)
        }
        [Request::Reseal { was, why, asked }] => {
            let judge = |now: Option<&str>| judge_reseal(now, was, why);
            let statement = (&*sql.reseal, &**why);
            let answer = seal(connection, sql, judge, statement, committing).await?;
            asked.keep(answer);
            Ok(None)
        }
        [Request::Probe { asked }] => {
            let skew = probe(connection, sql).await.map_err(before_writing)?;
            asked.keep(skew);
            Ok(None)
        }
        group => append(connection, sql, group, committing).await,
    }
}

async fn append(
    connection: &Connection,
    sql: &Sql,
    group: &mut [Request],
    committing: &mut bool,
) -> Result<Option<i64>, Failure> {
    let question = Question::about(group);
    let names: Vec<&str> = question.names.iter().map(StreamName::as_str).collect();
    let event_names: Vec<&str> = question
        .event_names
        .iter()
        .map(StreamName::as_str)
        .collect();
    let heads: Parameters<'_> = &[(&names, Type::TEXT_ARRAY)];
    let found: Parameters<'_> = &[
        (&event_names, Type::TEXT_ARRAY),
        (&question.event_ids, Type::UUID_ARRAY),
    ];
    // Sent at once, answered in this order.
    let ((), log, heads, found) = try_join!(
        connection.batch_execute(sql.begin),
        connection.query_typed(&sql.lock, &[]),
        connection.query_typed(&sql.heads, heads),
        connection.query_typed(&sql.found, found),
    )
    .map_err(before_writing)?;
    let log = taken(connection, &log).await?;
    let at = (log.position, log.streams);
    let mut judged = Group::new(&question, at, &heads, &found).map_err(Failure::Undone)?;

    let mut rows = Rows::default();
    for request in group {
        if let Request::Append {
            stream,
            expected,
            events,
            asked,
            ..
        } = request
        {
            asked.keep(judged.append(stream, *expected, events, &mut rows));
        } else if let Request::Import { runs, asked, .. } = request {
            let appends = runs
                .iter()
                .map(|run| judged.append(&run.stream, run.expected, &run.events, &mut rows));
            // Up to the first that is turned down.
            asked.keep(appends.collect::<Result<Vec<_>, _>>().map(drop));
        }
    }
    if rows.positions.is_empty() {
        // All of them were turned down or made before: nothing to commit, but the lock to let go.
        connection
            .batch_execute("ROLLBACK")
            .await
            .map_err(before_writing)?;
        return Ok(None);
    }
    write(connection, sql, &judged, &rows, committing).await?;
    Ok(Some(judged.position))
}

async fn write(
    connection: &Connection,
    sql: &Sql,
    judged: &Group,
    rows: &Rows<'_>,
    committing: &mut bool,
) -> Result<(), Failure> {
    let streams: Parameters<'_> = &[
        (&rows.stream_ids, Type::INT8_ARRAY),
        (&rows.stream_names, Type::TEXT_ARRAY),
    ];
    let events: Parameters<'_> = &[
        (&rows.positions, Type::INT8_ARRAY),
        (&rows.streams, Type::INT8_ARRAY),
        (&rows.revisions, Type::INT8_ARRAY),
        (&rows.ids, Type::UUID_ARRAY),
        (&rows.kinds, Type::BYTEA_ARRAY),
        (&rows.data, Type::BYTEA_ARRAY),
        (&rows.metadata, Type::BYTEA_ARRAY),
    ];
    let log: Parameters<'_> = &[
        (&judged.position, Type::INT8),
        (&judged.streams, Type::INT8),
    ];
    if connection.is_closed() {
        let reason = "the connection was lost before anything was written";
        return Err(Failure::Undone(StoreError::unavailable(reason)));
    }
    *committing = true;
    let add_streams = async {
        match rows.stream_ids.is_empty() {
            true => Ok(0),
            false => connection.execute_typed(&sql.add_streams, streams).await,
        }
    };
    let (streams, events, log, commit) = join!(
        add_streams,
        connection.execute_typed(&sql.add_events, events),
        connection.execute_typed(&sql.go_on, log),
        connection.batch_execute("COMMIT"),
    );
    settled([streams, events, log], commit)
}

/// What became of a transaction whose statements and commit were sent together. A statement that the server turned down
/// takes the transaction with it; where the connection broke instead, the commit may have arrived.
fn settled<const N: usize>(
    statements: [Result<u64, Error>; N],
    commit: Result<(), Error>,
) -> Result<(), Failure> {
    let doubt = |error: &Error| match in_doubt(error) {
        error @ StoreError::Unknown { .. } => Failure::InDoubt(error),
        error => Failure::Undone(error),
    };
    for statement in statements {
        statement.map_err(|error| doubt(&error))?;
    }
    commit.map_err(|error| doubt(&error))
}

/// Erases a directory. The outer error is the transaction's, the inner one the request's own answer.
async fn erase(
    connection: &Connection,
    sql: &Sql,
    stream: &StreamName,
    committing: &mut bool,
) -> Result<Result<(), StoreError>, Failure> {
    if stream.kind() != StreamKind::Directory {
        return Ok(Err(StoreError::refused(format!(
            "{stream} is not a directory: its events stay"
        ))));
    }
    let names = [stream.as_str()];
    let heads: Parameters<'_> = &[(&names.as_slice(), Type::TEXT_ARRAY)];
    let ((), log, heads) = try_join!(
        connection.batch_execute(sql.begin),
        connection.query_typed(&sql.lock, &[]),
        connection.query_typed(&sql.heads, heads),
    )
    .map_err(before_writing)?;
    let log = taken(connection, &log).await?;
    let (known, erased) = match heads.first() {
        Some(head) => (
            Some(head.try_get::<_, i64>(1).map_err(before_writing)?),
            head.try_get(3).map_err(before_writing)?,
        ),
        None => (None, false),
    };
    if erased {
        connection
            .batch_execute("ROLLBACK")
            .await
            .map_err(before_writing)?;
        return Ok(Ok(()));
    }
    let id = known.unwrap_or(log.streams + 1);
    let streams = log.streams.max(id);
    let ids = [id];
    let row: Parameters<'_> = &[
        (&ids.as_slice(), Type::INT8_ARRAY),
        (&names.as_slice(), Type::TEXT_ARRAY),
    ];
    let erasure: Parameters<'_> = &[(&id, Type::INT8), (&log.position, Type::INT8)];
    let events: Parameters<'_> = &[(&id, Type::INT8)];
    let at: Parameters<'_> = &[(&log.position, Type::INT8), (&streams, Type::INT8)];
    *committing = true;
    let add_stream = async {
        match known {
            Some(_) => Ok(0),
            None => connection.execute_typed(&sql.add_streams, row).await,
        }
    };
    let (stream, erasure, events, log, commit) = join!(
        add_stream,
        connection.execute_typed(&sql.add_erasure, erasure),
        connection.execute_typed(&sql.remove_events, events),
        connection.execute_typed(&sql.go_on, at),
        connection.batch_execute("COMMIT"),
    );
    settled([stream, erasure, events, log], commit)?;
    Ok(Ok(()))
}

/// Writes a reason, if the one there is now is judged to be none or another. The outer error is the transaction's, the
/// inner one the request's own answer.
async fn seal(
    connection: &Connection,
    sql: &Sql,
    judge: impl FnOnce(Option<&str>) -> Result<bool, StoreError>,
    (statement, why): (&str, &str),
    committing: &mut bool,
) -> Result<Result<(), StoreError>, Failure> {
    // Whoever appends holds the log; whoever comes next finds it sealed.
    let ((), log) = try_join!(
        connection.batch_execute(sql.begin),
        connection.query_typed(&sql.lock, &[]),
    )
    .map_err(before_writing)?;
    let now = log.first().and_then(|row| row.get::<_, Option<&str>>(2));
    let judged = judge(now);
    if !matches!(judged, Ok(true)) {
        let let_go = connection.batch_execute("ROLLBACK").await;
        let_go.map_err(before_writing)?;
        return Ok(judged.map(drop));
    }
    let why: Parameters<'_> = &[(&why, Type::TEXT)];
    *committing = true;
    let (sealed, commit) = join!(
        connection.execute_typed(statement, why),
        connection.batch_execute("COMMIT"),
    );
    settled([sealed], commit)?;
    Ok(Ok(()))
}

/// Writes something, and tells how far the server's clock is ahead of ours, in milliseconds.
async fn probe(
    connection: &Connection,
    sql: &Sql,
) -> Result<Result<Option<i64>, StoreError>, Error> {
    let sealed = connection.query_typed_one(&sql.sealed, &[]).await?;
    if let Some(why) = sealed.try_get::<_, Option<&str>>(0)? {
        return Ok(Err(refuse_sealed(why)));
    }
    // In a transaction like every other, whatever the database is set to.
    try_join!(
        connection.batch_execute(sql.begin),
        connection.execute_typed(&sql.probe, &[]),
        connection.batch_execute("COMMIT"),
    )?;
    let clock = "SELECT (extract(epoch FROM pg_catalog.clock_timestamp())::double precision * 1000::double precision)::bigint";
    let begun = now();
    let theirs = connection.query_typed_one(clock, &[]).await?.try_get(0)?;
    Ok(Ok(Some(skew_at_least(theirs, begun, now()))))
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

/// The log's one row, locked; let go again when the log takes nothing.
async fn taken(connection: &Connection, rows: &[Row]) -> Result<Log, Failure> {
    match Log::read(rows) {
        Ok(log) => Ok(log),
        Err(error @ StoreError::Refused { .. }) => {
            let let_go = connection.batch_execute("ROLLBACK").await;
            let_go.map_err(before_writing)?;
            Err(Failure::Refused(error))
        }
        Err(error) => Err(Failure::Undone(error)),
    }
}

/// The log's one row, locked.
struct Log {
    position: i64,
    streams: i64,
}

impl Log {
    fn read(rows: &[Row]) -> Result<Self, StoreError> {
        let [row] = rows else {
            return Err(StoreError::corrupt("the log has lost its row"));
        };
        let failed = |error| undone(&error);
        let sealed: Option<&str> = row.try_get(2).map_err(failed)?;
        if let Some(why) = sealed {
            return Err(refuse_sealed(why));
        }
        let durable: &str = row.try_get(3).map_err(failed)?;
        if !matches!(durable, "on" | "remote_apply") {
            return Err(StoreError::refused(format!(
                "commits would not be durable (synchronous_commit stays `{durable}`)"
            )));
        }
        Ok(Self {
            position: row.try_get(0).map_err(failed)?,
            streams: row.try_get(1).map_err(failed)?,
        })
    }
}
