//! The writer's thread: takes what waits in the queue, commits it as one group, answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::append::{Group, carry_out, last_position};
use super::checkpoint::Checkpoint;
use super::error::{Stage, translate, undone};
use super::heads::Heads;
use super::lock::Lock;
use super::{schema, seal};
use crate::store::StoreError;
use crate::store::pace::Pace;
use crate::store::queue::{GROUP, Request};

/// The thread's state.
pub(super) struct Thread {
    path: PathBuf,
    /// `None` after an error that leaves the connection's state in doubt, until it can be opened anew.
    conn: Option<Connection>,
    _lock: Lock,
    heads: Arc<Heads>,
    last: watch::Sender<i64>,
    commits: Arc<AtomicU64>,
    pace: Pace,
    /// The last attempt to commit failed.
    failing: bool,
    checkpoint: Checkpoint,
}

impl Thread {
    /// With a connection already open; `last` is the last position given out so far.
    pub(super) fn new(
        path: &Path,
        conn: Connection,
        lock: Lock,
        heads: Arc<Heads>,
        last: watch::Sender<i64>,
        commits: Arc<AtomicU64>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            conn: Some(conn),
            _lock: lock,
            heads,
            last,
            commits,
            pace: Pace::default(),
            failing: false,
            checkpoint: Checkpoint::new(path),
        }
    }

    /// Runs until nobody can ask any more.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut group = Vec::with_capacity(GROUP);
        while requests.blocking_recv_many(&mut group, GROUP) > 0 {
            self.pace.gather(&mut requests, &mut group);
            match self.commit(&mut group) {
                Err(Failure::RolledBack(_)) if group.len() > 1 => self.one_by_one(&mut group),
                result => {
                    let result = result.map_err(StoreError::from);
                    // All are answered before anything is dropped: they are about to ask again.
                    group.iter_mut().for_each(|request| request.settle(&result));
                    group.clear();
                }
            }
        }
    }

    /// Gives each request of a failed group its own chance, as long as there is any.
    fn one_by_one(&mut self, group: &mut Vec<Request>) {
        let mut hopeless = None;
        for request in group.drain(..) {
            let mut alone = [request];
            let result = hopeless
                .clone()
                .map_or_else(|| self.commit(&mut alone), Err);
            if let Err(failure @ Failure::Begin(_)) = &result {
                hopeless = Some(failure.clone());
            }
            let result = result.map_err(StoreError::from);
            let [request] = &mut alone;
            request.settle(&result);
        }
    }

    /// Commits the group, and tells when that stops being possible and when it is possible again.
    fn commit(&mut self, group: &mut [Request]) -> Result<(), Failure> {
        let result = self.try_to_commit(group);
        match &result {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the event store writes again");
                }
            }
            Err(failure) => {
                if !std::mem::replace(&mut self.failing, true) {
                    let error = StoreError::from(failure.clone());
                    tracing::error!(%error, requests = group.len(), "the event store can't write");
                }
                self.recover(failure);
            }
        }
        result
    }

    /// Carries the group out in one transaction. After an error nothing of it is in the database, but for `Unknown`.
    fn try_to_commit(&mut self, group: &mut [Request]) -> Result<(), Failure> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.reopen().map_err(Failure::Begin)?,
        };
        let conn = self.conn.insert(conn);

        let before = *self.last.borrow();
        let sealed = seal::now(conn);
        let sealed = sealed.map_err(|error| Failure::Begin(undone(error)))?;
        let begin = Group::begin(conn, &self.heads, before, sealed);
        let mut work = begin.map_err(|error| Failure::Begin(undone(error)))?;
        for request in &mut *group {
            carry_out(request, &mut work).map_err(|error| Failure::RolledBack(undone(error)))?;
        }
        let finished = work.finish();
        let (moved, last) = finished.map_err(|error| Failure::RolledBack(undone(error)))?;

        self.heads.committing(moved);
        let begun = Instant::now();
        execute(conn, "COMMIT").map_err(|error| match translate(&error, Stage::Commit) {
            error @ StoreError::Unknown { .. } => Failure::InDoubt(error),
            error => Failure::RolledBack(error),
        })?;
        self.heads.committed();
        self.pace.note(group.len(), begun.elapsed());
        self.commits.fetch_add(1, Ordering::Relaxed);
        if last > before {
            self.last.send_replace(last);
        }
        self.checkpoint.after(conn, group);
        Ok(())
    }

    fn reopen(&self) -> Result<Connection, StoreError> {
        let conn = schema::open_writer(&self.path)?;
        self.last
            .send_replace(last_position(&conn).map_err(undone)?);
        Ok(conn)
    }

    /// Brings the connection back to where the next group can begin.
    fn recover(&mut self, failure: &Failure) {
        self.heads.forget();
        let usable = |conn: &Connection| conn.is_autocommit() || execute(conn, "ROLLBACK").is_ok();
        if failure.leaves_doubt() || !self.conn.as_ref().is_some_and(usable) {
            self.conn = None;
        }
    }
}

/// Why a group was not committed.
#[derive(Debug, Clone)]
enum Failure {
    /// It could not even begin.
    Begin(StoreError),
    /// It was rolled back: the doing of one of its requests perhaps, or too much of all together.
    RolledBack(StoreError),
    /// Whether it was committed is not known.
    InDoubt(StoreError),
}

impl Failure {
    /// What is in the file may differ from what this program takes to be there, so it is to be opened anew.
    fn leaves_doubt(&self) -> bool {
        match self {
            Self::InDoubt(_) => true,
            Self::Begin(error) | Self::RolledBack(error) => {
                matches!(error, StoreError::Corrupt { .. })
            }
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Begin(error) | Failure::RolledBack(error) | Failure::InDoubt(error) => error,
        }
    }
}

fn execute(conn: &Connection, sql: &str) -> rusqlite::Result<usize> {
    conn.prepare_cached(sql)?.execute([])
}
