//! `carnet events copy`: a history that moves to PostgreSQL, lives on there, and comes back.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use carnet_events::copy::{Move, Stage, copy as copy_log};
use carnet_events::ids::Timestamp;
use carnet_events::store::{self, Access};
use serde_json::Value;
use uuid::Uuid;

use crate::postgres::shared;
use crate::support::{Server, Site, program};

const FILE: &str = "sqlite:data/events.db";

fn copy(site: &Site, from: &str, to: &str) -> Output {
    site.carnet(&["events", "copy", "--from", from, "--to", to, "--json"])
}

fn report(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains("p@ss") && !said.contains("%70"), "{said}");
    said
}

fn in_postgres() -> String {
    format!("{}?schema=m_{}", shared::url(), Uuid::new_v4().simple())
}

/// The exports of a tenant that one of its admins sees, newest first, with their states and artifacts.
async fn exports(server: &Server, site: &Site) -> Vec<(Value, Value, Value)> {
    let client = server.client(&site.token("acme", "ada"));
    let list = client.get("/api/account-exports?page_size=200").await;
    let items = list.expect(200).json()["items"].as_array().unwrap().clone();
    let part = |item: &Value| {
        (
            item["id"].clone(),
            item["status"].clone(),
            item["artifact"]["sha256"].clone(),
        )
    };
    items.iter().map(part).collect()
}

#[tokio::test]
async fn a_history_moves_to_postgresql_lives_on_there_and_comes_back() {
    let site = Site::new(20);
    site.add_config("[store]\nurl = \"sqlite:data/events.db\"\n");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for _ in 0..3 {
        assert_eq!(
            ada.export(&["users", "tickets"]).await["status"],
            "completed"
        );
    }
    let before = exports(&server, &site).await;
    let to = in_postgres();
    // While it is being served there is nothing to copy, and nothing is sealed.
    let said = refused(&copy(&site, FILE, &to));
    assert!(said.contains("stop that one"), "{said}");
    server.stop();

    // Killed at any moment, it goes on.
    for n in 0..6_u64 {
        let mut child = Command::new(program())
            .args(["events", "copy", "--from", FILE, "--to", &to])
            .current_dir(site.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 + n * 53));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let there = report(&copy(&site, FILE, &to));
    let again = report(&copy(&site, FILE, &to));
    assert_eq!(again["digest"], there["digest"]);
    assert_eq!(again["resumed"], there["events"]);

    // The old place is served no more.
    let said = Server::try_start(&site).err().expect("it is sealed");
    assert!(
        said.contains("sealed") && said.contains("postgres://"),
        "{said}"
    );
    assert!(!said.contains("carnet:"), "{said}");

    site.edit_config(FILE, &to);
    let server = Server::start(&site);
    assert_eq!(exports(&server, &site).await, before);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["users"]).await;
    assert_eq!(job["status"], "completed");
    let id = job["id"].as_str().unwrap();
    let path = format!("/api/account-exports/{id}/download");
    assert!(!ada.get(&path).await.expect(200).body.is_empty());
    let after = exports(&server, &site).await;
    assert_eq!(after.len(), before.len() + 1);
    server.stop();

    let back = "sqlite:data/back.db";
    let report = report(&copy(&site, &to, back));
    assert_eq!(report["log"], there["log"]);
    assert!(report["events"].as_u64() > there["events"].as_u64());
    site.edit_config(&to, back);
    let server = Server::start(&site);
    assert_eq!(exports(&server, &site).await, after);
}

