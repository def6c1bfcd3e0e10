//! Servers of other kinds: encrypted ones, standbys. And the program's own words about them.

use std::process::Command;
use std::time::{Duration, Instant};

use carnet_events::domain::export::Progress;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::desk::{Desk, Schema, category, until};
use crate::server::bouncer::Bouncer;
use crate::server::{Postgres, SMALL, certificates, shared};

#[tokio::test]
async fn an_encrypted_server_is_read_and_interrupted_over_tls() {
    let (server, files) = certificates::server();
    server.execute("ALTER SYSTEM SET ssl = on").unwrap();
    server.reload().unwrap();
    let url = |roots: &str| {
        format!(
            "{}?sslmode=verify-full&sslrootcert={}",
            server.url("postgres").replace("127.0.0.1", "localhost"),
            files.path().join(roots).display()
        )
    };
    let query = "select ssl from pg_stat_ssl where pid = pg_backend_pid() and length(:tenant) > 0";
    let categories = category("c", query, "ssl = { type = 'bool' }");
    let desk = Desk::new(&url("ca.pem"), &categories).await;
    // The server takes a moment to read its settings again.
    let rows = loop {
        match desk.rows("c").await {
            Ok(rows) => break rows,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert_eq!(rows, [json!({ "ssl": true })]);

    let failure = Desk::new(&url("foreign.pem"), &categories)
        .await
        .rows("c")
        .await
        .unwrap_err();
    assert_eq!(failure.code, "source_unavailable");

    let sleeping = "select pg_sleep(600)::text as s where length(:tenant) > 0 /* sleeps */";
    let desk = Desk::new(
        &url("ca.pem"),
        &category("c", sleeping, "s = { type = 'text' }"),
    )
    .await;
    let sleeps = || {
        let sql = "select count(*) from pg_stat_activity where query like '%/* sleeps */' and state = 'active'";
        server.query("postgres", sql).unwrap()
    };
    let cancel = CancellationToken::new();
    let cancelling = async {
        until("the statement to run", || (sleeps() == "1").then_some(())).await;
        cancel.cancel();
        Instant::now()
    };
    let (failed, cancelled) =
        tokio::join!(desk.run(&["c"], None, cancel.clone(), None), cancelling);
    assert_eq!(failed.unwrap_err().code, "cancelled");
    assert!(cancelled.elapsed() < Duration::from_secs(60));
    until("the server to stop", || (sleeps() == "0").then_some(())).await;
}

#[tokio::test]
async fn a_standby_is_read_until_its_primary_needs_otherwise() {
    let primary = Postgres::start(&[SMALL, "autovacuum = off"]).unwrap();
    primary
        .execute("create table t (tenant text, n int); insert into t select 'acme', n from generate_series(1, 1000) n")
        .unwrap();
    let standby = Postgres::standby_of(&primary, &["max_standby_streaming_delay = 0"]).unwrap();
    assert_eq!(
        standby
            .query("postgres", "select pg_is_in_recovery()")
            .unwrap(),
        "t"
    );
    let url = standby.url("postgres");
    let query = "select n from t where tenant = :tenant order by n";
    let desk = Desk::new(&url, &category("c", query, "n = { type = 'integer' }")).await;
    assert_eq!(desk.rows("c").await.unwrap().len(), 1000);

    let slow =
        "select n, pg_sleep(0.5)::text || repeat('x', 100000) as s from t where tenant = :tenant";
    let columns = "n = { type = 'integer' }\ns = { type = 'text' }";
    let slow = Desk::new(&url, &category("c", slow, columns)).await;
    let (told, mut progress) = watch::channel(Progress::START);
    let changing = async {
        progress
            .wait_for(|progress| progress.rows > 0)
            .await
            .unwrap();
        primary.execute("delete from t where n % 2 = 0").unwrap();
        primary.execute("vacuum t").unwrap();
    };
    let export = slow.run(&["c"], None, CancellationToken::new(), Some(told));
    let (failed, ()) = tokio::join!(export, changing);
    let failure = failed.unwrap_err();
    assert_eq!(failure.code, "source_conflict");
    assert!(failure.retryable);
    assert_eq!(desk.rows("c").await.unwrap().len(), 500);
}

/// Every transaction may get another connection of the server's, and hands it on to somebody else.
#[tokio::test]
async fn a_pooler_in_transaction_mode_will_do() {
    let schema = Schema::new(
        "create type mood as enum ('ok'); create table t (tenant text, n int, m mood); insert into t select 'acme', n, 'ok' from generate_series(1, 1000) n",
    );
    let bouncer = Bouncer::start(shared::port(), 2).unwrap();
    let query = format!(
        "select n, m from {}.t where tenant = :tenant order by n",
        schema.0
    );
    let categories = category(
        "c",
        &query,
        "n = { type = 'integer' }\nm = { type = 'text' }",
    );
    let desk = Desk::new(&bouncer.before(&shared::url()), &categories).await;
    for _ in 0..5 {
        let exports = futures::future::join_all((0..4).map(|_| desk.rows("c"))).await;
        for rows in exports {
            assert_eq!(rows.unwrap().len(), 1000);
        }
    }
}

/// What `carnet` says, and whether it went well.
fn carnet(arguments: &[&str], directory: &std::path::Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_carnet"))
        .args(arguments)
        .args(["--config", "carnet.toml"])
        .current_dir(directory)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        text(&output.stdout) + &text(&output.stderr),
    )
}

#[test]
fn the_program_checks_sources_and_starts_on_none_that_is_unfit() {
    let directory = tempfile::tempdir().unwrap();
    let write = |url: &str, query: &str| {
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nissuer = \"https://i.example\"\nhs256_secret = \"{}\"\n[[source]]\nname = \"main\"\nurl = \"{url}\"\n{}",
            "0123456789abcdef".repeat(4),
            category("c", query, "n = { type = 'integer' }"),
        );
        std::fs::write(directory.path().join("carnet.toml"), text).unwrap();
    };
    let query = "select 1 as n where length(:tenant) > 0";
    write(&shared::url(), query);
    let (fits, said) = carnet(&["config", "check"], directory.path());
    assert!(fits, "{said}");
    let (_, shown) = carnet(&["config", "print"], directory.path());
    assert!(shown.contains("postgres://********@127.0.0.1"), "{shown}");

    write(&shared::url_of("carnet", "s3cret-word"), query);
    for command in [&["config", "check"][..], &["serve"]] {
        let (fits, said) = carnet(command, directory.path());
        assert!(!fits);
        assert!(said.contains("check user and password"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    write(
        &shared::url(),
        "select n from no_such_table where tenant = :tenant",
    );
    let (fits, said) = carnet(&["serve"], directory.path());
    assert!(!fits);
    assert!(
        said.contains("no_such_table") && said.contains("correct the table's name"),
        "{said}"
    );

    // A certificate's path is relative to the configuration.
    write(
        &format!(
            "{}?sslmode=verify-full&sslrootcert=roots.pem",
            shared::url()
        ),
        query,
    );
    let (fits, said) = carnet(&["config", "check"], directory.path());
    let named = directory.path().join("roots.pem");
    assert!(
        !fits && said.contains(&named.display().to_string()),
        "{said}"
    );
}
