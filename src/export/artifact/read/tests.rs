#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::sync::Mutex;

use carnet_events::ids::{Digest, ExportId, TenantId};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::export::artifact::BlockSink;
use crate::export::artifact::blocks::BlockHasher;
use crate::export::artifact::writer::tests::write;

const ALL: [Compression; 3] = [Compression::Gzip, Compression::Zstd, Compression::None];

struct Fixture {
    directory: TempDir,
    store: ArtifactStore,
    published: Published,
    stored: Vec<u8>,
}

impl Fixture {
    /// A published artifact of `rows` rows; 60,000 make several stored blocks even when compressed.
    async fn new(compression: Compression, rows: u64) -> Self {
        let directory = TempDir::new().unwrap();
        let store = ArtifactStore::open(&format!("file:{}", directory.path().display()), "log")
            .await
            .unwrap();
        let (stored, finished) = write(compression, 2, rows);
        let export = ExportId::from_uuid(Uuid::from_u128(7));
        let key = ArtifactKey::new(
            &TenantId::new("a b").unwrap(),
            export,
            1,
            Uuid::from_u128(9),
            compression,
        );
        let mut hasher = BlockHasher::default();
        hasher.update(&stored).unwrap();
        let sidecar = hasher.finish().sidecar;
        assert_eq!(sidecar.root(), finished.blocks_root);
        let sidecar = (sidecar.blocks() > 1).then(|| sidecar.to_bytes());
        let mut sink = store.upload(&key, CancellationToken::new());
        let bytes = Bytes::from(stored.clone());
        tokio::task::spawn_blocking(move || {
            sink.write(bytes)
                .and_then(|()| Box::new(sink).commit(sidecar))
        })
        .await
        .unwrap()
        .unwrap();
        let published = Published {
            key,
            stored_bytes: finished.stored_bytes,
            stored_sha256: finished.stored_sha256,
            blocks_root: finished.blocks_root,
            json_bytes: finished.json_bytes,
            json_sha256: finished.json_sha256,
        };
        Self {
            directory,
            store,
            published,
            stored,
        }
    }

    async fn reader(&self) -> Result<ArtifactReader, ReadError> {
        ArtifactReader::open(std::slice::from_ref(&self.store), self.published.clone()).await
    }

    fn file(&self) -> std::path::PathBuf {
        self.directory.path().join(self.published.key.as_str())
    }

    /// Flips a bit of the stored file.
    fn flip(&self, at: usize) {
        let mut bytes = self.stored.clone();
        bytes[at] ^= 4;
        fs::write(self.file(), bytes).unwrap();
    }
}

/// What a client gets, how it ends, and what is reported.
async fn download(
    open: impl FnOnce(OnEnd) -> ByteStream,
) -> (Vec<u8>, Result<(), ReadError>, Ended) {
    let ended = Arc::new(Mutex::new(None));
    let report = ended.clone();
    let mut stream = open(Box::new(move |end| {
        assert!(report.lock().unwrap().replace(end).is_none())
    }));
    let mut bytes = Vec::new();
    let result = loop {
        match stream.next().await {
            Some(Ok(piece)) => bytes.extend_from_slice(&piece),
            Some(Err(error)) => break Err(error),
            None => break Ok(()),
        }
    };
    assert!(stream.next().await.is_none(), "nothing comes after the end");
    drop(stream);
    let ended = ended.lock().unwrap().take().unwrap();
    assert_eq!(ended.bytes, bytes.len() as u64);
    (bytes, result, ended)
}

#[tokio::test]
async fn a_download_is_the_stored_file_or_its_document() {
    for compression in ALL {
        for rows in [0, 60_000] {
            let it = Fixture::new(compression, rows).await;
            let reader = it.reader().await.unwrap();
            let (stored, result, ended) =
                download(|on_end| reader.stored(0..u64::MAX, on_end)).await;
            assert_eq!((result, ended.end), (Ok(()), End::Complete));
            assert!(stored == it.stored);

            let (document, result, ended) = download(|on_end| reader.json(on_end)).await;
            assert_eq!((result, ended.end), (Ok(()), End::Complete));
            assert_eq!(document.len() as u64, it.published.json_bytes);
            assert_eq!(Digest::of(&document), it.published.json_sha256);
        }
    }
}

