//! SHA-256 per stored MiB: what lets a range of a file be checked without reading the rest.
//!
//! The digests are kept in a *sidecar*. Its form, version 1, all numbers unsigned and big-endian:
//!
//! ```text
//! offset  bytes  what
//!      0     16  "carnet-blocks-1\n"
//!     16      8  block size: 1,048,576
//!     24      8  size of the stored file
//!     32   32·n  SHA-256 of each block in order, n = ceil(size / block size); the last block may be short
//! ```
//!
//! The sidecar's *root* is the SHA-256 of these bytes. It stands in the `completed` event, so whoever trusts the event log can trust
//! a sidecar from anywhere. A file of one block has no sidecar object: its one digest is that of the file, and the sidecar follows from it.

use aws_lc_rs::digest::{Context, SHA256, digest};
use bytes::Bytes;
use carnet_events::ids::Digest;

use super::ArtifactError;

/// Size of a block of the stored file.
pub const BLOCK_BYTES: usize = 1024 * 1024;

/// The most blocks a stored file may have: 1 TiB. Bounds a sidecar, and so what a reader must hold, to 32 MiB.
pub const MAX_BLOCKS: usize = 1024 * 1024;

const MAGIC: &[u8; 16] = b"carnet-blocks-1\n";
const HEADER_BYTES: usize = 32;
const DIGEST_BYTES: usize = 32;

/// The digest that a finished context came to.
pub(crate) fn finished(context: Context) -> Digest {
    let mut bytes = [0; DIGEST_BYTES];
    bytes.copy_from_slice(context.finish().as_ref());
    Digest::from_bytes(bytes)
}

/// Hashes a stored file as it is written: as a whole and block by block.
pub struct BlockHasher {
    whole: Context,
    block: Context,
    in_block: usize,
    digests: Vec<u8>,
    bytes: u64,
}

/// What hashing a stored file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Its block digests.
    pub sidecar: Sidecar,
}

impl Default for BlockHasher {
    fn default() -> Self {
        Self {
            whole: Context::new(&SHA256),
            block: Context::new(&SHA256),
            in_block: 0,
            digests: Vec::new(),
            bytes: 0,
        }
    }
}

impl BlockHasher {
    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`] when the file has more than [`MAX_BLOCKS`] blocks.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<(), ArtifactError> {
        self.whole.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_BLOCKS as u64 * BLOCK_BYTES as u64 {
            return Err(ArtifactError::TooLarge {
                max_bytes: MAX_BLOCKS as u64 * BLOCK_BYTES as u64,
            });
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.in_block));
            self.block.update(now);
            self.in_block += now.len();
            bytes = later;
            if self.in_block == BLOCK_BYTES {
                self.end_block();
            }
        }
        Ok(())
    }

    fn end_block(&mut self) {
        let block = std::mem::replace(&mut self.block, Context::new(&SHA256));
        self.digests.extend_from_slice(block.finish().as_ref());
        self.in_block = 0;
    }

    /// The digests of all that was taken.
    #[must_use]
    pub fn finish(mut self) -> Hashed {
        if self.in_block > 0 {
            self.end_block();
        }
        Hashed {
            bytes: self.bytes,
            sha256: finished(self.whole),
            sidecar: Sidecar {
                bytes: self.bytes,
                digests: self.digests.into(),
            },
        }
    }
}

/// The block digests of one stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    bytes: u64,
    digests: Bytes,
}

impl Sidecar {
    /// The sidecar of a file of one block (or none), which follows from the file's own digest.
    #[must_use]
    pub fn of_single_block(bytes: u64, sha256: Digest) -> Self {
        let digests = if bytes == 0 {
            Bytes::new()
        } else {
            Bytes::copy_from_slice(sha256.as_bytes())
        };
        Self { bytes, digests }
    }

    /// Reads a sidecar, if it is the one with this root and of a file of this size.
    #[must_use]
    pub fn parse(sidecar: &Bytes, root: &Digest, stored_bytes: u64) -> Option<Self> {
        if sidecar.len() < HEADER_BYTES
            || Digest::of(sidecar) != *root
            || !sidecar.starts_with(MAGIC)
        {
            return None;
        }
        let number = |at: usize| {
            sidecar
                .get(at..at + 8)?
                .try_into()
                .ok()
                .map(u64::from_be_bytes)
        };
        let read = Self {
            bytes: number(24)?,
            digests: sidecar.slice(HEADER_BYTES..),
        };
        let whole = number(16)? == BLOCK_BYTES as u64
            && read.bytes == stored_bytes
            && read.digests.len() as u64 == read.blocks() * DIGEST_BYTES as u64;
        whole.then_some(read)
    }

    /// The bytes that are stored.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.digests.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(BLOCK_BYTES as u64).to_be_bytes());
        bytes.extend_from_slice(&self.bytes.to_be_bytes());
        bytes.extend_from_slice(&self.digests);
        bytes.into()
    }

    /// The digest that vouches for all the others.
    #[must_use]
    pub fn root(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// How many blocks the file has.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.bytes.div_ceil(BLOCK_BYTES as u64)
    }

    /// Whether these are the bytes of that block, all of them.
    #[must_use]
    pub fn vouches_for(&self, block: u64, bytes: &[u8]) -> bool {
        let expected = usize::try_from(block)
            .ok()
            .and_then(|block| self.digests.chunks_exact(DIGEST_BYTES).nth(block));
        expected.is_some_and(|expected| digest(&SHA256, bytes).as_ref() == expected)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn hashed(data: &[u8], step: usize) -> Hashed {
        let mut hasher = BlockHasher::default();
        for chunk in data.chunks(step) {
            hasher.update(chunk).unwrap();
        }
        hasher.finish()
    }

    #[test]
    fn a_sidecar_reads_back_under_its_root_only() {
        let data = vec![7; 2 * BLOCK_BYTES + 3];
        let hashed = hashed(&data, 700_001);
        assert_eq!(
            (hashed.bytes, hashed.sha256, hashed.sidecar.blocks()),
            (data.len() as u64, Digest::of(&data), 3)
        );
        let (bytes, root) = (hashed.sidecar.to_bytes(), hashed.sidecar.root());
        assert_eq!(
            Sidecar::parse(&bytes, &root, hashed.bytes),
            Some(hashed.sidecar.clone())
        );
        assert_eq!(Sidecar::parse(&bytes, &root, hashed.bytes + 1), None);
        assert_eq!(
            Sidecar::parse(&bytes.slice(..bytes.len() - 1), &root, hashed.bytes),
            None
        );
        assert!(
            hashed.sidecar.vouches_for(2, &data[..3])
                && hashed.sidecar.vouches_for(1, &data[..BLOCK_BYTES])
        );
        assert!(!hashed.sidecar.vouches_for(2, &data[..4]) && !hashed.sidecar.vouches_for(3, &[]));
    }

    #[test]
    fn one_block_needs_no_sidecar() {
        for data in [&b""[..], b"x", &vec![1; BLOCK_BYTES]] {
            let hashed = hashed(data, 1 << 20);
            assert_eq!(
                hashed.sidecar,
                Sidecar::of_single_block(hashed.bytes, hashed.sha256)
            );
        }
    }

    #[test]
    fn chunking_is_not_seen() {
        let data: Vec<u8> = (0..BLOCK_BYTES as u32 + 10).map(|n| n as u8).collect();
        assert_eq!(hashed(&data, 1 << 30), hashed(&data, 4093));
    }
}
