//! One upload: a blocking writer at one end of a bounded channel, the store at the other.
//!
//! A small file is put in one piece; a larger one in parts. Either way it becomes visible whole and durable, or not at all. A directory's
//! parts are written as they come. A bucket's are of exact sizes, which grow with the file, and several are under way at once.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::calls::Calls;
use super::{ArtifactKey, ArtifactStore, Place, path, s3};
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
        pending: Pending::default(),
        sidecar: false,
        shown: false,
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

/// Parts of an upload to a directory: written as they come, so small ones do.
pub(super) const LOCAL_PART_BYTES: usize = 1024 * 1024;

struct Upload {
    store: ArtifactStore,
    key: ArtifactKey,
    parts: Option<Parts>,
    pending: Pending,
    sidecar: bool,
    /// The object may be visible.
    shown: bool,
}

enum Parts {
    Local(LocalParts),
    Bucket(s3::Parts),
}

/// Parts on their way to a directory. They are shared with the step under way, which goes on when nobody waits for it any more.
struct LocalParts {
    calls: Calls,
    parts: Arc<tokio::sync::Mutex<Box<dyn MultipartUpload>>>,
}

impl LocalParts {
    async fn begin(store: &ArtifactStore, calls: &Calls, path: Path) -> Result<Self, StorageError> {
        let objects = Arc::clone(&store.objects);
        let begin = async move { Ok(objects.put_multipart(&path).await?) };
        let parts = calls.step(begin).await?;
        Ok(Self {
            calls: calls.clone(),
            parts: Arc::new(tokio::sync::Mutex::new(parts)),
        })
    }

    async fn put(&self, payload: PutPayload) -> Result<(), StorageError> {
        let part = self.parts.lock().await.put_part(payload);
        self.calls.step(async move { Ok(part.await?) }).await
    }

    async fn complete(&self) -> Result<(), StorageError> {
        let parts = Arc::clone(&self.parts);
        let complete = async move {
            parts.lock().await.complete().await?;
            Ok(())
        };
        self.calls.sync(complete).await
    }

    async fn abort(&self) -> Result<(), StorageError> {
        // Completing hangs: what it leaves, the sweep removes.
        let parts = Arc::clone(&self.parts).try_lock_owned();
        let mut parts = parts.map_err(|_| StorageError::Silent)?;
        self.calls
            .step(async move { Ok(parts.abort().await?) })
            .await
    }
}

impl Parts {
    /// Begins; if nobody waits for it any more once it has begun, it is given up.
    async fn begun(store: &ArtifactStore, key: &ArtifactKey) -> Result<Self, StorageError> {
        let (store, key) = (store.clone(), key.clone());
        let (begun, waiting) = oneshot::channel();
        tokio::spawn(async move {
            let parts = Self::begin(&store, &key).await;
            if let Err(Ok(mut unwanted)) = begun.send(parts) {
                let _ = unwanted.abort().await;
                let _ = store.clear(&key).await;
            }
        });
        waiting.await.unwrap_or(Err(StorageError::Cancelled))
    }

    async fn begin(store: &ArtifactStore, key: &ArtifactKey) -> Result<Self, StorageError> {
        store.still_ours().await?;
        // Completing an upload in parts replaces what is there. Keys are used once, so looking first is enough.
        if store.exists(key.as_str()).await? {
            return Err(StorageError::Exists {
                key: key.to_string(),
            });
        }
        let path = path(key.as_str())?;
        Ok(match &store.place {
            Place::Directory(directory) => {
                Self::Local(LocalParts::begin(store, directory.calls(), path).await?)
            }
            Place::Bucket(bucket) => Self::Bucket(s3::Parts::begin(bucket, &path).await?),
        })
    }

    async fn put(&mut self, payload: PutPayload) -> Result<(), StorageError> {
        match self {
            Self::Local(parts) => parts.put(payload).await,
            Self::Bucket(parts) => parts.put(payload).await,
        }
    }

    async fn complete(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Local(parts) => parts.complete().await,
            Self::Bucket(parts) => parts.complete().await,
        }
    }

    async fn abort(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Local(parts) => parts.abort().await,
            Self::Bucket(parts) => parts.abort().await,
        }
    }
}

