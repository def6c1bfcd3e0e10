//! What a directory promises, a bucket promises too.

use std::time::Duration;

use carnet::export::artifact::storage::MARKER;
use carnet::export::artifact::{ArtifactStore, BlockSink, Owner, StorageError};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::{Book, MIB, data, in_days, key, key_of, open, put};
use crate::support::s3::{Buckets, Fault};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn objects_of_any_size_are_stored_below_the_prefix_as_they_were_sent() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    for (attempt, size) in [
        (1, 0),
        (2, 10),
        (3, 8 * MIB),
        (4, 8 * MIB + 1),
        (5, 33 * MIB + 5),
    ] {
        let (key, data) = (key(1, attempt), data(size));
        put(&store, &key, &data, None).await.unwrap();
        let stored = std::fs::read(server.file("exports", &format!("carnet/{key}"))).unwrap();
        assert!(stored == data, "{size} bytes");
    }
    assert_eq!(
        server.objects("exports").len(),
        6,
        "five objects and the mark"
    );
    assert!(server.unfinished().is_empty());
}

#[tokio::test]
async fn whatever_a_tenant_is_called_its_object_is_under_its_key() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    for (n, tenant) in ["..", "a/b", "Österreich & Söhne", "%41", "a+b c"]
        .into_iter()
        .enumerate()
    {
        for (attempt, size) in [(2, 10), (3, 9 * MIB)] {
            let key = key_of(tenant, n as u128 + 1, attempt);
            put(&store, &key, &data(size), None).await.unwrap();
            let stored = server.file("exports", &format!("carnet/{key}"));
            assert_eq!(
                std::fs::metadata(stored).unwrap().len(),
                size as u64,
                "{tenant}"
            );
            let address = store
                .presign(&key, Duration::from_secs(60), &[])
                .await
                .unwrap();
            let address = address.unwrap().expose_secret().to_owned();
            assert_eq!(
                reqwest::get(address).await.unwrap().status(),
                200,
                "{tenant}"
            );
        }
    }
    let swept = store.sweep(&mut Book, in_days(2) - DAY).await.unwrap();
    assert_eq!((swept.removed, swept.unknown), (0, 0), "{swept:?}");
}

#[tokio::test]
async fn parts_are_of_the_sizes_that_are_documented() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "")).await;
    put(&store, &key(1, 1), &data(20 * MIB), None)
        .await
        .unwrap();
    let asked = server.asked();
    let mut parts: Vec<u64> = (asked.iter().filter(|it| it.uri.contains("partNumber=")))
        .map(|it| it.bytes)
        .collect();
    parts.sort_unstable();
    assert_eq!(parts, [4 * MIB as u64, 8 * MIB as u64, 8 * MIB as u64]);
}

#[tokio::test]
async fn a_key_is_used_once() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    for (attempt, size) in [(1, 10), (2, 9 * MIB)] {
        let (key, first) = (key(1, attempt), data(size));
        put(&store, &key, &first, None).await.unwrap();
        let second = put(&store, &key, &vec![2; size], None).await;
        assert!(
            matches!(second, Err(StorageError::Exists { .. })),
            "{second:?}"
        );
        let stored = std::fs::read(server.file("exports", &format!("carnet/{key}"))).unwrap();
        assert!(stored == first, "the first is untouched");
    }
    server.tidy().await;
}

#[tokio::test]
async fn an_upload_that_is_dropped_or_cancelled_leaves_nothing_in_the_bucket() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    let before = server.objects("exports");
    for size in [10, 30 * MIB] {
        let mut dropped = store.upload(&key(1, 1), CancellationToken::new());
        let cancel = CancellationToken::new();
        let mut cancelled = store.upload(&key(1, 2), cancel.clone());
        let write = move || {
            for piece in data(size).chunks(300_000) {
                dropped.write(piece.to_vec().into()).unwrap();
                cancelled.write(piece.to_vec().into()).unwrap();
            }
            cancelled
        };
        let mut cancelled = tokio::task::spawn_blocking(write).await.unwrap();
        if size > 10 {
            assert!(!server.unfinished().is_empty(), "parts were sent");
        }
        cancel.cancel();
        let writes = move || (0..1000).find_map(|_| cancelled.write(vec![0; 10].into()).err());
        let told = tokio::task::spawn_blocking(writes).await.unwrap();
        assert_eq!(told, Some(StorageError::Cancelled));
        server.tidy().await;
        assert_eq!(server.objects("exports"), before);
    }
}