#[tokio::test]
async fn a_history_goes_to_one_place_only_unless_that_one_is_lost() {
    let site = Site::new(1);
    site.add_config("[store]\nurl = \"sqlite:data/events.db\"\n");
    Server::start(&site).stop();
    let (first, second) = (in_postgres(), in_postgres());
    report(&copy(&site, FILE, &first));
    let said = refused(&copy(&site, FILE, &second));
    assert!(
        said.contains("two logs with one id") && said.contains("--instead-of"),
        "{said}"
    );
    // Named as the seal names it, which shows no user and no password.
    let named = store::identity(&first);
    assert!(said.contains(&named), "{said}");
    let args = ["--from", FILE, "--to", &second, "--instead-of", &named];
    let moved = site.carnet(&[&["events", "copy"], &args[..]].concat());
    let said = String::from_utf8_lossy(&moved.stderr);
    assert!(moved.status.success(), "{said}");
    // From now on it says so itself, and the place that was given up is refused.
    let said = Server::try_start(&site).err().expect("it is sealed");
    let now = store::identity(&second);
    assert!(said.contains(&now) && !said.contains(&named), "{said}");
    let said = refused(&copy(&site, FILE, &first));
    assert!(said.contains(&now), "{said}");
    // The same again changes nothing.
    let again = report(&copy(&site, FILE, &second));
    assert_eq!(again["resumed"], again["events"]);

    site.edit_config(FILE, &second);
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let log = operator
        .get("/api/operator/platform-log")
        .await
        .expect(200)
        .json();
    let items = log["items"].as_array().unwrap();
    let abandoned = items.iter();
    let abandoned: Vec<&Value> = abandoned
        .filter(|item| item["type"] == "copy_abandoned")
        .map(|item| &item["details"]["place"])
        .collect();
    assert_eq!(abandoned, [named.as_str()]);
}

#[tokio::test]
async fn what_can_not_be_copied_says_why_and_seals_nothing() {
    let site = Site::new(1);
    site.add_config("[store]\nurl = \"sqlite:data/events.db\"\n");
    Server::start(&site).stop();
    let nobody = "postgres://me:p%40ss@127.0.0.1:1/x";
    let wrong = shared::url_of("nobody", "p@ss");
    for (from, to, why) in [
        (FILE, "sqlite:data/events.db", "another process"),
        (FILE, "memory:", "--to"),
        ("sqlite:data/none.db", "sqlite:data/new.db", "no file"),
        (FILE, nobody, "can't be reached"),
        (FILE, wrong.as_str(), "password"),
        (FILE, "mysql://x", "names no event store"),
    ] {
        let said = refused(&copy(&site, from, to));
        assert!(said.contains(why), "{to}: {said}");
    }
    assert!(!site.path().join("data/none.db").exists());
    // It still serves, and another one of its kind is no place for it.
    Server::start(&site).stop();
    let other = Site::new(1);
    other.add_config("[store]\nurl = \"sqlite:data/events.db\"\n");
    Server::start(&other).stop();
    let taken = format!("sqlite:{}", other.path().join("data/events.db").display());
    let said = refused(&copy(&site, FILE, &taken));
    assert!(said.contains("not empty"), "{said}");
    Server::start(&site).stop();
}

#[tokio::test]
async fn half_a_copy_is_neither_served_nor_read_from() {
    let site = Site::new(1);
    site.add_config("[store]\nurl = \"sqlite:data/events.db\"\n");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["users"]).await["id"].clone();
    server.stop();
    let of = |name: &str| format!("sqlite:{}", site.path().join("data").join(name).display());
    let (from, to) = (of("events.db"), of("half.db"));
    let place = to.clone();
    let ended = std::thread::spawn(move || {
        let copying = async {
            let source = store::open(&from, Access::ReadWrite).await.unwrap();
            let target = store::open(&to, Access::ReadWrite).await.unwrap();
            let compared = |stage| assert!(!matches!(stage, Stage::Verifying(_)), "ended here");
            let way = Move {
                to: &place,
                instead_of: None,
                now: Timestamp::EPOCH,
            };
            drop(copy_log(&*source, &*target, way, &compared).await);
        };
        tokio::runtime::Runtime::new().unwrap().block_on(copying);
    });
    assert!(ended.join().is_err());

    site.edit_config(FILE, "sqlite:data/half.db");
    let said = Server::try_start(&site).err().expect("it is half a log");
    assert!(said.contains("carnet events copy"), "{said}");
    for command in [
        &["replay", id.as_str().unwrap()][..],
        &["projections", "rebuild"],
    ] {
        let said = refused(&site.carnet(command));
        assert!(said.contains("carnet events copy"), "{said}");
    }
    let whole = report(&copy(&site, FILE, "sqlite:data/half.db"));
    assert_eq!(whole["resumed"], whole["events"]);
    let server = Server::start(&site);
    assert_eq!(exports(&server, &site).await.len(), 1);
}
