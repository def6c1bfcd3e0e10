//! A full disk: nothing by halves, a clear answer, and it goes on once there is space again.
//!
//! The disk is a tmpfs of two MiB in a mount namespace of its own: the test starts itself again under `unshare`. Where
//! the system permits no such namespace, not even to root, the test fails, unless `CARNET_ALLOW_SKIPS` is set.

use std::path::Path;
use std::process::Command;

use carnet_events::conformance::{batch, event, read, stream};
use carnet_events::envelope::NewEvent;
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{EventStore, Expected, StoreError};

const MOUNT: &str = "CARNET_TINY_DISK";

#[tokio::test]
async fn on_a_tiny_disk() {
    if let Ok(mount) = std::env::var(MOUNT) {
        fill_and_make_space(Path::new(&mount)).await;
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let unshare = |namespace: &[&str], script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(namespace)
            .args(["sh", "-ec", script])
            .env(MOUNT, directory.path());
        command.output().ok()
    };
    let mount = format!(
        "mount -t tmpfs -o size=2m tmpfs '{}'",
        directory.path().display()
    );
    // What root may do without a name of its own, others may with one.
    let namespaces = [&["--user", "--map-root-user", "--mount"][..], &["--mount"]];
    let can = |namespace: &&&[&str]| {
        unshare(namespace, &mount).is_some_and(|output| output.status.success())
    };
    let Some(namespace) = namespaces.iter().find(can) else {
        assert!(
            std::env::var_os("CARNET_ALLOW_SKIPS").is_some(),
            "no small disk can be mounted in a namespace (`unshare --user --map-root-user --mount`): allow that, or do \
             without with CARNET_ALLOW_SKIPS=1"
        );
        let mut err = std::io::stderr().lock();
        let _ = std::io::Write::write_all(
            &mut err,
            b"SKIPPED: no mount namespaces here, not tried on a real full disk\n",
        );
        return;
    };
    let this = std::env::current_exe().unwrap();
    let script = format!(
        "{mount}\nexec '{}' --exact disk_full::on_a_tiny_disk --nocapture",
        this.display()
    );
    let output = unshare(namespace, &script).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn fill_and_make_space(disk: &Path) {
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![0; 512 * 1024]).unwrap();
    let store = SqliteStore::open(disk.join("events.db")).unwrap();
    let name = stream("full");

    let mut written = 0_u64;
    let (refused, error) = loop {
        let batch: Vec<NewEvent> = (0..4).map(|_| event(&"x".repeat(8 * 1024))).collect();
        let expected = written
            .checked_sub(1)
            .map_or(Expected::NoStream, Expected::Exact);
        match store.append(&name, expected, batch.clone()).await {
            Ok(appended) => written = appended.last_revision + 1,
            Err(error) => break (batch, error),
        }
    };
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(written > 8, "only {written} events found space");

    // Still full: the same answer, reads go on, the probe tells.
    let expected = Expected::Exact(written - 1);
    let again = store
        .append(&name, expected, refused.clone())
        .await
        .unwrap_err();
    assert!(matches!(again, StoreError::Unavailable { .. }), "{again:?}");
    assert_eq!(read(&store, &name).await.len() as u64, written);
    assert_eq!(store.head(&name).await.unwrap(), Some(written - 1));

    std::fs::remove_file(&ballast).unwrap();
    store.probe().await.unwrap();
    let appended = store.append(&name, expected, refused).await.unwrap();
    assert_eq!(
        (appended.first_revision, appended.replayed),
        (written, false)
    );
    store
        .append(&stream("other"), Expected::NoStream, batch(0, 3))
        .await
        .unwrap();

    drop(store);
    let store = SqliteStore::open(disk.join("events.db")).unwrap();
    assert_eq!(read(&store, &name).await.len() as u64, written + 4);
}
