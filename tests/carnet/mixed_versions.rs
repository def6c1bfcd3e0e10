//! A node that is older than the history it works on: it decides nothing about what a newer release wrote, says so, serves
//! all else, and goes on by itself once it is upgraded.

use std::time::Duration;

use rusqlite::{Connection, params};
use serde_json::Value;

use crate::support::{Client, Server, Site};

const UPGRADE: &str = "upgrade this node";

fn site() -> Site {
    Site::with_tenants(&["acme", "globex", "initech"].map(str::to_owned), 3)
}

fn log(site: &Site) -> Connection {
    Connection::open(site.path().join("data/events.db")).unwrap()
}

/// Appends what a later release might write, by hand: this one can't.
fn append(site: &Site, stream: &str, kind: &str, schema: u16, data: &str) {
    let log = log(site);
    let metadata: Vec<u8> = log
        .query_row(
            "select metadata from events join streams on streams.id = stream where name = ? order by revision desc",
            [stream],
            |row| row.get(0),
        )
        .unwrap();
    let mut metadata: Value = serde_json::from_slice(&metadata).unwrap();
    metadata["schema"] = schema.into();
    log.execute(
        "insert into events (position, stream, revision, id, kind, data, metadata)
         select (select max(position) + 1 from events), stream, max(revision) + 1, randomblob(16), ?2, ?3, ?4
         from events join streams on streams.id = stream where name = ?1",
        params![stream, kind, data.as_bytes(), metadata.to_string().as_bytes()],
    )
    .unwrap();
}

/// How many events a stream has.
fn events(site: &Site, stream: &str) -> i64 {
    let count = "select count(*) from events join streams on streams.id = stream where name = ?";
    log(site)
        .query_row(count, [stream], |row| row.get(0))
        .unwrap()
}

/// Stands for the upgrade: what couldn't be read is now something this release knows.
fn upgrade(site: &Site) {
    let mut log = log(site);
    let guard = "select sql from sqlite_schema where name = 'events_are_never_changed'";
    let guard: String = log.query_row(guard, [], |row| row.get(0)).unwrap();
    let change = log.transaction().unwrap();
    change
        .execute_batch(
            "drop trigger events_are_never_changed;
             update events set metadata = cast(replace(cast(metadata as text), '\"schema\":99', '\"schema\":1') as blob);
             update events set kind = 'links_revoked' where kind = 'links_recalled';",
        )
        .unwrap();
    change.execute_batch(&guard).unwrap();
    change.commit().unwrap();
}

async fn is_ready(server: &Server) -> (u16, Value) {
    let answer = server.client("").get("/readyz").await;
    (answer.status.as_u16(), answer.json())
}

