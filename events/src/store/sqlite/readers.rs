//! The readers: a few connections, used on blocking threads, each request for one short transaction.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use foldhash::HashMap;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::append::last_position;
use super::error::undone;
use super::pages::PageSize;
use super::{pages, schema};
use crate::store::reading::{Pages, Scan, Stretch};
use crate::store::{Direction, Filter, StoreError};
use crate::stream::StreamName;

/// How many reads run at the same time; those beyond wait.
const CONNECTIONS: usize = 4;

/// How many stream names a connection remembers at least, those used last; at most twice as many.
const NAMES: usize = 8192;

/// A connection that reads, and the stream names it has come across.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) conn: Connection,
    pub(super) names: Names,
    /// How large the last page of the total order was: most likely the next one is like it.
    pub(super) page: PageSize,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            conn: schema::open_reader(path)?,
            names: Names::default(),
            page: PageSize::default(),
        })
    }
}

/// Names of streams by their rows. A row keeps its name for ever, so that a name once read stays right.
///
/// They are in two halves. What is used moves into the young one; when that is full, the old one is dropped and the young one
/// takes its place.
#[derive(Debug, Default)]
pub(super) struct Names {
    young: HashMap<i64, StreamName>,
    old: HashMap<i64, StreamName>,
}

impl Names {
    pub(super) fn get(&mut self, conn: &Connection, id: i64) -> Result<StreamName, StoreError> {
        if let Some(name) = self.young.get(&id) {
            return Ok(name.clone());
        }
        let name = match self.old.remove(&id) {
            Some(name) => name,
            None => Self::look_up(conn, id)?,
        };
        if self.young.len() >= NAMES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, name.clone());
        Ok(name)
    }

    fn look_up(conn: &Connection, id: i64) -> Result<StreamName, StoreError> {
        let mut statement = conn
            .prepare_cached("SELECT name FROM streams WHERE id = ?1")
            .map_err(undone)?;
        let name: String = statement
            .query_row([id], |row| row.get(0))
            .map_err(undone)?;
        let impossible =
            |error| StoreError::corrupt(format!("stream {id} has an impossible name: {error}"));
        name.parse().map_err(impossible)
    }
}

/// The pool of readers of one file.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    /// A pool that begins with this one, and opens more as they are needed.
    pub(super) fn new(path: PathBuf, first: Reader) -> Arc<Self> {
        Arc::new(Self {
            path,
            turns: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Mutex::new(vec![first]),
        })
    }

    /// Runs `work` with a connection on a blocking thread. If the caller goes away, the work still ends in good order.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let pool = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut reader = pool.take()?;
            let result = work(&mut reader);
            if result.is_ok() {
                pool.put_back(reader);
            }
            drop(turn);
            result
        });
        task.await.unwrap_or_else(|error| {
            Err(StoreError::unavailable(format!(
                "a read was broken off: {error}"
            )))
        })
    }

    fn take(&self) -> Result<Reader, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        idle.map_or_else(|| Reader::open(&self.path), Ok)
    }

    fn put_back(&self, reader: Reader) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(reader);
    }
}

#[async_trait]
impl Pages for Arc<Readers> {
    async fn of_stream(
        &self,
        stream: &StreamName,
        revision: i64,
        direction: Direction,
        max: usize,
    ) -> Result<Stretch, StoreError> {
        let name = stream.clone();
        self.run(move |reader| pages::of_stream(reader, &name, revision, direction, max))
            .await
    }

    async fn of_all(
        &self,
        after: i64,
        upto: i64,
        filter: &Arc<Filter>,
        max: usize,
    ) -> Result<Scan, StoreError> {
        let filter = filter.clone();
        self.run(move |reader| pages::of_all(reader, after, upto, &filter, max))
            .await
    }

    async fn last(&self) -> Result<i64, StoreError> {
        self.run(|reader| last_position(&reader.conn).map_err(undone))
            .await
    }
}

fn closed() -> StoreError {
    StoreError::unavailable("the event store is closed")
}