#[tokio::test]
async fn ranges_are_slices() {
    let it = Fixture::new(Compression::None, 60_000).await;
    let reader = it.reader().await.unwrap();
    let size = it.stored.len();
    assert!(size > 3 * BLOCK_BYTES);
    let edges = [
        0,
        1,
        BLOCK_BYTES - 1,
        BLOCK_BYTES,
        BLOCK_BYTES + 1,
        2 * BLOCK_BYTES,
        size - 1,
        size,
        size + 10,
    ];
    for from in edges {
        for to in edges {
            let (bytes, result, ended) =
                download(|on_end| reader.stored(from as u64..to as u64, on_end)).await;
            let expected = it
                .stored
                .get(from.min(size)..to.min(size))
                .unwrap_or_default();
            assert!(bytes == expected, "{from}..{to}");
            assert_eq!((result, ended.end), (Ok(()), End::Complete));
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_never_reaches_a_client_as_a_complete_download_or_range() {
    for compression in ALL {
        let it = Fixture::new(compression, 60_000).await;
        let size = it.stored.len();
        for at in [0, 9, BLOCK_BYTES - 1, BLOCK_BYTES, size - 1] {
            it.flip(at);
            let block = (at / BLOCK_BYTES) as u64;
            let damage = Damage::Block(block);
            let reader = it.reader().await.unwrap();
            let (bytes, result, ended) =
                download(|on_end| reader.stored(0..size as u64, on_end)).await;
            assert_eq!(
                (result, ended.end),
                (Err(damage.into()), End::Damaged(damage))
            );
            assert!(
                bytes == it.stored[..block as usize * BLOCK_BYTES],
                "nothing of the damaged block is passed on"
            );

            let (bytes, result, _) =
                download(|on_end| reader.stored(at as u64..at as u64 + 1, on_end)).await;
            assert_eq!((bytes.len(), result), (0, Err(damage.into())));
            let (bytes, result, ended) = download(|on_end| reader.json(on_end)).await;
            assert_eq!(
                (result, ended.end),
                (Err(damage.into()), End::Damaged(damage))
            );
            assert!((bytes.len() as u64) < it.published.json_bytes);

            // Other blocks are as good as ever.
            let other = if block == 0 { BLOCK_BYTES } else { 0 };
            let (bytes, result, _) =
                download(|on_end| reader.stored(other as u64..other as u64 + 5, on_end)).await;
            assert_eq!((&bytes[..], result), (&it.stored[other..other + 5], Ok(())));
        }
    }
}

#[tokio::test]
async fn a_file_that_is_cut_gone_or_of_another_root_is_damaged() {
    let it = Fixture::new(Compression::Gzip, 60_000).await;
    let reader = it.reader().await.unwrap();
    let damaged = |result: Result<ArtifactReader, ReadError>| match result {
        Err(ReadError::Damaged(damage)) => damage,
        other => unreachable!("{other:?}"),
    };

    fs::write(it.file(), &it.stored[..it.stored.len() - 1]).unwrap();
    assert_eq!(damaged(it.reader().await), Damage::Size);
    let (_, result, _) = download(|on_end| reader.stored(0..u64::MAX, on_end)).await;
    assert_eq!(
        result,
        Err(Damage::Block(it.stored.len() as u64 / BLOCK_BYTES as u64).into()),
        "cut while it was open"
    );
    fs::write(it.file(), &it.stored[..10]).unwrap();
    let (_, result, _) =
        download(|on_end| reader.stored(BLOCK_BYTES as u64..u64::MAX, on_end)).await;
    assert_eq!(
        result,
        Err(Damage::Size.into()),
        "cut to nothing while it was open"
    );
    fs::remove_file(it.file()).unwrap();
    assert_eq!(damaged(it.reader().await), Damage::Missing);
    let (_, result, _) = download(|on_end| reader.stored(0..10, on_end)).await;
    assert_eq!(
        result,
        Err(Damage::Missing.into()),
        "gone while it was open"
    );
    fs::write(it.file(), &it.stored).unwrap();

    let sidecar = it.directory.path().join(it.published.key.sidecar());
    let mut bytes = fs::read(&sidecar).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&sidecar, &bytes).unwrap();
    assert_eq!(damaged(it.reader().await), Damage::Sidecar);
    fs::remove_file(&sidecar).unwrap();
    assert_eq!(damaged(it.reader().await), Damage::Sidecar);

    let mut small = Fixture::new(Compression::Gzip, 0).await;
    assert!(small.reader().await.is_ok());
    small.published.blocks_root = Digest::from_bytes([0; 32]);
    assert_eq!(damaged(small.reader().await), Damage::Sidecar);
}

#[tokio::test]
async fn a_storage_that_is_away_says_nothing_about_the_file() {
    let it = Fixture::new(Compression::Gzip, 60_000).await;
    let reader = it.reader().await.unwrap();
    let away = it.directory.path().with_extension("away");
    fs::rename(it.directory.path(), &away).unwrap();
    let unmarked = StorageError::Unmarked {
        marker: crate::export::artifact::storage::MARKER,
    };
    for mounted in [false, true] {
        assert_eq!(it.reader().await.unwrap_err(), unmarked.clone().into());
        let (_, result, ended) = download(|on_end| reader.stored(0..10, on_end)).await;
        assert_eq!(result, Err(unmarked.clone().into()));
        assert!(matches!(ended.end, End::Failed(_)), "{ended:?}");
        if !mounted {
            fs::create_dir(it.directory.path()).unwrap();
        }
    }
    fs::remove_dir(it.directory.path()).unwrap();
    fs::rename(&away, it.directory.path()).unwrap();
    assert!(it.reader().await.is_ok());
}

#[tokio::test]
async fn a_file_is_read_wherever_it_is_whole_and_missing_only_when_every_place_says_so() {
    let it = Fixture::new(Compression::Gzip, 60_000).await;
    let other = Fixture::new(Compression::Gzip, 0).await;
    let places = [other.store.clone(), it.store.clone()];
    let open = || ArtifactReader::open(&places, it.published.clone());
    let reader = open().await.unwrap();
    let (bytes, result, _) = download(|on_end| reader.stored(0..u64::MAX, on_end)).await;
    assert!(bytes == it.stored && result.is_ok());

    // A copy that was broken off is no reason to refuse the whole one, nor is a place that is away.
    let copy = other.directory.path().join(it.published.key.as_str());
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::write(&copy, b"half").unwrap();
    assert!(open().await.is_ok());
    fs::remove_file(it.file()).unwrap();
    assert_eq!(open().await.unwrap_err(), Damage::Size.into());
    fs::remove_file(&copy).unwrap();
    assert_eq!(open().await.unwrap_err(), Damage::Missing.into());
    fs::remove_file(
        other
            .directory
            .path()
            .join(crate::export::artifact::storage::MARKER),
    )
    .unwrap();
    let told = open().await.unwrap_err();
    assert!(matches!(told, ReadError::Storage(_)), "{told:?}");
}

#[tokio::test]
async fn one_block_can_be_checked_by_itself() {
    let it = Fixture::new(Compression::None, 60_000).await;
    it.flip(BLOCK_BYTES + 7);
    let reader = it.reader().await.unwrap();
    assert_eq!(reader.check(0).await, Ok(()));
    assert_eq!(reader.check(1).await, Err(Damage::Block(1).into()));
    assert_eq!(
        reader.check(u64::MAX).await,
        Ok(()),
        "there is no such block"
    );
}

#[tokio::test]
async fn a_document_that_is_not_the_published_one_is_never_complete() {
    for compression in ALL {
        for rows in [0, 60_000] {
            let mut it = Fixture::new(compression, rows).await;
            it.published.json_sha256 = Digest::from_bytes([1; 32]);
            let reader = it.reader().await.unwrap();
            let (bytes, result, ended) = download(|on_end| reader.json(on_end)).await;
            assert_eq!(
                (result, ended.end),
                (Err(Damage::Document.into()), End::Damaged(Damage::Document))
            );
            assert!(
                (bytes.len() as u64) < it.published.json_bytes,
                "the last piece was held back"
            );
            // Every block is whole: only who looks at the document finds it.
            assert_eq!(reader.check(0).await, Ok(()));
            let looked = reader.check_document().await;
            assert_eq!(looked, Err(Damage::Document.into()));
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_away_is_reported() {
    let it = Fixture::new(Compression::None, 60_000).await;
    let reader = it.reader().await.unwrap();
    let (send, receive) = tokio::sync::oneshot::channel();
    let mut stream = reader.stored(
        0..u64::MAX,
        Box::new(move |ended| send.send(ended).unwrap()),
    );
    let first = stream.next().await.unwrap().unwrap();
    drop(stream);
    assert_eq!(
        receive.await.unwrap(),
        Ended {
            bytes: first.len() as u64,
            end: End::Abandoned
        }
    );
}