#[tokio::test]
async fn nothing_is_visible_before_the_commit() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    let before = server.objects("exports");
    let mut sink = store.upload(&key(1, 1), CancellationToken::new());
    let write = move || {
        for piece in data(20 * MIB).chunks(300_000) {
            sink.write(piece.to_vec().into()).unwrap();
        }
        sink
    };
    let sink = tokio::task::spawn_blocking(write).await.unwrap();
    assert_eq!(server.objects("exports"), before);
    let commit = move || Box::new(sink).commit(Some(bytes::Bytes::from_static(b"sidecar")));
    tokio::task::spawn_blocking(commit).await.unwrap().unwrap();
    let objects = server.objects("exports");
    let name = format!("carnet/{}", key(1, 1));
    assert_eq!(objects.get(&name), Some(&(20 * MIB as u64)));
    assert_eq!(objects.get(&format!("{name}.blocks")), Some(&7));
}

#[tokio::test]
async fn deleting_takes_the_file_and_its_digests_and_may_be_repeated() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    let data = data(9 * MIB);
    put(&store, &key(1, 1), &data, None).await.unwrap();
    put(&store, &key(2, 1), &data, Some(b"x")).await.unwrap();
    // However large a file is, or unreadable: what is to be deleted isn't read.
    let gone = key(2, 1).to_string();
    let unreadable = Fault::Answer(400, "Unreadable");
    server.fault(unreadable, usize::MAX, move |asked| {
        asked.method == "GET" && asked.uri.contains(&gone)
    });
    store.delete(&key(2, 1)).await.unwrap();
    store.delete(&key(2, 1)).await.unwrap();
    let left: Vec<_> = server.objects("exports").into_keys().collect();
    assert_eq!(
        left,
        [format!("carnet/{}", key(1, 1)), format!("carnet/{MARKER}")]
    );
}

#[tokio::test]
async fn a_prefix_belongs_to_one_log() {
    let server = Buckets::start(&["exports"]);
    let location = || server.location("exports", "carnet");
    open(location()).await.verify().await.unwrap();
    open(location()).await;
    let other = ArtifactStore::open(location(), "log-2").await;
    assert!(
        matches!(&other, Err(StorageError::ForeignLog { expected, found }) if expected == "log-2" && found == "log-1"),
        "{other:?}"
    );
    // Beside it there is room for others.
    ArtifactStore::open(server.location("exports", "other"), "log-2")
        .await
        .unwrap();
    std::fs::create_dir(server.file("exports", "photos")).unwrap();
    std::fs::write(server.file("exports", "photos/cat.jpg"), b"cat").unwrap();
    let strange = ArtifactStore::open(server.location("exports", "photos"), "log-1").await;
    assert!(
        matches!(strange, Err(StorageError::NotOurs { .. })),
        "{strange:?}"
    );
    assert_eq!(server.objects("exports").len(), 3, "no probe is left");
}

#[tokio::test]
async fn a_prefix_that_was_used_before_and_is_empty_is_another_and_gets_no_mark() {
    let server = Buckets::start(&["exports"]);
    let owner = || Owner {
        log_id: "log-1".to_owned(),
        used: true,
    };
    let location = || server.location("exports", "carnet");
    let away = ArtifactStore::open(location(), owner()).await.unwrap();
    let unmarked = Err(StorageError::Unmarked { marker: MARKER });
    assert_eq!(away.verify().await, unmarked);
    assert_eq!(put(&away, &key(1, 1), b"data", None).await, unmarked);
    assert!(server.objects("exports").is_empty() && !away.is_claimed());
    // Back again, it is taken as it is, by the same process.
    open(location()).await.verify().await.unwrap();
    away.verify().await.unwrap();
    assert!(away.is_claimed());
}

