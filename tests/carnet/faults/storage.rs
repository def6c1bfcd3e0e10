//! Storages that aren't there when a node starts.

use std::fs;
use std::process::Command;

use crate::support::{Server, Site, program};

#[tokio::test]
async fn a_node_whose_volume_is_away_doesnt_start_and_damages_nothing() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    assert!(server.stop().0.success());
    let (volume, away) = (
        site.path().join("data/artifacts"),
        site.path().join("data/away"),
    );
    fs::rename(&volume, &away).unwrap();
    // The whole path is away; then there is the empty directory that a volume is mounted over.
    for mounted_over in [false, true] {
        if mounted_over {
            fs::create_dir(&volume).unwrap();
        }
        let log = Server::try_start(&site).err().expect("it is away");
        for told in ["artifacts.url", "mount its volume", "--replace-storages"] {
            assert!(log.contains(told), "{told}: {log}");
        }
        let made = fs::read_dir(&volume).map(|files| files.count());
        assert_eq!(
            made.ok(),
            mounted_over.then_some(0),
            "nothing is made there"
        );
    }
    fs::remove_dir(&volume).unwrap();
    fs::rename(&away, &volume).unwrap();
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    ada.download(id, &[]).await.expect(200);
    assert!(ada.audit("artifact_damaged").await.is_empty());
}

#[tokio::test]
async fn files_that_are_lost_for_good_are_given_up_by_whoever_says_so() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let lost = ada.export(&["tickets"]).await;
    assert!(server.stop().0.success());
    fs::remove_dir_all(site.path().join("data/artifacts")).unwrap();
    assert!(Server::try_start(&site).is_err());
    let mut once = Command::new(program())
        .args(["serve", "--replace-storages", "--config"])
        .arg(site.config())
        .current_dir(site.path())
        .spawn()
        .unwrap();
    let mark = site.path().join("data/artifacts/carnet-log.json");
    for _ in 0..6_000 {
        if mark.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(mark.exists());
    once.kill().unwrap();
    once.wait().unwrap();
    // The new mark is as good as the old one was.
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let answer = ada.download(lost["id"].as_str().unwrap(), &[]).await;
    assert_eq!(answer.expect(503).code(), "artifact_damaged");
    let job = ada.export(&["tickets"]).await;
    ada.download(job["id"].as_str().unwrap(), &[])
        .await
        .expect(200);
}
