//! A bounded pool of read-only connections.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::Semaphore;

use super::stable_plans;
use crate::Error;

/// Runs queries, each in one read transaction on a blocking thread. Clones share the pool.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: Arc<Pool>,
}

struct Pool {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<(u64, Connection)>>,
    /// Counts the files there have been at the path; a connection to an earlier one is not used again.
    epoch: AtomicU64,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, readers: usize) -> Self {
        let pool = Pool {
            path,
            permits: Arc::new(Semaphore::new(readers.max(1))),
            idle: Mutex::default(),
            epoch: AtomicU64::new(0),
        };
        Self {
            pool: Arc::new(pool),
        }
    }

    /// Asks `query` of one snapshot of the file.
    ///
    /// # Errors
    /// The query's own, or why the file can't be read.
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

    /// No connection made so far is used again: the file was replaced.
    pub(crate) fn renew(&self) {
        self.pool.epoch.fetch_add(1, Ordering::AcqRel);
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

    fn ask<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some((made, connection)) if made == epoch => connection,
            _ => self.connect()?,
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let answer = query(&transaction);
        drop(transaction);
        if answer.is_ok() && self.epoch.load(Ordering::Acquire) == epoch {
            self.idle().push((epoch, connection));
        }
        answer
    }

    fn connect(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        stable_plans(&connection)?;
        connection.pragma_update(None, "cache_size", -4 * 1024)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    }
}
