//! Reading an artifact back: no byte is passed on before its block has been checked.
//!
//! The root in the `completed` event vouches for the sidecar, the sidecar for each stored MiB. A range fetches the blocks it touches, checks
//! them, and passes on its part. For clients that don't take the stored coding the blocks are decoded as they come; the last piece of the document is held
//! back until the whole has matched its own digest. On damage a stream ends with an error, which ends the HTTP body before its announced length:
//! a damaged file never looks like a complete download.
//!
//! A file counts as missing only where its storage still bears the log's mark: in one that is away (a volume that isn't mounted, another
//! bucket) nothing is there either, and nothing is said about the file.

mod document;
mod outcome;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carnet_events::ids::Digest;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use secrecy::SecretString;

use super::blocks::{BLOCK_BYTES, MAX_BLOCKS, Sidecar};
use super::storage::blocking;
use super::{ArtifactKey, ArtifactStore, Compression, StorageError};
use outcome::Watched;

pub use outcome::{End, Ended, OnEnd};

/// Blocks of one download that may be under way at once.
const AHEAD: usize = 2;

/// A published artifact, as the `completed` event describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The object.
    pub key: ArtifactKey,
    /// Size of the stored file.
    pub stored_bytes: u64,
    /// SHA-256 of the stored file.
    pub stored_sha256: Digest,
    /// Root of its block digests.
    pub blocks_root: Digest,
    /// Size of the JSON document.
    pub json_bytes: u64,
    /// SHA-256 of the JSON document.
    pub json_sha256: Digest,
}

impl Published {
    /// What is wrapped around the document.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.key.compression()
    }
}

/// What of a stored artifact is not as published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The object is gone.
    #[error("the stored file is missing")]
    Missing,
    /// The object has another size.
    #[error("the stored file has another size than was published")]
    Size,
    /// The block digests are gone or not those of the published root.
    #[error("the block digests of the stored file are missing or changed")]
    Sidecar,
    /// A block has other bytes.
    #[error("block {0} of the stored file was changed")]
    Block(u64),
    /// The blocks are as published, but the document in them isn't.
    #[error("the stored file doesn't decode to the published document")]
    Document,
}

impl Damage {
    /// Index of the first damaged block; `None` when the damage isn't in a block.
    #[must_use]
    pub const fn block(self) -> Option<u64> {
        match self {
            Self::Block(block) => Some(block),
            Self::Missing | Self::Size | Self::Sidecar | Self::Document => None,
        }
    }
}

/// Why an artifact can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is not what was published.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The storage failed; it may well be whole.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ReadError {
    /// What a failure of the storage says of the file: `damage`, when an object is missing in the storage that it was put in.
    async fn of(store: &ArtifactStore, error: StorageError, damage: Damage) -> Self {
        match error {
            StorageError::Missing { .. } => match store.bears_mark().await {
                Ok(()) => damage.into(),
                Err(away) => away.into(),
            },
            other => other.into(),
        }
    }

    /// Which of two places' answers counts. As long as one can't say, the file may be whole there; one that has something has more to say
    /// than one that has nothing.
    fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Storage(_), _) => self,
            (_, Self::Storage(_)) | (Self::Damaged(Damage::Missing), _) => other,
            (Self::Damaged(_), Self::Damaged(_)) => self,
        }
    }
}

/// The bytes of a download: bounded pieces, each checked.
pub type ByteStream = BoxStream<'static, Result<Bytes, ReadError>>;

/// An artifact whose sidecar has been checked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ArtifactReader {
    store: ArtifactStore,
    published: Arc<Published>,
    sidecar: Sidecar,
    /// The block that was read to begin with, so that it isn't read twice.
    begun: Option<(u64, Bytes)>,
}

impl ArtifactReader {
    /// Opens a published artifact in the first of the places where it is whole: checks that it is there, its size, and its block digests against
    /// their root.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when one of them is not as published in any place; [`ReadError::Storage`] when a place can't say.
    pub async fn open(places: &[ArtifactStore], published: Published) -> Result<Self, ReadError> {
        let published = Arc::new(published);
        let mut found = ReadError::from(Damage::Missing);
        for store in places {
            match Self::open_in(store, &published).await {
                Ok(reader) => return Ok(reader),
                Err(error) => found = found.or(error),
            }
        }
        Err(found)
    }

    async fn open_in(store: &ArtifactStore, published: &Arc<Published>) -> Result<Self, ReadError> {
        match store.size(published.key.as_str()).await {
            Ok(bytes) if bytes == published.stored_bytes => {}
            Ok(_) => return Err(Damage::Size.into()),
            Err(error) => return Err(ReadError::of(store, error, Damage::Missing).await),
        }
        let sidecar = load_sidecar(store, published).await?;
        Ok(Self {
            store: store.clone(),
            published: Arc::clone(published),
            sidecar,
            begun: None,
        })
    }

