//! A commit that fails on the disk: nobody is told that it was made, and repeating it settles the matter.
//!
//! The disk that fails is a limit on the size of files: the test starts itself again under one, and lifts it later.

use std::process::Command;

use carnet_events::conformance::{event, read, stream};
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{EventStore, Expected, StoreError};

const DIRECTORY: &str = "CARNET_LIMITED_FILES";

#[tokio::test]
async fn a_commit_in_doubt_is_settled_by_repeating_it() {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        append_until_in_doubt(directory.as_ref()).await;
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    // The signal ignored, a write beyond the limit is an error like any other of the disk's. Blocks are 512 or 1024 bytes.
    let script = "trap '' XFSZ; ulimit -S -f 400; exec \"$0\" --exact io_error::a_commit_in_doubt_is_settled_by_repeating_it --nocapture";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(this)
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn append_until_in_doubt(directory: &std::path::Path) {
    let store = SqliteStore::open(directory.join("events.db")).unwrap();
    let name = stream("doubt");
    let mut count = 0_u64;
    let (in_doubt, error) = loop {
        let expected = count
            .checked_sub(1)
            .map_or(Expected::NoStream, Expected::Exact);
        let events = vec![event(&"x".repeat(2000))];
        match store.append(&name, expected, events.clone()).await {
            Ok(_) => count += 1,
            Err(error) => break (events, error),
        }
    };
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    assert!(count > 5, "only {count} appends before the limit");
    assert_eq!(store.head(&name).await.unwrap(), Some(count - 1));

    let this = std::process::id().to_string();
    let lifted = Command::new("prlimit")
        .args(["--pid", &this, "--fsize=unlimited"])
        .status()
        .unwrap();
    assert!(lifted.success());
    let appended = store
        .append(&name, Expected::Exact(count - 1), in_doubt.clone())
        .await
        .unwrap();
    assert_eq!(appended.first_revision, count);
    let again = store
        .append(&name, Expected::Exact(count - 1), in_doubt)
        .await
        .unwrap();
    assert!(again.replayed);
    assert_eq!(read(&store, &name).await.len() as u64, count + 1);
}
