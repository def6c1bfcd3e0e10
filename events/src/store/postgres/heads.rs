//! Where streams end, asked for many at once.
//!
//! Nearly every request to the service asks whether what its node has folded is still the present. Whoever asks while an
//! answer is on its way shares the next question, which the server plans and runs once for all of them. Nobody is answered by
//! a question that was sent before they asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::pages::Reader;
use crate::store::StoreError;
use crate::stream::StreamName;

/// How many streams one question names at most.
const STREAMS: usize = 256;

/// How many wait at most; those beyond wait for their place.
const WAITING: usize = 1024;

/// How many questions are under way at once: one that isn't answered holds up half of the others at most.
const QUESTIONS: usize = 2;

/// How long somebody waits at most: for a question that was asked before, and for the next.
const PATIENCE: Duration = Duration::from_secs(30);

type Answer = Result<Option<u64>, StoreError>;

struct Asked {
    stream: StreamName,
    reply: oneshot::Sender<Answer>,
}

/// Asks for as long as it is held.
#[derive(Debug)]
pub(super) struct Heads {
    asked: mpsc::Sender<Asked>,
    _tasks: JoinSet<()>,
}

impl Heads {
    pub(super) fn start(reader: &Reader) -> Self {
        let (asked, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        for _ in 0..QUESTIONS {
            tasks.spawn(ask(reader.clone(), Arc::clone(&waiting)));
        }
        Self {
            asked,
            _tasks: tasks,
        }
    }

    /// The revision of a stream's last event.
    pub(super) async fn of(&self, stream: &StreamName) -> Answer {
        match tokio::time::timeout(PATIENCE, self.answer(stream)).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::unavailable(format!(
                "the database did not answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    async fn answer(&self, stream: &StreamName) -> Answer {
        let closed = || StoreError::unavailable("the event store is closed");
        let (reply, answer) = oneshot::channel();
        let stream = stream.clone();
        let asked = self.asked.send(Asked { stream, reply }).await;
        asked.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

async fn ask(reader: Reader, waiting: Arc<Mutex<mpsc::Receiver<Asked>>>) {
    let mut asked = Vec::with_capacity(STREAMS);
    loop {
        if waiting.lock().await.recv_many(&mut asked, STREAMS).await == 0 {
            return;
        }
        // Whoever has gone away needn't be answered.
        asked.retain(|asked| !asked.reply.is_closed());
        if asked.is_empty() {
            continue;
        }
        let names: Vec<&str> = asked.iter().map(|asked| asked.stream.as_str()).collect();
        let heads = reader.heads(&names).await;
        for (place, asked) in asked.drain(..).enumerate() {
            let answer = match &heads {
                Ok(heads) => heads
                    .get(place)
                    .copied()
                    .ok_or_else(|| StoreError::unavailable("the database left a question open")),
                Err(error) => Err(error.clone()),
            };
            let _ = asked.reply.send(answer);
        }
    }
}
