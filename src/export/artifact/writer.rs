//! Writes the document front to back: `{"data":{"<category>":[<row>,…],…},"manifest":{…}}`.
//!
//! What is handed in must be canonical already; the writer keeps the frame, the order and the counts right. The document is hashed as it
//! is written, once: the checksum (manifest's field blanked) and the document's own digest part only at the manifest.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use aws_lc_rs::digest::Context;
use bytes::Bytes;
use carnet_events::ids::Digest;

use super::blocks::finished;
use super::chunk::Chunk;
use super::manifest::JcsKey;
use super::pipeline::Pipeline;
use super::{ArtifactError, Compression, Manifest, StorageError};

/// Where the stored bytes go. Runs on a blocking thread and may block: that is the back-pressure.
///
/// Dropping a sink without [`commit`](BlockSink::commit) discards everything written to it.
pub trait BlockSink: Send {
    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// When storing failed or was cancelled; nothing of the file is then left.
    fn write(&mut self, bytes: Bytes) -> Result<(), StorageError>;

    /// Ends the file and makes it durable and visible, whole, under its key; the sidecar, if there is one, beside it.
    ///
    /// # Errors
    /// As for [`write`](BlockSink::write).
    fn commit(self: Box<Self>, sidecar: Option<Bytes>) -> Result<(), StorageError>;
}

/// How an artifact is to be written.
#[derive(Debug, Clone, Copy)]
pub struct ArtifactSpec {
    /// What is wrapped around the document.
    pub compression: Compression,
    /// Threads that may compress. Beside them and the one that writes there are two more: one hashes, one stores.
    pub threads: NonZeroUsize,
}

/// What writing came to: the numbers that the `completed` event carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Size of the JSON document.
    pub json_bytes: u64,
    /// SHA-256 of the JSON document.
    pub json_sha256: Digest,
    /// SHA-256 of the document with the manifest's `checksum` blanked: the value that stands there.
    pub checksum: Digest,
    /// Size of the stored file.
    pub stored_bytes: u64,
    /// SHA-256 of the stored file.
    pub stored_sha256: Digest,
    /// Root of the stored file's block digests.
    pub blocks_root: Digest,
    /// Rows per category.
    pub rows: BTreeMap<JcsKey, u64>,
}

/// Writes one artifact. Synchronous; for a blocking thread.
///
/// Dropping it early discards what was written and ends its threads.
pub struct ArtifactWriter {
    chunk: Chunk,
    /// Memory for the next chunk.
    spare: Vec<u8>,
    /// What of the document before a chunk goes with it.
    window: usize,
    pipeline: Pipeline,
    json_bytes: u64,
    rows: BTreeMap<JcsKey, u64>,
    /// The open category and its rows so far.
    open: Option<(JcsKey, u64)>,
}

impl ArtifactWriter {
    /// Begins the document.
    ///
    /// # Errors
    /// What the sink fails with.
    pub fn begin(spec: ArtifactSpec, sink: Box<dyn BlockSink>) -> Result<Self, ArtifactError> {
        let mut writer = Self {
            chunk: Chunk::default(),
            spare: Vec::new(),
            window: spec.compression.window(),
            pipeline: Pipeline::new(spec, sink),
            json_bytes: 0,
            rows: BTreeMap::new(),
            open: None,
        };
        writer.put(b"{\"data\":{")?;
        Ok(writer)
    }

    /// Begins a category. Ids must come in JCS order.
    ///
    /// # Errors
    /// [`ArtifactError::Order`] when one is open, or this id doesn't sort after the last; else as for [`Self::row`].
    pub fn begin_category(&mut self, id: &str) -> Result<(), ArtifactError> {
        let key = JcsKey::from(id);
        if self.open.is_some() {
            return Err(ArtifactError::Order {
                what: "a category begins inside another",
            });
        }
        if self
            .rows
            .last_key_value()
            .is_some_and(|(last, _)| *last >= key)
        {
            return Err(ArtifactError::Order {
                what: "categories don't come in JCS order",
            });
        }
        let name = serde_json::to_vec(id).map_err(|_| ArtifactError::Order {
            what: "a category's id can't be written",
        })?;
        let comma: &[u8] = if self.rows.is_empty() { b"" } else { b"," };
        self.put(&[comma, &name, b":["].concat())?;
        self.open = Some((key, 0));
        Ok(())
    }

