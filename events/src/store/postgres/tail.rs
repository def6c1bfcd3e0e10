//! How far the log is, for those who follow it: this node's own commits at once, other nodes' by notification or by looking.
//!
//! A notification is a hint and nothing more. It comes over a connection of its own, which may be refused, lost, or dealt
//! out to others by a pooler, and then comes to nobody. So the log is looked at anyway: seldom while hints come, often once
//! something was found that nobody had hinted at.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::connect::{Address, Connection};
use super::pages::Reader;
use super::pool::primary;
use crate::store::reading::Pages;

/// How long to wait for a hint where hints come.
const SELDOM: Duration = Duration::from_secs(1);

/// How often to look where they don't.
const OFTEN: Duration = Duration::from_millis(50);

/// How long to wait before connecting again.
const RECONNECT: Duration = Duration::from_secs(5);

/// How long to say nothing after having told the others: whoever looks finds all that was committed meanwhile.
const BREATH: Duration = Duration::from_millis(5);

/// How long a word to the others may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps `last` up to date for as long as it is held.
#[derive(Debug)]
pub(super) struct Tail {
    _tasks: JoinSet<()>,
}

impl Tail {
    /// `commits` counts what this node writes, which the others are told of.
    pub(super) fn start(
        reader: Reader,
        address: Address,
        commits: watch::Receiver<u64>,
        last: watch::Sender<i64>,
    ) -> Self {
        let hints = Arc::new(Notify::new());
        let listener = Listener {
            address,
            channel: reader.sql.channel.clone(),
            me: Uuid::new_v4().to_string(),
            hints: hints.clone(),
            commits,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(listener.run());
        tasks.spawn(look(reader, hints, last));
        Self { _tasks: tasks }
    }
}

async fn look(reader: Reader, hints: Arc<Notify>, last: watch::Sender<i64>) {
    let mut patience = SELDOM;
    loop {
        let hinted = tokio::time::timeout(patience, hints.notified())
            .await
            .is_ok();
        let position = match reader.last().await {
            Ok(position) => position,
            Err(error) => {
                tracing::debug!(%error, "the end of the log can't be looked at");
                tokio::time::sleep(SELDOM).await;
                continue;
            }
        };
        let news = last.send_if_modified(|last| {
            let news = position > *last;
            *last = position.max(*last);
            news
        });
        if hinted {
            patience = SELDOM;
        } else if news {
            patience = OFTEN;
        }
    }
}

/// Hears of other nodes' commits and tells them of ours.
struct Listener {
    address: Address,
    channel: String,
    /// What this node's own words are known by.
    me: String,
    hints: Arc<Notify>,
    commits: watch::Receiver<u64>,
}

impl Listener {
    async fn run(mut self) {
        loop {
            if let Err(reason) = self.listen().await {
                tracing::debug!(
                    reason,
                    "no notifications from the event store; it is looked at instead"
                );
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// Listens and tells until the connection ends.
    async fn listen(&mut self) -> Result<(), String> {
        let (heard, mut hear) = mpsc::channel(16);
        let connection = primary(&self.address, Some(heard)).await;
        let connection = connection.map_err(|error| error.to_string())?;
        let (listen, notify) = (
            format!("LISTEN {}", self.channel),
            format!("NOTIFY {}, '{}'", self.channel, self.me),
        );
        say(&connection, &listen).await?;
        // What was committed before is not hinted at.
        self.hints.notify_one();
        let mut writes = true;
        loop {
            tokio::select! {
                told = hear.recv() => match told {
                    Some(told) if told.payload() == self.me => {}
                    Some(_) => self.hints.notify_one(),
                    None => return Err("the connection was lost".to_owned()),
                },
                changed = self.commits.changed(), if writes => {
                    // A store opened for reading counts nothing.
                    writes = changed.is_ok();
                    say(&connection, &notify).await?;
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }
}

/// Runs one short statement.
async fn say(connection: &Connection, sql: &str) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, connection.batch_execute(sql)).await {
        Ok(said) => said.map_err(|error| error.to_string()),
        Err(late) => Err(late.to_string()),
    }
}
