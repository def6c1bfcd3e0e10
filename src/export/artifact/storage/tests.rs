#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path as FsPath;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use carnet_events::ids::{ExportId, TenantId};
use tempfile::TempDir;

use super::hung::Hung;
use super::upload::LOCAL_PART_BYTES;
use super::*;
use crate::export::artifact::{BlockSink, Compression};

const DAY: Duration = Duration::from_secs(86_400);

async fn store(directory: &TempDir) -> ArtifactStore {
    ArtifactStore::open(&url(directory.path()), "log-1")
        .await
        .unwrap()
}

fn url(path: &FsPath) -> String {
    format!("file:{}", path.join("artifacts").display())
}

fn key(tenant: &str, export: u128, attempt: u32) -> ArtifactKey {
    let tenant = TenantId::new(tenant).unwrap();
    ArtifactKey::new(
        &tenant,
        ExportId::from_uuid(Uuid::from_u128(export)),
        attempt,
        Uuid::from_u128(u128::from(attempt)),
        Compression::None,
    )
}

/// Writes `data` in pieces, and commits.
async fn put(
    store: &ArtifactStore,
    key: &ArtifactKey,
    data: &[u8],
    sidecar: Option<Bytes>,
) -> Result<(), StorageError> {
    let mut sink = store.upload(key, CancellationToken::new());
    let pieces: Vec<_> = data.chunks(100_000).map(Bytes::copy_from_slice).collect();
    tokio::task::spawn_blocking(move || {
        for piece in pieces {
            sink.write(piece)?;
        }
        Box::new(sink).commit(sidecar)
    })
    .await
    .unwrap()
}

/// Every file below the store, by its path.
fn files(directory: &TempDir) -> BTreeMap<String, u64> {
    fn walk(folder: &FsPath, root: &FsPath, found: &mut BTreeMap<String, u64>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                walk(&entry.path(), root, found);
            } else {
                found.insert(
                    entry
                        .path()
                        .strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                    entry.metadata().unwrap().len(),
                );
            }
        }
    }
    let root = directory.path().join("artifacts");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    found.remove(MARKER);
    found
}

#[tokio::test]
async fn objects_of_any_size_come_back_under_their_key_whatever_the_tenant() {
    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    for (n, tenant) in ["acme", "..", "a/b", "Österreich & Söhne", "%41"]
        .into_iter()
        .enumerate()
    {
        for (attempt, size) in [
            (1, 0),
            (2, 10),
            (3, LOCAL_PART_BYTES),
            (4, 3 * LOCAL_PART_BYTES + 5),
        ] {
            let key = key(tenant, n as u128, attempt);
            let data = vec![attempt as u8; size];
            put(&store, &key, &data, None).await.unwrap();
            assert_eq!(store.size(key.as_str()).await.unwrap(), size as u64);
            assert!(
                store
                    .range(key.as_str(), 0..size as u64)
                    .await
                    .unwrap_or_default()
                    == data
            );
            assert_eq!(
                files(&directory).get(key.as_str()),
                Some(&(size as u64)),
                "the object is the file of its key"
            );
        }
    }
    assert_eq!(files(&directory).len(), 20);
}

#[tokio::test]
async fn a_key_is_used_once() {
    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    for (attempt, size) in [(1, 10), (2, 2 * LOCAL_PART_BYTES)] {
        let key = key("acme", 1, attempt);
        put(&store, &key, &vec![1; size], None).await.unwrap();
        assert!(matches!(
            put(&store, &key, &vec![2; size], None).await,
            Err(StorageError::Exists { .. })
        ));
        assert!(
            store.range(key.as_str(), 0..size as u64).await.unwrap() == vec![1; size],
            "the first is untouched"
        );
    }
    assert_eq!(
        files(&directory).len(),
        2,
        "nothing half-written is left: {:?}",
        files(&directory)
    );
}

#[tokio::test]
async fn an_upload_that_is_dropped_or_cancelled_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    for size in [10, 3 * LOCAL_PART_BYTES] {
        let key = key("acme", 1, 1);
        let mut sink = store.upload(&key, CancellationToken::new());
        tokio::task::spawn_blocking(move || sink.write(vec![0; size].into()))
            .await
            .unwrap()
            .unwrap();

        let cancel = CancellationToken::new();
        let mut cancelled = store.upload(&key, cancel.clone());
        let writer = tokio::task::spawn_blocking(move || {
            (0..1000).find_map(|_| cancelled.write(vec![0; size].into()).err())
        });
        cancel.cancel();
        assert_eq!(writer.await.unwrap(), Some(StorageError::Cancelled));
    }
    // The clearing up runs on its own.
    for _ in 0..6_000 {
        if files(&directory).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(files(&directory), BTreeMap::new());
}

