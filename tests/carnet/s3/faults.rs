//! Buckets that aren't there, refuse, fall silent or die: what is said, and that nothing half-done is ever seen.

use std::time::{Duration, Instant};

use carnet::export::artifact::storage::MARKER;
use carnet::export::artifact::{ArtifactStore, BlockSink, Location, StorageError};
use hyper::Method;
use tokio_util::sync::CancellationToken;

use super::{MIB, data, key, open, put};
use crate::support::s3::{Asked, Buckets, Fault};

/// The bucket, waited for as briefly as a test can.
fn hasty(server: &Buckets) -> Location {
    let mut location = server.location("exports", "carnet");
    location.s3.timeout = Some(Duration::from_secs(3));
    location
}

fn is_part(asked: &Asked) -> bool {
    asked.uri.contains("partNumber=")
}

async fn told(location: Location) -> StorageError {
    let store = ArtifactStore::open(location, "log-1").await.unwrap();
    store.verify().await.unwrap_err()
}

#[tokio::test]
async fn credentials_and_buckets_that_are_wrong_are_told_apart_with_their_remedies() {
    let server = Buckets::start(&["exports", "others"]);
    let mut wrong = server.location("exports", "carnet");
    wrong.s3.credentials.as_mut().unwrap().secret_access_key = "not the secret".into();
    let mut unknown = server.location("exports", "carnet");
    unknown.s3.credentials.as_mut().unwrap().access_key_id = "nobody".to_owned();
    let mut foreign = server.location("others", "carnet");
    foreign.s3.credentials = server.location("exports", "").s3.credentials;
    for (location, code, remedy) in [
        (
            wrong,
            "storage_denied",
            "correct access_key_id and secret_access_key",
        ),
        (
            unknown,
            "storage_denied",
            "correct access_key_id and secret_access_key",
        ),
        (
            foreign,
            "storage_denied",
            "allow them to list it and to get, put and delete objects",
        ),
        (
            server.location("missing", ""),
            "storage_missing",
            "create it",
        ),
    ] {
        let error = told(location).await;
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.to_string().contains(remedy), "{error}");
        assert!(!error.to_string().contains("secret\""), "{error}");
        assert!(!error.to_string().contains("exports-secret"), "{error}");
    }
}

/// Stand-in: the server judges neither its clock nor tokens; real ones answer so.
#[tokio::test]
async fn expired_credentials_and_a_wrong_clock_are_named_and_over_when_they_are_set_right() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    for (status, answer, code, remedy) in [
        (400, "ExpiredToken", "storage_denied", "renew them"),
        (
            403,
            "RequestTimeTooSkewed",
            "storage_clock",
            "set both by NTP",
        ),
        (507, "XMinioStorageFull", "storage_full", "is full"),
        (301, "PermanentRedirect", "storage_failed", "another region"),
    ] {
        server.fault(Fault::Answer(status, answer), usize::MAX, |_| true);
        let mut errors = vec![store.verify().await.unwrap_err()];
        for size in [10, 9 * MIB] {
            errors.push(
                put(&store, &key(1, 1), &data(size), None)
                    .await
                    .unwrap_err(),
            );
        }
        for error in errors {
            // A redirect comes without its words.
            if status != 301 {
                assert_eq!(error.code(), code, "{error:?}");
                assert!(error.to_string().contains(remedy), "{error}");
            }
        }
        // What is asked without a body is explained too.
        let deleted = store.delete(&key(1, 1)).await.unwrap_err();
        assert!(status == 301 || deleted.code() == code, "{deleted:?}");
        server.heal();
        store.verify().await.unwrap();
    }
    let left: Vec<_> = server.objects("exports").into_keys().collect();
    assert_eq!(left, [format!("carnet/{MARKER}")]);
    server.tidy().await;
}

