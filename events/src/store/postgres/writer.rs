//! The writer of a node: one task with the one connection that writes, behind the [`Queue`].
//!
//! Whatever waits in the queue becomes one transaction of two round trips. The first begins it, locks the log, and asks
//! where the streams stand; the second writes the rows and commits. The lock is held from before the streams are looked
//! at until the commit: so what was judged still holds when it is written, and positions have no gaps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::connect::{Address, Connection};
use super::pool::primary;
use super::schema;
use super::sql::Sql;
use super::transaction::{self, Failure};
use crate::store::StoreError;
use crate::store::pace::Pace;
use crate::store::queue::{GROUP, Queue, Request};

/// How long a group may take, waiting for another node's included, but not connecting.
const PATIENCE: Duration = Duration::from_secs(25);

/// The writer as everyone else sees it. It ends when this is dropped and what was queued is done.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) queue: Queue,
    /// How many transactions were committed since the start.
    pub(super) commits: watch::Receiver<u64>,
}

impl Writer {
    /// Starts the task with a connection already open. What is committed is told to `last`.
    pub(super) fn start(
        address: Address,
        connection: Connection,
        sql: Arc<Sql>,
        last: watch::Sender<i64>,
    ) -> Self {
        let (queue, requests) = Queue::new();
        let (counted, commits) = watch::channel(0);
        let task = Task {
            address,
            connection: Some(connection),
            sql,
            last,
            commits: counted,
            pace: Pace::default(),
            failing: false,
        };
        tokio::spawn(task.run(requests));
        Self { queue, commits }
    }
}

struct Task {
    address: Address,
    /// `None` after an error, until the next group.
    connection: Option<Connection>,
    sql: Arc<Sql>,
    last: watch::Sender<i64>,
    commits: watch::Sender<u64>,
    pace: Pace,
    /// The last attempt to commit failed.
    failing: bool,
}

impl Task {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut waiting = Vec::with_capacity(GROUP);
        while requests.recv_many(&mut waiting, GROUP).await > 0 {
            self.pace.gather_by_turns(&mut requests, &mut waiting).await;
            let mut groups = transaction::groups(&mut waiting).into_iter();
            while let Some(mut group) = groups.next() {
                // Every time: a group that failed has taken the connection with it.
                let reached = self.reach().await;
                if let Err(error) = &reached {
                    // Nobody waits for a server that can't be reached longer than for one attempt.
                    group.extend(groups.by_ref().flatten());
                    while requests.try_recv().is_ok_and(|request| {
                        group.push(request);
                        true
                    }) {}
                    self.told(Err(error));
                    settle(&mut group, &reached);
                    break;
                }
                let result = self.commit(&mut group).await;
                settle(&mut group, &result);
            }
        }
    }

    /// Makes sure that there is a connection.
    async fn reach(&mut self) -> Result<(), StoreError> {
        let usable = |connection: &Connection| !connection.is_closed();
        if !self.connection.as_ref().is_some_and(usable) {
            self.connection = None;
            let connecting = async {
                let connection = primary(&self.address, None).await?;
                schema::fit(&connection).await?;
                Ok(connection)
            };
            let connection = tokio::time::timeout(PATIENCE, connecting).await;
            self.connection = Some(connection.unwrap_or_else(|_| Err(slow()))?);
        }
        Ok(())
    }

    /// Commits the group. A connection that turns out to be dead before anything was written is replaced once.
    async fn commit(&mut self, group: &mut [Request]) -> Result<(), StoreError> {
        let mut result = self.try_to_commit(group).await;
        if let Err(Failure::Lost(_)) = result {
            result = match self.reach().await {
                Ok(()) => self.try_to_commit(group).await,
                Err(error) => Err(Failure::Undone(error)),
            };
        }
        let result = result.map_err(StoreError::from);
        self.told(result.as_ref().map(drop));
        result
    }

    async fn try_to_commit(&mut self, group: &mut [Request]) -> Result<(), Failure> {
        // Taken out: whatever goes wrong, the server undoes what was begun when it is dropped.
        let Some(connection) = self.connection.take() else {
            return Err(Failure::Undone(slow()));
        };
        let begun = Instant::now();
        let mut committing = false;
        let carried_out = transaction::carry_out(&connection, &self.sql, group, &mut committing);
        let done = tokio::time::timeout(PATIENCE, carried_out).await;
        let position = match done {
            Ok(Err(refused @ Failure::Refused(_))) => {
                self.connection = Some(connection);
                return Err(refused);
            }
            Ok(done) => done?,
            Err(_) if committing => {
                let seconds = PATIENCE.as_secs();
                let reason = format!("the database did not confirm the commit within {seconds} s");
                return Err(Failure::InDoubt(StoreError::unknown(reason)));
            }
            Err(_) => return Err(Failure::Undone(slow())),
        };
        self.connection = Some(connection);
        self.pace.note(group.len(), begun.elapsed());
        if let Some(position) = position {
            self.commits.send_modify(|commits| *commits += 1);
            self.last.send_if_modified(|last| {
                let news = position > *last;
                *last = position.max(*last);
                news
            });
        }
        Ok(())
    }

    /// Tells when writing stops being possible and when it is possible again.
    fn told(&mut self, result: Result<(), &StoreError>) {
        match result {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the event store writes again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the event store can't write");
                }
            }
        }
    }
}

fn settle(group: &mut Vec<Request>, result: &Result<(), StoreError>) {
    group.iter_mut().for_each(|request| request.settle(result));
    group.clear();
}

fn slow() -> StoreError {
    StoreError::unavailable(format!(
        "the database did not answer within {} s",
        PATIENCE.as_secs()
    ))
}