    /// Writes one row: a canonical JSON object.
    ///
    /// # Errors
    /// [`ArtifactError::Order`] outside a category; whatever compressing or storing fails with.
    pub fn row(&mut self, canonical: &[u8]) -> Result<(), ArtifactError> {
        self.rows(canonical, 1)
    }

    /// Writes several rows at once: canonical JSON objects, joined by commas, and how many they are.
    ///
    /// # Errors
    /// As for [`Self::row`].
    pub fn rows(&mut self, joined: &[u8], count: u64) -> Result<(), ArtifactError> {
        let Some((_, rows)) = &mut self.open else {
            return Err(ArtifactError::Order {
                what: "a row outside a category",
            });
        };
        if count == 0 {
            return Ok(());
        }
        let first = *rows == 0;
        *rows += count;
        if !first {
            self.put(b",")?;
        }
        self.put(joined)
    }

    /// Ends the open category.
    ///
    /// # Errors
    /// [`ArtifactError::Order`] when none is open; else as for [`Self::row`].
    pub fn end_category(&mut self) -> Result<(), ArtifactError> {
        let Some((key, rows)) = self.open.take() else {
            return Err(ArtifactError::Order {
                what: "a category ends that never began",
            });
        };
        self.rows.insert(key, rows);
        self.put(b"]")
    }

    /// Bytes of JSON written so far.
    #[must_use]
    pub fn json_bytes(&self) -> u64 {
        self.json_bytes
    }

    /// Writes the manifest (whose `checksum` is filled in here), ends the file and waits until it is durable.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] when its categories or rows are not those written; else as for [`Self::row`].
    pub fn finish(mut self, manifest: Manifest) -> Result<Finished, ArtifactError> {
        if self.open.is_some() {
            return Err(ArtifactError::Order {
                what: "the document ends inside a category",
            });
        }
        if !manifest
            .categories
            .iter()
            .map(|(key, category)| (key, &category.rows))
            .eq(&self.rows)
        {
            return Err(ArtifactError::Manifest {
                what: "categories and rows",
            });
        }
        self.put(b"},\"manifest\":")?;
        let mut hash = self.pipeline.hash()?;
        hash.update(self.chunk.data());
        let checksum = closed(hash.clone(), &canonical(&manifest.blanked())?);
        let written = canonical(&Manifest {
            checksum: Some(checksum),
            ..manifest
        })?;
        self.put(&written)?;
        self.put(b"}")?;
        let stored = self.pipeline.finish(self.chunk)?;
        Ok(Finished {
            json_bytes: self.json_bytes,
            json_sha256: closed(hash, &written),
            checksum,
            stored_bytes: stored.bytes,
            stored_sha256: stored.sha256,
            blocks_root: stored.sidecar.root(),
            rows: self.rows,
        })
    }

    /// Appends to the document; hands full chunks on.
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), ArtifactError> {
        self.json_bytes += bytes.len() as u64;
        while bytes.len() > self.chunk.room() {
            let (now, later) = bytes.split_at(self.chunk.room());
            self.chunk.append(now);
            let full = self.chunk.cut(std::mem::take(&mut self.spare), self.window);
            self.spare = self.pipeline.push(full)?;
            bytes = later;
        }
        self.chunk.append(bytes);
        Ok(())
    }
}

/// The digest of the document that ends with this manifest.
fn closed(mut before: Context, manifest: &[u8]) -> Digest {
    before.update(manifest);
    before.update(b"}");
    finished(before)
}

fn canonical(manifest: &Manifest) -> Result<Vec<u8>, ArtifactError> {
    manifest
        .to_canonical()
        .map_err(|_| ArtifactError::Manifest {
            what: "it can't be written",
        })
}

#[cfg(test)]
#[path = "writer_tests.rs"]
pub(crate) mod tests;