    /// Reads and checks the block of the stored file that holds the byte `at`, with which a download begins: what is damaged there is known before
    /// anything was promised.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub async fn begin(&mut self, at: u64) -> Result<(), ReadError> {
        if at < self.published.stored_bytes {
            self.begun = Some(self.clone().block(at / BLOCK_BYTES as u64).await?);
        }
        Ok(())
    }

    /// Checks one stored block; one beyond the file's end is as good as whole.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when it isn't as published; [`ReadError::Storage`] when the storage can't say.
    pub async fn check(&self, block: u64) -> Result<(), ReadError> {
        if block >= self.published.stored_bytes.div_ceil(BLOCK_BYTES as u64) {
            return Ok(());
        }
        self.clone().block(block).await.map(drop)
    }

    /// Reads and decodes all of the file, and checks the document in it, in bounded memory: as much work as a download of it.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub async fn check_document(&self) -> Result<(), ReadError> {
        let stored = self.stored_range(0..self.published.stored_bytes);
        let mut document = document::decoded(stored, &self.published);
        while document.try_next().await?.is_some() {}
        Ok(())
    }

    /// An address of the stored file in its bucket; see [`ArtifactStore::presign`].
    ///
    /// # Errors
    /// When there are no credentials to sign with.
    pub async fn presign(
        &self,
        valid: Duration,
        answer: &[(&'static str, String)],
    ) -> Result<Option<SecretString>, StorageError> {
        self.store.presign(&self.published.key, valid, answer).await
    }

    /// What was published.
    #[must_use]
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// The stored file, or a range of it (which is cut to the file's size). `on_end` hears once how it ended, dropped early or not.
    #[must_use]
    pub fn stored(&self, range: Range<u64>, on_end: OnEnd) -> ByteStream {
        Watched::wrap(self.stored_range(range), on_end)
    }

    /// The JSON document, decoded. `on_end` as for [`Self::stored`].
    #[must_use]
    pub fn json(&self, on_end: OnEnd) -> ByteStream {
        let stored = self.stored_range(0..self.published.stored_bytes);
        Watched::wrap(document::decoded(stored, &self.published), on_end)
    }

    fn stored_range(&self, range: Range<u64>) -> ByteStream {
        let end = range.end.min(self.published.stored_bytes);
        let start = range.start.min(end);
        if start == end {
            return stream::empty().boxed();
        }
        const BLOCK: u64 = BLOCK_BYTES as u64;
        let reader = self.clone();
        stream::iter(start / BLOCK..end.div_ceil(BLOCK))
            .map(move |block| reader.clone().block(block))
            .buffered(AHEAD)
            .map_ok(move |(block, bytes)| {
                let first = block * BLOCK;
                // Both lie within the block, so they fit.
                let from = start.saturating_sub(first) as usize;
                let to = (end - first).min(bytes.len() as u64) as usize;
                bytes.slice(from..to)
            })
            .boxed()
    }

    /// One whole block, checked.
    async fn block(self, block: u64) -> Result<(u64, Bytes), ReadError> {
        if let Some(begun) = self.begun.filter(|(begun, _)| *begun == block) {
            return Ok(begun);
        }
        let first = block * BLOCK_BYTES as u64;
        let last = self.published.stored_bytes.min(first + BLOCK_BYTES as u64);
        let bytes = match self
            .store
            .range(self.published.key.as_str(), first..last)
            .await
        {
            Ok(bytes) => bytes,
            // It was long enough when it was opened. One that was cut since reads short or not at all.
            Err(error) => {
                return Err(match self.store.size(self.published.key.as_str()).await {
                    Ok(size) if size != self.published.stored_bytes => Damage::Size.into(),
                    Ok(_) => error.into(),
                    Err(gone) => ReadError::of(&self.store, gone, Damage::Missing).await,
                });
            }
        };
        let Self { sidecar, .. } = self;
        let (bytes, whole) = blocking(move || {
            let whole = sidecar.vouches_for(block, &bytes);
            Ok((bytes, whole))
        })
        .await?;
        if whole {
            Ok((block, bytes))
        } else {
            Err(Damage::Block(block).into())
        }
    }
}

async fn load_sidecar(store: &ArtifactStore, published: &Published) -> Result<Sidecar, ReadError> {
    if published.stored_bytes <= BLOCK_BYTES as u64 {
        let sidecar = Sidecar::of_single_block(published.stored_bytes, published.stored_sha256);
        return if sidecar.root() == published.blocks_root {
            Ok(sidecar)
        } else {
            Err(Damage::Sidecar.into())
        };
    }
    let object = published.key.sidecar();
    let bytes = match store.size(&object).await {
        Ok(bytes) => bytes,
        Err(error) => return Err(ReadError::of(store, error, Damage::Sidecar).await),
    };
    if bytes > (MAX_BLOCKS as u64 + 1) * 32 {
        return Err(Damage::Sidecar.into());
    }
    let sidecar = match store.range(&object, 0..bytes).await {
        Ok(sidecar) => sidecar,
        Err(error) => return Err(ReadError::of(store, error, Damage::Sidecar).await),
    };
    Sidecar::parse(&sidecar, &published.blocks_root, published.stored_bytes)
        .ok_or(Damage::Sidecar.into())
}

#[cfg(test)]
mod tests;
