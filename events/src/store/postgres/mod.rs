//! `postgres://` — the store for several nodes: one database, any number of processes.
//!
//! Each node has one writer, which commits all that has gathered while it was committing in one transaction (`writer`,
//! `group`), and locks the log's one row until the commit: nodes take turns, positions have no gaps, and what a reader sees
//! of the log is all there is up to there. A few connections read, a page at a time (`pool`, `pages`), and tell many askers
//! at once where streams end (`heads`). Followers are hinted at news by notifications and look anyway (`tail`). Triggers keep
//! the log append-only, whoever connects with whatever tool; they are compared with what they should be at every opening
//! (`schema`).
//!
//! Nothing lives in a session: no prepared statement, no setting, no lock beyond its transaction. So a pooler that deals
//! out connections by the transaction (PgBouncer) may stand between.

pub mod connect;
mod error;
mod group;
mod heads;
mod pages;
mod pool;
mod schema;
mod sql;
mod tail;
mod transaction;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use self::connect::Address;
use self::heads::Heads;
use self::pages::Reader;
use self::pool::{Pool, primary};
use self::sql::Sql;
use self::tail::Tail;
use self::writer::Writer;
use super::reading::{self, Pages};
use super::{
    Access, Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom,
    StoreError, StoreHealth, import, subscription, validate,
};
use crate::envelope::{NewEvent, Position, Recorded};
use crate::stream::StreamName;

/// The schema when the URL names none.
pub(super) const SCHEMA: &str = "carnet";

/// How many connections read when the URL says nothing else. Two more write and listen.
const CONNECTIONS: usize = 8;

/// An event store in a PostgreSQL database.
///
/// Dropping it lets what was queued be written; subscriptions then end with an error.
#[derive(Debug)]
pub struct PostgresStore {
    reader: Reader,
    heads: Heads,
    /// `None` when opened read-only.
    writer: Option<Writer>,
    /// The end of the log as far as this node knows; a hint.
    last: watch::Receiver<i64>,
    _tail: Tail,
}

impl PostgresStore {
    /// Opens the store that `url` names, making its tables when they are absent and wanted for writing. Beyond what
    /// [`connect`] understands, the URL may name the `schema` (`carnet`) and how many `connections` read (8).
    ///
    /// # Errors
    /// `Invalid` for a URL that can't be understood; `Refused` when the schema is something else's, of another version, or
    /// commits there would not be durable; `Corrupt` when it is damaged; `Unavailable` when it can't be reached.
    pub async fn open(url: &str, access: Access) -> Result<Self, StoreError> {
        let (address, schema, connections) = parse(url)?;
        let sql = Arc::new(Sql::new(&schema));
        let connection = match access {
            Access::ReadWrite => address.clone().primary().connect().await?,
            Access::ReadOnly => primary(&address, None).await?,
        };
        schema::open(&connection, &schema, access == Access::ReadWrite).await?;
        let reader = Reader {
            pool: Arc::new(Pool::new(address.clone(), connections)),
            sql: sql.clone(),
        };
        let (news, last) = watch::channel(reader.last().await?);
        let writer = match access {
            Access::ReadWrite => Some(Writer::start(
                address.clone(),
                connection,
                sql,
                news.clone(),
            )),
            Access::ReadOnly => None,
        };
        let commits = writer.as_ref().map(|writer| writer.commits.clone());
        let commits = commits.unwrap_or_else(|| watch::channel(0).1);
        let tail = Tail::start(reader.clone(), address, commits, news);
        Ok(Self {
            heads: Heads::start(&reader),
            reader,
            writer,
            last,
            _tail: tail,
        })
    }

    /// Whether `url` names a store of this kind in a way that can be understood; nothing is connected to.
    ///
    /// # Errors
    /// `Invalid`, with the reason; no part of the URL's values is in it.
    pub fn check(url: &str) -> Result<(), StoreError> {
        parse(url).map(drop)
    }

    /// How many transactions were committed since it was opened; fewer than the appends made when they came together.
    #[must_use]
    pub fn commits(&self) -> u64 {
        let commits = self.writer.as_ref().map(|writer| &writer.commits);
        commits.map_or(0, |commits| *commits.borrow())
    }

    fn writer(&self) -> Result<&Writer, StoreError> {
        self.writer
            .as_ref()
            .ok_or_else(|| StoreError::refused("it is opened for reading only"))
    }
}

fn parse(url: &str) -> Result<(Address, String, usize), StoreError> {
    let (address, own) = Address::parse(url, &["schema", "connections"])?;
    let (mut schema, mut connections) = (SCHEMA.to_owned(), CONNECTIONS);
    for (name, value) in own {
        if name == "schema" {
            schema = value;
        } else {
            let number = value
                .parse()
                .ok()
                .filter(|number| (1..=256).contains(number));
            connections = number.ok_or_else(|| {
                StoreError::invalid("`connections` in the PostgreSQL URL is a number from 1 to 256")
            })?;
        }
    }
    // Plain, so that it needs no quoting anywhere; short, so that names made of it are not cut.
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = (1..=48).contains(&schema.len())
        && schema.bytes().all(plain)
        && !schema.starts_with(|first: char| first.is_ascii_digit())
        && !schema.starts_with("pg_");
    if !is_name {
        return Err(StoreError::invalid(
            "`schema` in the PostgreSQL URL is 1 to 48 of a-z, 0-9 and _, beginning with a letter or _, not with pg_",
        ));
    }
    Ok((address.application_name("carnet"), schema, connections))
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        let size = validate::batch(&events)?;
        let queue = &self.writer()?.queue;
        queue.append(stream.clone(), expected, events, size).await
    }

    fn read(
        &self,
        stream: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded> {
        reading::of_stream(self.reader.clone(), stream.clone(), from, direction, max)
    }

    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        self.heads.of(stream).await
    }

    fn read_all(
        &self,
        after: Option<Position>,
        filter: Filter,
        max: usize,
    ) -> EventStream<Recorded> {
        reading::of_all(self.reader.clone(), after, filter, max)
    }

    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery> {
        let hint = Some(self.last.clone());
        subscription::subscribe(self.reader.clone(), hint, after, filter)
    }

    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError> {
        self.writer()?.queue.erase(stream.clone()).await
    }

    async fn import(&self, events: Vec<Recorded>) -> Result<(), StoreError> {
        let runs = import::runs(events)?;
        self.writer()?.queue.import(runs).await
    }

    async fn seal(&self, why: &str) -> Result<(), StoreError> {
        self.writer()?.queue.seal(why).await
    }

    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        self.writer()?.queue.reseal(was, why).await
    }

    async fn seals(&self) -> Result<Vec<String>, StoreError> {
        self.reader.seals().await
    }

    async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        self.reader.erased().await
    }

    async fn last_position(&self) -> Result<Option<Position>, StoreError> {
        let last = self.reader.last().await?;
        Ok((last > 0).then(|| Position::single(last.cast_unsigned())))
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        let clock_skew_ms = self.writer()?.queue.probe().await?;
        Ok(StoreHealth { clock_skew_ms })
    }
}
