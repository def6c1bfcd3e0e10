//! One upload: a blocking writer at one end of a bounded channel, the store at the other.
//!
//! A small file is put in one piece; a larger one in parts. Either way it becomes visible whole and durable, or not at all. Parts are
//! sized by the store: those of a bucket may have to grow, so that even the largest file has no more than it allows.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{ArtifactKey, ArtifactStore, path};
use crate::export::artifact::StorageError;
use crate::export::artifact::writer::BlockSink;

/// Messages under way between the writer and the store; each is a compressed chunk.
const QUEUE: usize = 4;

enum Message {
    Bytes(Bytes),
    Commit(Commit),
}

struct Commit {
    sidecar: Option<Bytes>,
    done: oneshot::Sender<Result<(), StorageError>>,
}

/// The writer's end of an upload. Use it on a blocking thread only.
pub struct UploadSink {
    messages: mpsc::Sender<Message>,
    failure: Failure,
}

/// Why the upload ended, for a writer that finds the channel closed.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<StorageError>>>);

impl Failure {
    fn set(&self, error: StorageError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn get(&self) -> StorageError {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .unwrap_or(StorageError::Cancelled)
    }
}

impl BlockSink for UploadSink {
    fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.messages
            .blocking_send(Message::Bytes(bytes))
            .map_err(|_| self.failure.get())
    }

    fn commit(self: Box<Self>, sidecar: Option<Bytes>) -> Result<(), StorageError> {
        let (done, committed) = oneshot::channel();
        self.messages
            .blocking_send(Message::Commit(Commit { sidecar, done }))
            .map_err(|_| self.failure.get())?;
        committed
            .blocking_recv()
            .unwrap_or_else(|_| Err(self.failure.get()))
    }
}

/// Starts an upload on the current runtime.
pub(super) fn start(
    store: ArtifactStore,
    key: ArtifactKey,
    cancel: CancellationToken,
) -> UploadSink {
    let (messages, queue) = mpsc::channel(QUEUE);
    let failure = Failure::default();
    let sink = UploadSink {
        messages,
        failure: failure.clone(),
    };
    let mut upload = Upload {
        store,
        key,
        parts: None,
        sent: 0,
        pending: Vec::new(),
        pending_bytes: 0,
        sidecar: false,
    };
    tokio::spawn(async move {
        // Dropping the queue is what wakes the writer, so it must outlive the clearing up.
        let mut queue = queue;
        // A commit is not cut off half-way: nobody could say whether it happened.
        let received = cancel.run_until_cancelled(upload.receive(&mut queue)).await;
        let (result, done) = match received.unwrap_or(Err(StorageError::Cancelled)) {
            Ok(Commit { sidecar, done }) => (upload.commit(sidecar).await, Some(done)),
            Err(error) => (Err(error), None),
        };
        if let Err(error) = &result {
            failure.set(error.clone());
            upload.discard().await;
        }
        if let Some(done) = done {
            // The writer may be gone; its artifact is then one that nobody published, and is swept.
            let _ = done.send(result);
        }
    });
    sink
}

struct Upload {
    store: ArtifactStore,
    key: ArtifactKey,
    parts: Option<Box<dyn MultipartUpload>>,
    sent: usize,
    pending: Vec<Bytes>,
    pending_bytes: usize,
    sidecar: bool,
}

impl Upload {
    /// Passes on what the writer sends until it commits.
    async fn receive(
        &mut self,
        queue: &mut mpsc::Receiver<Message>,
    ) -> Result<Commit, StorageError> {
        loop {
            match queue.recv().await {
                Some(Message::Bytes(bytes)) => {
                    self.pending_bytes += bytes.len();
                    self.pending.push(bytes);
                    if self.pending_bytes >= self.store.part_bytes(self.sent) {
                        self.send_part().await?;
                    }
                }
                Some(Message::Commit(commit)) => return Ok(commit),
                None => return Err(StorageError::Cancelled),
            }
        }
    }

    fn take_pending(&mut self) -> PutPayload {
        self.pending_bytes = 0;
        std::mem::take(&mut self.pending).into_iter().collect()
    }

    async fn send_part(&mut self) -> Result<(), StorageError> {
        let payload = self.take_pending();
        if self.parts.is_none() {
            // Completing an upload in parts replaces what is there. Keys are used once, so looking first is enough.
            if self.store.exists(self.key.as_str()).await? {
                return Err(StorageError::Exists {
                    key: self.key.to_string(),
                });
            }
            self.parts = Some(
                self.store
                    .objects
                    .put_multipart(&path(self.key.as_str())?)
                    .await?,
            );
        }
        if let Some(parts) = &mut self.parts {
            parts.put_part(payload).await?;
            self.sent += 1;
        }
        Ok(())
    }

    /// The sidecar first: wherever there is an artifact, its block digests are there too.
    async fn commit(&mut self, sidecar: Option<Bytes>) -> Result<(), StorageError> {
        let create = || PutOptions::from(PutMode::Create);
        if let Some(sidecar) = sidecar {
            self.store
                .objects
                .put_opts(&path(&self.key.sidecar())?, sidecar.into(), create())
                .await?;
            self.sidecar = true;
        }
        if self.parts.is_some() && self.pending_bytes > 0 {
            self.send_part().await?;
        }
        let payload = self.take_pending();
        match &mut self.parts {
            Some(parts) => drop(parts.complete().await?),
            None => drop(
                self.store
                    .objects
                    .put_opts(&path(self.key.as_str())?, payload, create())
                    .await?,
            ),
        }
        Ok(())
    }

    /// Leaves nothing behind. What can't be removed now, the sweep removes later.
    async fn discard(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            // Refused when completing failed: the store has let go of the temporary file, which is cleared below.
            let _ = parts.abort().await;
        }
        if let (true, Ok(sidecar)) = (self.sidecar, path(&self.key.sidecar())) {
            let _ = self.store.objects.delete(&sidecar).await;
        }
        if let Err(error) = self.store.clear(&self.key).await {
            tracing::warn!(key = %self.key, %error, "a failed upload left a temporary file behind");
        }
    }
}