async fn until_ready(server: &Server, wanted: u16) -> Value {
    for _ in 0..6000 {
        match is_ready(server).await {
            (status, body) if status == wanted => return body,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("/readyz never answers {wanted}:\n{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_newer_release_wrote_is_left_alone_until_the_node_is_upgraded() {
    let site = site();
    let tokens = ["acme", "globex", "initech"].map(|tenant| site.token(tenant, "ada"));
    let operator = site.operator_token("op");
    let clients =
        |server: &Server| -> [Client; 3] { [0, 1, 2].map(|number| server.client(&tokens[number])) };

    let server = Server::start(&site);
    let [acme, globex, _] = clients(&server);
    acme.export(&["users"]).await;
    let made = globex.export(&["users"]).await;
    let id = made["id"].as_str().unwrap();
    server.stop();
    let principal = "p-0123456789abcdef0123456789abcdef";
    let by = format!(r#"{{"principal":"{principal}"}}"#);
    append(&site, "tenant-acme", "reopened", 99, &by);
    let by = format!(r#"{{"principal":"{principal}","of":"{principal}"}}"#);
    append(&site, &format!("export-{id}"), "links_recalled", 1, &by);
    let before = events(&site, "tenant-acme");

    let server = Server::start(&site);
    let [acme, globex, initech] = clients(&server);
    for answer in [
        acme.create(&["users"]).await,
        globex.get(&format!("/api/account-exports/{id}")).await,
        globex.download(id, &[]).await,
        globex
            .act(&format!("/api/account-exports/{id}/cancel"))
            .await,
    ] {
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (503, "node_outdated")
        );
        assert!(!answer.header("retry-after").is_empty());
        server.logged(UPGRADE).await;
    }
    // Streams that this release can read are decided on as ever.
    let made = initech.export(&["users"]).await;
    assert_eq!(made["status"], "completed", "{made}");
    let body = until_ready(&server, 503).await;
    assert_eq!(body["checks"]["projections"], "failed", "{body}");
    assert_eq!(body["checks"]["store"], "ok", "{body}");
    let board = server.client(&operator).get("/api/operator/overview").await;
    let board = board.expect(200).text();
    assert!(board.contains(UPGRADE), "{board}");
    server.stop();
    assert_eq!(
        events(&site, "tenant-acme"),
        before,
        "something was decided"
    );

    upgrade(&site);
    let server = Server::start(&site);
    until_ready(&server, 200).await;
    let [acme, globex, initech] = clients(&server);
    assert_eq!(acme.export(&["users"]).await["status"], "completed");
    globex.download(id, &[]).await.expect(200);
    for (client, exports) in [(acme, 2), (globex, 1), (initech, 1)] {
        let list = client.get("/api/account-exports").await.expect(200).json();
        assert_eq!(list["total"], exports, "{list}");
    }
}

/// An older release that is started on a log whose platform stream it can't read says so, and writes nothing.
#[test]
fn a_node_that_cant_read_the_platform_s_stream_refuses_to_start() {
    let site = site();
    Server::start(&site).stop();
    let node = std::fs::read_to_string(site.path().join("data/node")).unwrap();
    let keys = format!(r#"{{"node":"{}","keys":[]}}"#, node.trim());
    append(&site, "platform", "keys_applied", 99, &keys);
    let before = events(&site, "platform");
    let Err(said) = Server::try_start(&site) else {
        panic!("started");
    };
    assert!(said.contains(UPGRADE), "{said}");
    assert_eq!(events(&site, "platform"), before);
}

/// What it shows stays as it was, and so does why it couldn't be filled anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_model_that_could_not_be_rebuilt_says_why_until_it_is() {
    let site = site();
    let server = Server::start(&site);
    let acme = server.client(&site.token("acme", "ada"));
    let made = acme.export(&["users"]).await;
    server.stop();
    let stream = format!("export-{}", made["id"].as_str().unwrap());
    append(&site, &stream, "links_recalled", 1, "{}");
    let status = |more: &[&str]| {
        let asked = ["projections", "status", "--config", "carnet.toml"];
        let told = site.carnet(&[&asked[..], more].concat());
        assert!(told.status.success(), "{told:?}");
        String::from_utf8(told.stdout).unwrap()
    };
    assert!(!status(&[]).contains("came to nothing"));
    let rebuild = [
        "projections",
        "rebuild",
        "exports",
        "--config",
        "carnet.toml",
    ];
    let failed = site.carnet(&rebuild);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let text = status(&[]);
    let why = text.lines().find(|line| line.contains("came to nothing"));
    assert!(why.is_some_and(|why| why.contains(UPGRADE)), "{text}");
    let document: Value = serde_json::from_str(&status(&["--json"])).unwrap();
    for one in document["projections"].as_array().unwrap() {
        let why = one["rebuild_failed"].as_str();
        assert_eq!(why.is_some(), one["name"] == "exports", "{one}");
    }

    let principal = "p-0123456789abcdef0123456789abcdef";
    let change = log(&site);
    let guard = "select sql from sqlite_schema where name = 'events_are_never_changed'";
    let guard: String = change.query_row(guard, [], |row| row.get(0)).unwrap();
    change
        .execute_batch("drop trigger events_are_never_changed")
        .unwrap();
    let by = format!(r#"{{"principal":"{principal}","of":"{principal}"}}"#);
    let sql = "update events set kind = 'links_revoked', data = ? where kind = 'links_recalled'";
    change.execute(sql, [by.as_bytes()]).unwrap();
    change.execute_batch(&guard).unwrap();
    drop(change);
    let rebuilt = site.carnet(&rebuild);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert!(!status(&[]).contains("came to nothing"));
}
