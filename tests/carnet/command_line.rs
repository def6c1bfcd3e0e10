//! Commands of the command line that no other test needs.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Server, Site, program};

fn said(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_str(&said(output)).unwrap()
}

#[test]
fn the_demo_makes_one_export_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program());
        let output = command.args(arguments).current_dir(folder.path()).output();
        said(&output.unwrap())
    };
    // It takes up again what is there, as often as it is called, whatever limits the demo shows.
    let mut paths = vec![run(&["demo", "--once", "--dir", "shown"])];
    let config = folder.path().join("shown/carnet.toml");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("accepted = 20,"), "{text}");
    fs::write(&config, text.replace("accepted = 20,", "accepted = 1,")).unwrap();
    paths.extend((0..2).map(|_| run(&["demo", "--once", "--dir", "shown"])));
    assert!(paths[0] != paths[1] && paths[1] != paths[2]);
    for path in paths {
        assert!(path.starts_with("shown/exports/") && path.lines().count() == 1);
        let verdict = run(&["verify", path.trim()]);
        assert!(verdict.contains("intact"), "{verdict}");
    }
}

#[tokio::test]
async fn an_export_is_shown_as_it_was_at_any_moment() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    let id = admin.export(&["tickets"]).await["id"].clone();
    let id = id.as_str().unwrap();
    let replay = |more: &[&str]| {
        let common = ["replay", id, "--config", "carnet.toml"];
        site.carnet(&[&common, more].concat())
    };
    let now = document(&replay(&["--json"]));
    assert_eq!(now["status"], "completed");
    let events = now["events"].as_array().unwrap();
    assert!(events.len() >= 3, "{now}");
    for event in events {
        let at = event["at"].as_str().unwrap();
        let then = document(&replay(&["--at", at, "--json"]));
        // Of the events of one millisecond, the last.
        let last = events.iter().rfind(|other| other["at"] == at).unwrap();
        assert_eq!(then["status"], last["status"], "{at}");
        assert_eq!(then["revision"], last["revision"], "{at}");
    }
    let late = replay(&["--revision", "99"]);
    assert_eq!(late.status.code(), Some(1));
    let why = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(why.contains("no revision 99"), "{why}");
    let text = said(&replay(&["--at", "2999-01-01T00:00:00Z"]));
    assert!(text.starts_with(&format!("{id}: completed")), "{text}");
    let before = replay(&["--at", "2001-01-01T00:00:00Z"]);
    assert_eq!(before.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&before.stderr);
    assert!(complaint.contains("did not exist then"), "{complaint}");
}

#[tokio::test]
async fn projections_tell_how_far_they_are() {
    let site = Site::new(3);
    let status = ["projections", "status", "--config", "carnet.toml"];
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    admin.export(&["tickets"]).await;
    // Beside the running service, and without it.
    said(&site.carnet(&status));
    assert!(server.stop().0.success());
    let told = document(&site.carnet(&[&status[..], &["--json"]].concat()));
    let projections = told["projections"].as_array().unwrap();
    let names: Vec<_> = projections.iter().map(|one| &one["name"]).collect();
    for name in ["audit_log", "exports", "operations", "worklist"] {
        assert!(names.iter().any(|one| *one == name), "{told}");
    }
    for one in projections {
        assert_eq!(one["stopped"], Value::Null, "{one}");
        assert!(one["events"].as_u64().unwrap() > 0, "{one}");
    }
    let text = said(&site.carnet(&status));
    assert!(text.starts_with("last position of the log: "), "{text}");
    assert_eq!(text.lines().count(), projections.len() + 1, "{text}");
}

#[tokio::test]
async fn the_description_of_the_api_is_the_one_that_is_served() {
    let site = Site::new(1);
    let printed = document(&site.carnet(&["openapi"]));
    assert_eq!(printed["openapi"], "3.1.0");
    let server = Server::start(&site);
    let served = server.client("").get("/openapi.json").await.expect(200);
    assert_eq!(served.json(), printed);
    for path in [
        "/api/account-exports",
        "/api/operator/tenants/{tenant}/cancel",
    ] {
        assert!(printed["paths"][path].is_object(), "{path}");
    }
}