#[tokio::test]
async fn nothing_is_visible_before_the_commit() {
    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    let key = key("acme", 1, 1);
    let mut sink = store.upload(&key, CancellationToken::new());
    let sink = tokio::task::spawn_blocking(move || {
        (0..40).for_each(|_| sink.write(vec![7; 100_000].into()).unwrap());
        sink
    })
    .await
    .unwrap();
    assert!(matches!(
        store.size(key.as_str()).await,
        Err(StorageError::Missing { .. })
    ));
    assert!(
        store
            .objects
            .list(None)
            .map_ok(|it| it.location.to_string())
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            == [MARKER]
    );
    tokio::task::spawn_blocking(move || {
        Box::new(sink).commit(Some(Bytes::from_static(b"sidecar")))
    })
    .await
    .unwrap()
    .unwrap();
    assert_eq!(
        files(&directory),
        BTreeMap::from([(key.to_string(), 4_000_000), (key.sidecar(), 7)])
    );
}

#[tokio::test]
async fn deleting_takes_the_file_and_its_digests_and_may_be_repeated() {
    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    let (kept, gone) = (key("acme", 1, 1), key("acme", 2, 1));
    let data = vec![3; 2 * LOCAL_PART_BYTES + 1];
    put(&store, &kept, &data, None).await.unwrap();
    put(&store, &gone, &data, Some(Bytes::from_static(b"x")))
        .await
        .unwrap();
    store.delete(&gone).await.unwrap();
    store.delete(&gone).await.unwrap();
    assert_eq!(
        files(&directory),
        BTreeMap::from([(kept.to_string(), data.len() as u64)])
    );
    assert!(
        !directory
            .path()
            .join("artifacts/acme")
            .join(gone.export().to_string())
            .exists(),
        "its folder is gone too"
    );
    put(&store, &gone, &data, None).await.unwrap();
}

#[tokio::test]
async fn a_store_belongs_to_one_log() {
    let directory = TempDir::new().unwrap();
    store(&directory).await.verify().await.unwrap();
    store(&directory).await;
    assert_eq!(files(&directory), BTreeMap::new());
    let other = ArtifactStore::open(&url(directory.path()), "log-2").await;
    assert!(
        matches!(other, Err(StorageError::ForeignLog { expected, found }) if expected == "log-2" && found == "log-1")
    );

    let strange = TempDir::new().unwrap();
    fs::create_dir_all(strange.path().join("artifacts/photos")).unwrap();
    fs::write(strange.path().join("artifacts/photos/cat.jpg"), b"cat").unwrap();
    assert!(matches!(
        ArtifactStore::open(&url(strange.path()), "log-1").await,
        Err(StorageError::NotOurs { .. })
    ));
    assert!(ArtifactStore::open("s4:bucket", "log-1").await.is_err());
    assert!(
        ArtifactStore::open("file:/proc/nowhere", "log-1")
            .await
            .is_err()
    );
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

/// Knows no export.
struct Nobody;

#[async_trait]
impl Judge for Nobody {
    async fn judge(&mut self, _: &ArtifactKey) -> Decision {
        Decision::Unknown
    }
}

#[tokio::test]
async fn the_sweep_removes_what_is_old_and_given_up_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    let (superseded, kept, unknown) = (key("acme", 1, 1), key("acme", 1, 2), key("acme", 77, 1));
    for key in [&superseded, &kept, &unknown] {
        put(&store, key, b"data", Some(Bytes::from_static(b"sidecar")))
            .await
            .unwrap();
    }
    let root = directory.path().join("artifacts");
    let (old_part, strange_part) = (format!("{}#1", key("acme", 2, 3)), format!("{unknown}#1"));
    fs::create_dir_all(root.join(&old_part).parent().unwrap()).unwrap();
    for name in [&*old_part, &strange_part, "carnet-probe-1", "notes.txt"] {
        fs::write(root.join(name), b"half").unwrap();
    }
    let before = files(&directory);

    let now = SystemTime::now();
    let young = store.sweep(&mut Book, now - DAY).await.unwrap();
    assert_eq!(
        (young.removed, young.temporaries, young.unknown),
        (0, 0, 4),
        "{young:?}"
    );
    assert_eq!(files(&directory), before);

    // However soon superseded objects go, a probe may be another node's.
    let at_once = now + Duration::from_secs(60);
    let hasty = store.sweep(&mut Nobody, at_once).await;
    assert_eq!(hasty.unwrap().temporaries, 0);
    assert!(root.join("carnet-probe-1").exists());

    let swept = store.sweep(&mut Book, now + DAY).await.unwrap();
    assert_eq!(
        (swept.removed, swept.temporaries, swept.unknown),
        (1, 2, 4),
        "{swept:?}"
    );
    let left: Vec<_> = files(&directory).into_keys().collect();
    assert_eq!(
        left,
        [
            kept.to_string(),
            kept.sidecar(),
            unknown.to_string(),
            strange_part,
            unknown.sidecar(),
            "notes.txt".to_owned()
        ]
    );
}

