//! What the writer is asked, and where its answers go.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::append::{Answered, Group};
use crate::envelope::NewEvent;
use crate::store::{Appended, Expected, StoreError};
use crate::stream::StreamName;

/// Where an answer goes, and the answer while its commit is not made yet.
#[derive(Debug)]
pub(super) struct Asked<T> {
    reply: oneshot::Sender<Result<T, StoreError>>,
    answer: Option<Result<T, StoreError>>,
}

impl<T> Asked<T> {
    pub(super) fn new(reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self {
            reply,
            answer: None,
        }
    }

    fn keep(&mut self, answered: Answered<T>) -> rusqlite::Result<()> {
        self.answer = Some(answered?);
        Ok(())
    }

    fn settle(self, commit: &Result<(), StoreError>) {
        let answer = match commit {
            Ok(()) => self.answer,
            Err(error) => Some(Err(error.clone())),
        };
        if let Some(answer) = answer {
            // Whoever asked may have gone away.
            let _ = self.reply.send(answer);
        }
    }
}

/// One request to the writer.
#[derive(Debug)]
pub(super) enum Request {
    Append {
        stream: StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
        asked: Asked<Appended>,
        /// Given back when the request is done with.
        _room: OwnedSemaphorePermit,
    },
    Erase {
        stream: StreamName,
        asked: Asked<()>,
    },
    Probe {
        asked: Asked<()>,
    },
}

impl Request {
    /// Does what is asked within the group's transaction, and keeps the answer until it is committed.
    pub(super) fn carry_out(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        match self {
            Self::Append {
                stream,
                expected,
                events,
                asked,
                ..
            } => asked.keep(group.append(stream, *expected, events)),
            Self::Erase { stream, asked } => asked.keep(group.erase(stream)),
            Self::Probe { asked } => asked.keep(group.probe()),
        }
    }

    /// Sends the answer, when the commit is made; otherwise the error that befell it.
    pub(super) fn settle(self, commit: &Result<(), StoreError>) {
        match self {
            Self::Append { asked, .. } => asked.settle(commit),
            Self::Erase { asked, .. } | Self::Probe { asked } => asked.settle(commit),
        }
    }
}
