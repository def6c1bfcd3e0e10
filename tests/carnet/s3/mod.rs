//! Artifacts in buckets: the storage by itself against a real S3 server, then the whole service on it.

mod faults;
mod reached;
mod service;
mod store;

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use carnet::export::artifact::storage::{Decision, Judge};
use carnet::export::artifact::{
    ArtifactKey, ArtifactStore, BlockSink, Compression, Location, StorageError,
};
use carnet_events::ids::{ExportId, TenantId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const MIB: usize = 1024 * 1024;

async fn open(location: Location) -> ArtifactStore {
    ArtifactStore::open(location, "log-1").await.unwrap()
}

fn key(export: u128, attempt: u32) -> ArtifactKey {
    key_of("acme", export, attempt)
}

fn key_of(tenant: &str, export: u128, attempt: u32) -> ArtifactKey {
    let tenant = TenantId::new(tenant).unwrap();
    let export = ExportId::from_uuid(Uuid::from_u128(export));
    let claim = Uuid::from_u128(u128::from(attempt));
    ArtifactKey::new(&tenant, export, attempt, claim, Compression::None)
}

/// Bytes that differ from place to place.
fn data(length: usize) -> Vec<u8> {
    let words = (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(length).collect()
}

/// Writes `data` in pieces, and commits.
async fn put(
    store: &ArtifactStore,
    key: &ArtifactKey,
    data: &[u8],
    sidecar: Option<&'static [u8]>,
) -> Result<(), StorageError> {
    let mut sink = store.upload(key, CancellationToken::new());
    let pieces: Vec<_> = data.chunks(300_000).map(Bytes::copy_from_slice).collect();
    let written = tokio::task::spawn_blocking(move || {
        for piece in pieces {
            sink.write(piece)?;
        }
        Box::new(sink).commit(sidecar.map(Bytes::from_static))
    });
    written.await.unwrap()
}

/// Knows exports 1 to 9: the first attempts are superseded, the others kept.
struct Book;

#[async_trait]
impl Judge for Book {
    async fn judge(&mut self, key: &ArtifactKey) -> Decision {
        match (key.export().as_uuid().as_u128(), key.attempt()) {
            (1..=9, 1) => Decision::Remove,
            (1..=9, _) => Decision::Keep,
            _ => Decision::Unknown,
        }
    }
}

fn in_days(days: u64) -> SystemTime {
    SystemTime::now() + std::time::Duration::from_secs(days * 86_400)
}