#[tokio::test]
async fn what_cant_be_removed_doesnt_end_the_sweep() {
    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    let (stuck, other) = (key("acme", 1, 1), key("zeta", 2, 1));
    for key in [&stuck, &other] {
        put(&store, key, b"data", None).await.unwrap();
    }
    // A folder with something in it, where the digests should be, is no file to remove.
    let root = directory.path().join("artifacts");
    fs::create_dir(root.join(stuck.sidecar())).unwrap();
    fs::write(root.join(stuck.sidecar()).join("x"), b"").unwrap();
    let old_part = format!("{}#1", key("zeta", 3, 1));
    fs::create_dir_all(root.join(&old_part).parent().unwrap()).unwrap();
    fs::write(root.join(&old_part), b"half").unwrap();

    let later = SystemTime::now() + 2 * DAY;
    let swept = store.sweep(&mut Book, later - DAY).await.unwrap();
    assert_eq!((swept.removed, swept.temporaries), (1, 1));
    assert!(
        swept.failure.is_some() && swept.failed > 0,
        "and it is told"
    );
    fs::remove_dir_all(root.join(stuck.sidecar())).unwrap();
    let swept = store.sweep(&mut Book, later - DAY).await.unwrap();
    assert_eq!(swept.failure, None);
}

#[tokio::test]
async fn a_directory_without_its_mark_is_another_place_and_nothing_is_gone_there() {
    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    let key = key("acme", 1, 1);
    put(&store, &key, b"data", None).await.unwrap();
    // What a directory looks like when its volume isn't mounted.
    let (volume, away) = (
        directory.path().join("artifacts"),
        directory.path().join("away"),
    );
    fs::rename(&volume, &away).unwrap();
    let unmarked = Err(StorageError::Unmarked { marker: MARKER });
    for mounted in [false, true] {
        assert_eq!(store.delete(&key).await, unmarked);
        assert_eq!(store.verify().await, unmarked);
        for size in [10, 2 * LOCAL_PART_BYTES] {
            let put = put(&store, &key, &vec![0; size], None).await;
            assert_eq!(put, unmarked, "nothing is stored there");
        }
        if !mounted {
            fs::create_dir(&volume).unwrap();
        }
    }
    fs::remove_dir_all(&volume).unwrap();
    fs::rename(&away, &volume).unwrap();
    store.verify().await.unwrap();
    store.delete(&key).await.unwrap();
    assert_eq!(files(&directory), BTreeMap::new());
}

#[tokio::test]
async fn a_directory_that_was_used_before_is_never_made_anew() {
    let directory = TempDir::new().unwrap();
    let url = url(directory.path());
    let open = |used| {
        let log_id = "log-1".to_owned();
        ArtifactStore::open(&url, Owner { log_id, used })
    };
    let root = directory.path().join("artifacts");
    let unmarked = StorageError::Unmarked { marker: MARKER };
    assert_eq!(open(true).await.err(), Some(unmarked.clone()));
    assert!(!root.exists());
    fs::create_dir(&root).unwrap();
    assert_eq!(open(true).await.err(), Some(unmarked.clone()));
    // What somebody else keeps there makes it no more ours.
    fs::write(root.join("notes.txt"), b"x").unwrap();
    assert_eq!(open(true).await.err(), Some(unmarked));
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
    fs::remove_file(root.join("notes.txt")).unwrap();
    assert!(open(false).await.unwrap().is_claimed());
    assert!(open(true).await.unwrap().is_claimed());
}

#[tokio::test]
async fn a_full_disk_is_told_from_other_failures_and_leaves_nothing() {
    let full = object_store::Error::Generic {
        store: "x",
        source: Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull)),
    };
    assert_eq!(StorageError::from(full).code(), "storage_full");
    let other = object_store::Error::Generic {
        store: "x",
        source: "boom".into(),
    };
    assert_eq!(
        StorageError::from(other),
        StorageError::Failed {
            reason: "Generic x error: boom".to_owned()
        }
    );

    let directory = TempDir::new().unwrap();
    let store = store(&directory).await;
    // A file where the tenant's folder should be.
    fs::write(directory.path().join("artifacts/acme"), b"").unwrap();
    for size in [10, 2 * LOCAL_PART_BYTES] {
        let failed = put(&store, &key("acme", 1, 1), &vec![0; size], None)
            .await
            .unwrap_err();
        assert_eq!(failed.code(), "storage_failed", "{failed:?}");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_directory_that_hangs() {
    let directory = TempDir::new().unwrap();
    let patient = store(&directory).await;
    let store = patient.impatient();
    let key = key("acme", 1, 1);
    let hung = Hung::hang(&directory.path().join("artifacts"));
    for size in [10, 2 * LOCAL_PART_BYTES] {
        let put = put(&store, &key, &vec![0; size], None).await;
        assert_eq!(put, Err(StorageError::Silent));
    }
    assert_eq!(store.delete(&key).await, Err(StorageError::Silent));
    let swept = store.sweep(&mut Book, SystemTime::now() - DAY).await;
    assert_eq!(swept, Err(StorageError::Silent));
    assert!(under_way(), "calls hang");
    hung.answer();
    while let Err(error) = put(&patient, &key, b"data", None).await {
        assert_eq!(error, StorageError::Silent);
    }
    assert_eq!(files(&directory).len(), 1);
}
