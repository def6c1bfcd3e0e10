//! Full disks: small file systems in memory, mounted for the test, in a namespace of its own where this isn't root.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::until;
use crate::support::{Server, Site};

/// Set in the process in which a test that may not mount is run once more.
const INSIDE: &str = "CARNET_MAY_MOUNT";

/// A mounted file system, unmounted when dropped.
struct Disk(PathBuf);

/// Whether the test goes on here, where it may mount. Where it may not, it has been run to its end in a namespace of
/// its own, as root there; that it passed is all there is to say.
fn may_mount(test: &str) -> bool {
    let there = tempfile::tempdir().unwrap();
    let succeeds = |command: &mut Command| command.output().is_ok_and(|out| out.status.success());
    let probe = format!(
        "mount -t tmpfs tmpfs '{0}' && umount '{0}'",
        there.path().display()
    );
    if std::env::var_os(INSIDE).is_some() || succeeds(Command::new("sh").args(["-c", &probe])) {
        return true;
    }
    let namespace = ["--user", "--map-root-user", "--mount"];
    if !succeeds(
        Command::new("unshare")
            .args(namespace)
            .args(["sh", "-c", &probe]),
    ) {
        assert!(
            std::env::var_os("CARNET_ALLOW_SKIPS").is_some(),
            "a small disk can be mounted neither here nor in a namespace (`unshare --user --map-root-user --mount`): run this \
             as root, or do without with CARNET_ALLOW_SKIPS=1"
        );
        println!("SKIPPED: a small disk can't be mounted here");
        return false;
    }
    let again = Command::new("unshare")
        .args(namespace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("faults::disk::{test}"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    let complaint = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success(), "{said}{complaint}");
    assert!(said.contains("1 passed"), "{said}");
    false
}

impl Disk {
    fn mount(at: &Path, size: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .status();
        assert!(mounted.unwrap().success());
        Self(at.to_owned())
    }

    /// Leaves about this many bytes free.
    fn fill_but(&self, free: usize) {
        let ballast = self.0.join("ballast");
        let mut size = 64 * 1024 * 1024;
        while std::fs::write(&ballast, vec![0; size]).is_err() {
            size -= 256 * 1024;
        }
        // What is left over beside the ballast is less than its steps.
        std::fs::write(&ballast, vec![0; size.saturating_sub(free)]).unwrap();
    }

    fn make_space(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_artifact_disk_fails_the_export_and_leaves_room_for_the_next() {
    if !may_mount("a_full_artifact_disk_fails_the_export_and_leaves_room_for_the_next") {
        return;
    }
    let site = Site::new(30_000);
    let _disk = Disk::mount(&site.path().join("data/artifacts"), "256k");
    let small = "select id, tenant_id, subject from tickets where tenant_id = :tenant and id < 50 order by id";
    site.edit_config(super::TICKETS, small);
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    for _ in 0..2 {
        let job = client.export(&["users"]).await;
        assert_eq!(job["status"], "failed", "{job}");
        assert_eq!(job["reason"]["code"], "storage_full", "{job}");
        let left: Vec<_> = site.artifact_files();
        let ours = |file: &&PathBuf| file.to_str().unwrap().contains("acme");
        assert_eq!(left.iter().filter(ours).count(), 0, "{left:?}");
    }
    let job = client.export(&["tickets"]).await;
    assert_eq!(job["status"], "completed", "{job}");
    client
        .download(job["id"].as_str().unwrap(), &[])
        .await
        .expect(200);
}

#[tokio::test]
async fn a_full_event_disk_is_told_and_got_over() {
    if !may_mount("a_full_event_disk_is_told_and_got_over") {
        return;
    }
    let site = Site::new(20);
    let disk = Disk::mount(&site.path().join("data"), "8m");
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    let first = client.export(&["users"]).await;
    assert_eq!(first["status"], "completed", "{first}");
    disk.fill_but(0);

    // Whatever room is left in files that are there is used up; then every answer is a plain 503.
    let mut accepted = vec![first["id"].as_str().unwrap().to_owned()];
    let refused = until("the disk to be felt", || async {
        let answer = client.create(&["users"]).await;
        match answer.status.as_u16() {
            503 => Some(answer),
            202 | 409 => None,
            other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
        }
    })
    .await;
    // Whichever of the two feels it first.
    let codes = ["store_unavailable", "storage_unverified"];
    assert!(codes.contains(&&*refused.code()), "{}", refused.code());
    assert!(!refused.header("retry-after").is_empty());
    // It answers what needs no writing, and knows that it isn't well.
    assert_eq!(client.get("/healthz").await.status, 200);
    let path = format!("/api/account-exports/{}", accepted[0]);
    client.get(&path).await.expect(200);

    disk.make_space();
    let accepted_again = until("the service to work again", || async {
        let answer = client.create(&["users"]).await;
        (answer.status == 202).then(|| answer.json())
    })
    .await;
    accepted.push(accepted_again["id"].as_str().unwrap().to_owned());
    let job = client.settled(&accepted[1]).await;
    assert_eq!(job["status"], "completed", "{job}");
    until("readiness", || async {
        (client.get("/readyz").await.status == 200).then_some(())
    })
    .await;

    // Everything listed is settled once, and a restart finds the same.
    let listed = all_settled(&client).await;
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    assert_eq!(all_settled(&client).await, listed);
}

/// Ids and states of all exports, once none of them is active.
async fn all_settled(client: &crate::support::Client) -> Vec<(String, String)> {
    until("all exports to be settled", || async {
        let list = client.get("/api/account-exports?page_size=200").await;
        if list.status != 200 {
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all: Vec<_> = list.json()["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| (text(&job["id"]), text(&job["status"])))
            .collect();
        let active = |status: &str| matches!(status, "queued" | "running");
        all.iter().all(|(_, status)| !active(status)).then_some(all)
    })
    .await
}