/// What has come and hasn't been sent.
#[derive(Default)]
struct Pending {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Pending {
    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push(piece);
    }

    /// The first so many bytes, or all there are.
    fn take(&mut self, most: usize) -> PutPayload {
        let (mut taken, mut room) = (Vec::new(), most.min(self.bytes));
        self.bytes -= room;
        let mut pieces = std::mem::take(&mut self.pieces).into_iter();
        for mut piece in pieces.by_ref() {
            if piece.len() > room {
                if room > 0 {
                    taken.push(piece.split_to(room));
                }
                self.pieces.push(piece);
                break;
            }
            room -= piece.len();
            taken.push(piece);
        }
        self.pieces.extend(pieces);
        taken.into_iter().collect()
    }
}

impl Upload {
    /// Passes on what the writer sends until it commits.
    async fn receive(
        &mut self,
        queue: &mut mpsc::Receiver<Message>,
    ) -> Result<Commit, StorageError> {
        loop {
            match queue.recv().await {
                Some(Message::Bytes(bytes)) => self.add(bytes).await?,
                Some(Message::Commit(commit)) => return Ok(commit),
                None => return Err(StorageError::Cancelled),
            }
        }
    }

    async fn add(&mut self, piece: Bytes) -> Result<(), StorageError> {
        if let Place::Directory(_) = self.store.place {
            self.pending.push(piece);
            return match self.pending.bytes {
                0..LOCAL_PART_BYTES => Ok(()),
                _ => self.send_part(usize::MAX).await,
            };
        }
        // Kept for as long as a part takes, so it is worth giving back the room that its maker left around it.
        self.pending.push(Bytes::copy_from_slice(&piece));
        drop(piece);
        loop {
            let sent = match &self.parts {
                Some(Parts::Bucket(parts)) => parts.sent(),
                _ => 0,
            };
            // Beyond the last part allowed the next one is refused.
            let size = s3::part_bytes(sent).unwrap_or(s3::MOST_AT_ONCE);
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if self.pending.bytes < size {
                return Ok(());
            }
            self.send_part(size).await?;
        }
    }

    async fn send_part(&mut self, most: usize) -> Result<(), StorageError> {
        let payload = self.pending.take(most);
        if self.parts.is_none() {
            self.parts = Some(Parts::begun(&self.store, &self.key).await?);
        }
        // They stay where they are meanwhile: whoever cancels this finds them there, and gives them up.
        match &mut self.parts {
            Some(parts) => parts.put(payload).await,
            None => Err(StorageError::Cancelled),
        }
    }

    /// The sidecar first: wherever there is an artifact, its block digests are there too.
    async fn commit(&mut self, sidecar: Option<Bytes>) -> Result<(), StorageError> {
        self.store.still_ours().await?;
        if let Some(sidecar) = sidecar {
            let path = path(&self.key.sidecar())?;
            self.store.put_new(&path, sidecar.into()).await?;
            self.sidecar = true;
        }
        if self.parts.is_some() && self.pending.bytes > 0 {
            self.send_part(usize::MAX).await?;
        }
        let payload = self.pending.take(usize::MAX);
        self.shown = true;
        let done = match &mut self.parts {
            Some(parts) => parts.complete().await,
            None => self.store.put_new(&path(self.key.as_str())?, payload).await,
        };
        // Somebody else's is left alone.
        self.shown &= !matches!(done, Err(StorageError::Exists { .. }));
        done
    }

    /// Leaves nothing behind. What can't be removed now, the sweep removes later.
    async fn discard(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            // Refused when completing failed: a directory has let go of the temporary file, which is cleared below.
            let _ = parts.abort().await;
        }
        // A bucket may have done what it couldn't say.
        if let (true, Ok(object)) = (self.shown, path(self.key.as_str())) {
            let _ = self.store.remove(&object).await;
        }
        if let (true, Ok(sidecar)) = (self.sidecar, path(&self.key.sidecar())) {
            let _ = self.store.remove(&sidecar).await;
        }
        if let Err(error) = self.store.clear(&self.key).await {
            tracing::warn!(key = %self.key, %error, "a failed upload left a temporary file behind");
        }
    }
}