#[tokio::test]
async fn the_sweep_removes_what_is_old_and_given_up_and_nothing_else() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    let (superseded, kept, unknown) = (key(1, 1), key(1, 2), key(77, 1));
    for key in [&superseded, &kept, &unknown] {
        put(&store, key, b"data", Some(b"sidecar")).await.unwrap();
    }
    let before = server.objects("exports");
    let young = store.sweep(&mut Book, in_days(0) - DAY).await.unwrap();
    assert_eq!((young.removed, young.unknown), (0, 2), "{young:?}");
    assert_eq!(server.objects("exports"), before);
    let swept = store.sweep(&mut Book, in_days(2) - DAY).await.unwrap();
    assert_eq!((swept.removed, swept.unknown), (1, 2), "{swept:?}");
    let gone = |object: &String| !object.contains(&superseded.to_string());
    assert!(server.objects("exports").keys().all(gone));
    assert_eq!(
        server.objects("exports").len(),
        5,
        "four objects and the mark"
    );
}

#[tokio::test]
async fn an_object_that_cant_be_deleted_doesnt_end_the_sweep_of_a_bucket() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    for export in 1..=4 {
        put(&store, &key(export, 1), b"data", None).await.unwrap();
    }
    let locked = key(1, 1).to_string();
    server.fault(
        Fault::Answer(403, "AccessDenied"),
        usize::MAX,
        move |asked| asked.method == "DELETE" && asked.uri.contains(&locked),
    );
    let swept = store.sweep(&mut Book, in_days(2) - DAY).await.unwrap();
    assert_eq!(swept.removed, 3);
    assert!(
        matches!(swept.failure, Some(StorageError::Denied { .. })),
        "{swept:?}"
    );
}

/// What a killed process leaves: parts of an upload that nobody goes on with.
async fn half_an_upload(server: &Buckets, attempt: u32) {
    let location = server.location("exports", "carnet");
    // A runtime that ends takes the clearing up with it, as the end of a process does.
    let killed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut sink = runtime.block_on(async move {
            open(location)
                .await
                .upload(&key(1, attempt), CancellationToken::new())
        });
        for piece in data(20 * MIB).chunks(300_000) {
            sink.write(piece.to_vec().into()).unwrap();
        }
        runtime.shutdown_background();
    });
    tokio::task::spawn_blocking(move || killed.join().unwrap())
        .await
        .unwrap();
    assert!(!server.unfinished().is_empty());
}

#[tokio::test]
async fn the_sweep_forgets_uploads_that_a_killed_process_left_half_done() {
    let server = Buckets::start(&["exports"]);
    server.lists_uploads(true);
    let store = open(server.location("exports", "carnet")).await;
    half_an_upload(&server, 1).await;
    let young = store.sweep(&mut Book, in_days(0) - DAY).await.unwrap();
    assert_eq!((young.temporaries, young.unlisted), (0, false));
    assert!(!server.unfinished().is_empty());
    let swept = store.sweep(&mut Book, in_days(2) - DAY).await.unwrap();
    assert_eq!(swept.temporaries, 1, "{swept:?}");
    assert!(server.unfinished().is_empty(), "{:?}", server.unfinished());
}

#[tokio::test]
async fn a_bucket_that_lists_no_uploads_is_said_to_need_a_rule_of_its_own() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    half_an_upload(&server, 1).await;
    let swept = store.sweep(&mut Book, in_days(2) - DAY).await.unwrap();
    assert_eq!((swept.temporaries, swept.unlisted), (0, true));
}
