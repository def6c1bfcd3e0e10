//! The connections that read: a few, made when they are needed, each lent for one question at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use tokio::sync::{Semaphore, mpsc};
use tokio_postgres::{Notification, Row};

use super::connect::{Address, ConnectError, Connection};
use super::error::{lost, undone};
use super::sql::Parameters;
use crate::store::StoreError;

/// How long an answer may take, and how long a question waits for its turn before.
const PATIENCE: Duration = Duration::from_secs(15);

/// A statement with its parameters.
pub(super) type Statement<'a> = (&'a str, Parameters<'a>);

#[derive(Debug)]
pub(super) struct Pool {
    address: Address,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// At most so many connections to `address`.
    pub(super) fn new(address: Address, connections: usize) -> Self {
        Self {
            address,
            turns: Arc::new(Semaphore::new(connections)),
            idle: Mutex::default(),
        }
    }

    pub(super) async fn connect(&self) -> Result<Connection, StoreError> {
        primary(&self.address, None).await
    }

    /// Asks one statement.
    pub(super) async fn ask(&self, statement: Statement<'_>) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.ask_all(&[statement]).await?;
        Ok(rows.pop().unwrap_or_default())
    }

    /// Asks for at most one row.
    pub(super) async fn ask_one(
        &self,
        statement: Statement<'_>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.ask(statement).await?.pop())
    }

    /// Sends all statements at once and waits for all answers; each sees what was committed when it came. A connection that
    /// turns out to be dead is replaced once: whoever only reads may ask again. One that turns out to lead to a standby is
    /// given up.
    pub(super) async fn ask_all(
        &self,
        statements: &[Statement<'_>],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let _turn = match tokio::time::timeout(PATIENCE, self.turns.acquire()).await {
            Ok(turn) => turn.map_err(|_| StoreError::unavailable("the event store is closed"))?,
            Err(_) => {
                return Err(StoreError::unavailable(format!(
                    "no connection that reads became free within {} s; allow more with `connections` in the URL",
                    PATIENCE.as_secs()
                )));
            }
        };
        if let Some(connection) = self.take() {
            match self.try_on(connection, statements).await {
                Err(Failure { lost: true, .. }) => self.forget(),
                answered => return answered.map_err(|failure| failure.error),
            }
        }
        let connection = self.connect().await?;
        let answered = self.try_on(connection, statements).await;
        answered.map_err(|failure| failure.error)
    }

    async fn try_on(
        &self,
        connection: Connection,
        statements: &[Statement<'_>],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let answers = statements
            .iter()
            .map(|(sql, parameters)| connection.query_typed(sql, parameters));
        match tokio::time::timeout(PATIENCE, try_join_all(answers)).await {
            Ok(Ok(rows)) => {
                self.put_back(connection);
                Ok(rows)
            }
            Ok(Err(error)) => Err(Failure {
                lost: lost(&error),
                error: undone(&error),
            }),
            Err(_) => Err(Failure {
                lost: false,
                error: StoreError::unavailable(format!(
                    "the database did not answer within {} s",
                    PATIENCE.as_secs()
                )),
            }),
        }
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(connection);
    }

    /// What happened to one connection happened to those that were idle as well.
    fn forget(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.clear();
    }
}

struct Failure {
    error: StoreError,
    lost: bool,
}

/// Connects to the server that decides, whose answers are never behind: the primary. A database or role set to read only
/// counts as well, but no standby.
pub(super) async fn primary(
    address: &Address,
    told: Option<mpsc::Sender<Notification>>,
) -> Result<Connection, StoreError> {
    let connect = async |address: Address| match told.clone() {
        Some(told) => address.connect_and_listen(told).await,
        None => address.connect().await,
    };
    let refused = match connect(address.clone().primary()).await {
        Err(refused @ ConnectError::ReadOnly { .. }) => refused,
        connected => return Ok(connected?),
    };
    let connection = connect(address.clone().any_server()).await?;
    let sql = "SELECT pg_catalog.pg_is_in_recovery()";
    let asked = tokio::time::timeout(PATIENCE, connection.query_typed_one(sql, &[]));
    match asked.await {
        Ok(Ok(row)) if row.get::<_, Option<bool>>(0) == Some(false) => Ok(connection),
        _ => Err(refused.into()),
    }
}
