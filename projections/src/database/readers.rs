//! A bounded pool of connections that read all projections.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::Semaphore;

use super::{meta, stable_plans, tables};
use crate::projection::{ALL, Blueprint};
use crate::{Error, ProjectionName};

/// Runs queries, each in one read transaction on a blocking thread. Clones share the pool.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: Arc<Pool>,
}

struct Pool {
    permits: Arc<Semaphore>,
    shown: Mutex<Shown>,
    idle: Mutex<Vec<(u64, Connection)>>,
}

/// The files that are read; a projection without one reads as empty.
#[derive(Debug, Clone, Default)]
struct Shown {
    files: Vec<(ProjectionName, PathBuf)>,
    /// Counts the changes; a connection to earlier files is not used again.
    epoch: u64,
}

impl Readers {
    pub(crate) fn new(readers: usize) -> Self {
        let pool = Pool {
            permits: Arc::new(Semaphore::new(readers.max(1))),
            shown: Mutex::default(),
            idle: Mutex::default(),
        };
        Self {
            pool: Arc::new(pool),
        }
    }

    /// Asks `query` of one snapshot of each file.
    ///
    /// # Errors
    /// The query's own, or why a file can't be read.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let pool = Arc::clone(&self.pool);
        let permits = Arc::clone(&pool.permits);
        let permit = permits.acquire_owned().await.map_err(|_| Error::ShutDown)?;
        let asked = tokio::task::spawn_blocking(move || {
            let answer = pool.ask(query);
            drop(permit);
            answer
        });
        asked.await.map_err(|_| Error::ShutDown)?
    }

    /// From now on this is the file that a projection is read from; queries that have begun keep theirs.
    pub(crate) fn show(&self, name: ProjectionName, file: Option<PathBuf>) {
        let mut shown = self.pool.shown();
        shown.epoch += 1;
        shown.files.retain(|(known, _)| *known != name);
        shown.files.extend(file.map(|file| (name, file)));
        drop(shown);
        self.pool.idle().clear();
    }

    /// Answers no more queries.
    pub(crate) fn close(&self) {
        self.pool.permits.close();
        self.pool.idle().clear();
    }
}

impl Pool {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let (epoch, mut connection) = self.connection()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let answer = query(&transaction);
        drop(transaction);
        if answer.is_ok() && self.shown().epoch == epoch {
            self.idle().push((epoch, connection));
        }
        answer
    }

    /// A connection to the files shown, and since when they are.
    fn connection(&self) -> Result<(u64, Connection), Error> {
        loop {
            let shown = self.shown().clone();
            let idle = self.idle().pop();
            if let Some(idle) = idle.filter(|(made, _)| *made == shown.epoch) {
                return Ok(idle);
            }
            match connect(&shown) {
                Ok(connection) => return Ok((shown.epoch, connection)),
                // One of them was replaced meanwhile.
                Err(_) if self.shown().epoch != shown.epoch => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn connect(shown: &Shown) -> rusqlite::Result<Connection> {
    // Without the right to make files, so that one which is gone is not made anew, empty.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(":memory:", flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    stable_plans(&connection)?;
    for blueprint in ALL {
        let file = shown.files.iter().find(|(name, _)| *name == blueprint.name);
        attach(&connection, blueprint, file.map(|(_, file)| file))?;
    }
    connection.pragma_update(None, "query_only", true)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Makes a projection's tables known by their names.
fn attach(
    connection: &Connection,
    blueprint: &Blueprint,
    file: Option<&PathBuf>,
) -> rusqlite::Result<()> {
    let schema = blueprint.name.as_str();
    let path = match file {
        Some(file) => match file.to_str() {
            Some(path) => path,
            None => return Err(rusqlite::Error::InvalidPath(file.clone())),
        },
        None => ":memory:",
    };
    connection.execute(&format!("ATTACH ? AS {schema}"), [path])?;
    if file.is_none() {
        meta::create(connection, schema)?;
        tables::create(connection, schema, blueprint)?;
        for index in blueprint.indices {
            tables::index(connection, schema, index)?;
        }
    }
    connection.pragma_update(Some(schema), "cache_size", -2 * 1024)
}
