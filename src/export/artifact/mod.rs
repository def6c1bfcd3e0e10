//! The artifact: one canonical JSON document, hashed, compressed, stored, read back and checked.
//!
//! | part | what it does |
//! |---|---|
//! | [`writer`] | frames the document, hashes it, appends the manifest |
//! | [`manifest`] | the document's last member |
//! | `pipeline` | hashes, compresses and stores the document chunk by chunk, each on threads of its own |
//! | [`compress`] | gzip, zstd or nothing, the same bytes whatever the number of threads |
//! | [`deflate`] | the deflate coder behind gzip |
//! | [`blocks`] | SHA-256 per stored MiB, and the root that stands in the `completed` event |
//! | [`storage`] | objects: create, delete, sweep, probe |
//! | [`read`] | reading back, every block checked before it is passed on |
//!
//! Writing is synchronous and runs on a blocking thread; storing is asynchronous; a bounded channel joins them.
//! Nothing here holds more than a few blocks, whatever the size of the export.

pub mod blocks;
mod chunk;
pub mod compress;
mod compression;
pub(crate) mod decode;
pub mod deflate;
mod error;
pub mod manifest;
mod pipeline;
pub mod read;
pub mod storage;
pub mod writer;

pub use compression::Compression;
pub use error::{ArtifactError, StorageError};
pub use manifest::{CategoryManifest, Manifest};
pub use read::{ArtifactReader, ReadError};
pub use storage::{
    ArtifactKey, ArtifactStore, Location, Owner, S3Access, S3Credentials, bucket_of,
};
pub use writer::{ArtifactSpec, ArtifactWriter, BlockSink, Finished};