#[tokio::test]
async fn a_server_that_is_down_at_the_start_is_used_once_it_is_up() {
    let mut server = Buckets::start(&["exports"]);
    server.stop();
    let store = ArtifactStore::open(hasty(&server), "log-1").await.unwrap();
    let error = store.verify().await.unwrap_err();
    assert_eq!(error.code(), "storage_unreachable", "{error:?}");
    server.start_again();
    store.verify().await.unwrap();
    put(&store, &key(1, 1), b"data", None).await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_to_a_prefix_before_it_is_known_whose_it_is() {
    let server = Buckets::start(&["exports"]);
    ArtifactStore::open(server.location("exports", "carnet"), "log-2")
        .await
        .unwrap();
    let before = server.objects("exports");
    server.fault(Fault::Answer(403, "AccessDenied"), usize::MAX, |_| true);
    let store = ArtifactStore::open(server.location("exports", "carnet"), "log-1")
        .await
        .unwrap();
    server.heal();
    for size in [10, 9 * MIB] {
        let refused = put(&store, &key(1, 1), &data(size), None)
            .await
            .unwrap_err();
        assert!(
            matches!(refused, StorageError::ForeignLog { .. }),
            "{refused:?}"
        );
    }
    assert!(matches!(
        store.verify().await,
        Err(StorageError::ForeignLog { .. })
    ));
    assert_eq!(server.objects("exports"), before);
    server.tidy().await;
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_and_comes_back_costs_the_upload_nothing() {
    let mut server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    let sent = data(40 * MIB);
    let mut sink = store.upload(&key(1, 1), CancellationToken::new());
    let pieces: Vec<_> = sent.chunks(300_000).map(<[u8]>::to_vec).collect();
    let upload = tokio::task::spawn_blocking(move || {
        for piece in pieces {
            sink.write(piece.into())?;
        }
        Box::new(sink).commit(None)
    });
    while !server.asked().iter().any(is_part) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.start_again();
    upload.await.unwrap().unwrap();
    let stored = std::fs::read(server.file("exports", &format!("carnet/{}", key(1, 1)))).unwrap();
    assert!(stored == sent);
}

#[tokio::test]
async fn a_busy_server_and_ended_connections_are_tried_again() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    for (attempt, fault) in [(1, Fault::Answer(503, "SlowDown")), (2, Fault::End)] {
        server.fault(fault, 2, is_part);
        server.fault(fault, 1, |asked| asked.method == Method::POST);
        let sent = data(20 * MIB);
        put(&store, &key(1, attempt), &sent, None).await.unwrap();
        let name = format!("carnet/{}", key(1, attempt));
        assert!(
            std::fs::read(server.file("exports", &name)).unwrap() == sent,
            "{fault:?}"
        );
        server.heal();
    }
}

#[tokio::test]
async fn an_answer_that_gets_lost_is_no_failure() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    for (attempt, size) in [(1, 10), (2, 9 * MIB)] {
        // The object is put, or put together, and nobody hears of it.
        server.fault(Fault::Unheard, 1, move |asked| match attempt {
            1 => asked.method == Method::PUT,
            _ => asked.method == Method::POST && asked.uri.contains("uploadId="),
        });
        let sent = data(size);
        put(&store, &key(1, attempt), &sent, None).await.unwrap();
        let name = format!("carnet/{}", key(1, attempt));
        assert!(std::fs::read(server.file("exports", &name)).unwrap() == sent);
        server.heal();
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_holds_nobody_up_for_ever() {
    let server = Buckets::start(&["exports"]);
    let store = open(hasty(&server)).await;
    server.fault(Fault::Silence, usize::MAX, |_| true);
    let begun = Instant::now();
    let errors = [
        store.verify().await.unwrap_err(),
        store.delete(&key(1, 1)).await.unwrap_err(),
        put(&store, &key(1, 1), b"data", None).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code(), "storage_unreachable", "{error:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(60));
    server.heal();
    store.verify().await.unwrap();
}

#[tokio::test]
async fn a_part_that_gets_no_answer_is_sent_again() {
    let server = Buckets::start(&["exports"]);
    let store = open(hasty(&server)).await;
    server.fault(Fault::Silence, 1, is_part);
    let sent = data(9 * MIB);
    put(&store, &key(1, 1), &sent, None).await.unwrap();
    let stored = std::fs::read(server.file("exports", &format!("carnet/{}", key(1, 1)))).unwrap();
    assert!(stored == sent);
}

#[tokio::test]
async fn an_upload_to_a_silent_server_can_be_cancelled() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    server.fault(Fault::Silence, usize::MAX, is_part);
    let cancel = CancellationToken::new();
    let mut sink = store.upload(&key(1, 1), cancel.clone());
    let upload = tokio::task::spawn_blocking(move || {
        (0..1000).find_map(|_| sink.write(vec![0; MIB].into()).err())
    });
    while !server.asked().iter().any(is_part) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    cancel.cancel();
    assert_eq!(upload.await.unwrap(), Some(StorageError::Cancelled));
    assert!(begun.elapsed() < Duration::from_secs(60));
    server.tidy().await;
}

#[tokio::test]
async fn a_file_that_comes_out_otherwise_than_it_was_sent_is_not_kept() {
    let server = Buckets::start(&["exports"]);
    let store = open(server.location("exports", "carnet")).await;
    let file = server.file("exports", &format!("carnet/{}", key(1, 1)));
    // Stand-in for a server that puts parts together wrongly: what it has is cut before it is looked at.
    let cut = file.clone();
    server.fault(Fault::End, 1, move |asked| {
        let looked_at = asked.method == Method::HEAD && cut.exists();
        if looked_at {
            std::fs::write(&cut, b"short").unwrap();
        }
        looked_at
    });
    let error = put(&store, &key(1, 1), &data(9 * MIB), None)
        .await
        .unwrap_err();
    assert_eq!(error, StorageError::Unfaithful);
    assert!(!file.exists());
}
