//! Configurations that can't be served: refused at start with file, key and remedy, and nothing changed.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::{SECRET, Server, Site, program};

const USERS: &str = "id = \"users\"\n";

/// Every file of a site with its content.
fn files(site: &Site) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![site.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.ends_with("-shm") && !name.ends_with("-wal") {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Starts the service where it must not start.
fn refused(site: &Site) -> String {
    let before = files(site);
    let output = serve(site);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    assert!(!said.contains("panicked"), "{said}");
    let after = files(site);
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    assert!(before == after, "a refused start changed a file");
    said
}

/// Serves; ended after a while, for a service that does start doesn't end by itself.
fn serve(site: &Site) -> Output {
    Command::new("timeout")
        .arg("120")
        .arg(program())
        .args(["serve", "--config", "carnet.toml"])
        .current_dir(site.path())
        .output()
        .unwrap()
}

#[test]
fn a_bad_configuration_is_refused_with_file_key_and_remedy() {
    let no_tenant = "where tenant_id = :tenant order by id\"\n[category.columns]\nid = { type = \"integer\" }\ntenant_id = { type = \"text\", rule = \"drop\" }\nname";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        (
            "an unknown key",
            "max_running = 2",
            "max_runing = 2",
            &["workers", "max_runing", "max_running"],
        ),
        ("an unknown section", "[workers]", "[worker]", &["worker"]),
        (
            "an unknown key of a category",
            USERS,
            "id = \"users\"\nqueries = \"x\"\n",
            &["category", "queries", "query"],
        ),
        (
            "a missing :tenant",
            no_tenant,
            &no_tenant.replace(":tenant", "'acme'"),
            &["users", "query", ":tenant"],
        ),
        (
            "an unknown rule",
            "rule = \"drop\"",
            "rule = \"erase\"",
            &["rule", "erase"],
        ),
        (
            "an unknown type",
            "name = { type = \"text\" }",
            "name = { type = \"varchar\" }",
            &["varchar", "name"],
        ),
        (
            "an unknown class",
            "name = { type = \"text\" }",
            "name = { class = \"dna\", rule = \"drop\" }",
            &["dna", "name"],
        ),
        (
            "a class with the wrong rule",
            "name = { type = \"text\" }",
            "name = { type = \"text\", class = \"secret\", rule = \"keep\", why = \"x\" }",
            &["users", "name", "drop"],
        ),
        (
            "keep without why",
            "name = { type = \"text\" }",
            "name = { type = \"text\", rule = \"keep\" }",
            &["name", "why"],
        ),
        (
            "a duplicate category",
            "id = \"tickets\"",
            "id = \"users\"",
            &["users"],
        ),
        (
            "an unknown source",
            "source = \"main\"\npermission",
            "source = \"other\"\npermission",
            &["users", "source", "other"],
        ),
        (
            "a source that isn't there",
            "url = \"sqlite:tenants.db\"",
            "url = \"sqlite:nowhere.db\"",
            &["source", "main", "nowhere.db"],
        ),
        (
            "a source that is no database",
            "url = \"sqlite:tenants.db\"",
            "url = \"sqlite:carnet.toml\"",
            &["source", "main"],
        ),
        (
            "a query that writes",
            "select id, tenant_id, name, note from users where tenant_id = :tenant order by id",
            "delete from users where tenant_id = :tenant returning id, tenant_id, name, note",
            &["users", "query"],
        ),
        (
            "a query that isn't SQL",
            "select id, tenant_id, name",
            "selct id, tenant_id, name",
            &["users", "query"],
        ),
        (
            "a tenant column that isn't selected",
            "tenant_column = \"tenant_id\"\nquery = \"select id, tenant_id, name",
            "tenant_column = \"org\"\nquery = \"select id, tenant_id, name",
            &["users", "tenant_column", "org"],
        ),
        (
            "a store nobody knows",
            "[workers]",
            "[store]\nurl = \"mysql:x\"\n[workers]",
            &["store.url"],
        ),
        (
            "an unwritable place",
            "url = \"file:data/artifacts\"",
            "url = \"file:/proc/carnet\"",
            &["artifacts.url", "/proc"],
        ),
        (
            "a wrong type",
            "max_running = 2",
            "max_running = \"two\"",
            &["workers.max_running"],
        ),
        (
            "a limit out of bounds",
            "max_running = 2",
            "max_running = 0",
            &["workers.max_running"],
        ),
        (
            "a lease out of bounds",
            "lease = \"3s\"",
            "lease = \"1s\"",
            &["workers.lease"],
        ),
        (
            "a short secret",
            SECRET,
            "0123456789abcdef",
            &["auth.hs256_secret"],
        ),
        (
            "no issuer",
            "issuer = \"https://issuer.example\"\n",
            "",
            &["auth.issuer"],
        ),
        (
            "no way to verify tokens",
            "hs256_secret",
            "# hs256_secret",
            &["auth"],
        ),
        ("broken TOML", "[workers]", "[workers", &[]),
    ];
    for (what, from, to, words) in cases {
        let site = Site::new(0);
        site.edit_config(from, to);
        let said = refused(&site);
        assert!(said.contains("carnet.toml"), "{what}: {said}");
        for word in *words {
            assert!(said.contains(word), "{what}: no {word:?} in\n{said}");
        }
        assert!(
            !said.contains("0123456789abcdef"),
            "{what}: the secret is told\n{said}"
        );
        assert!(
            said.lines()
                .any(|line| line.starts_with("    ") && line.len() > 8),
            "{what}: no remedy in\n{said}"
        );
        let check = site.carnet(&["config", "check", "--config", "carnet.toml"]);
        assert_eq!(check.status.code(), Some(1), "{what}: config check agrees");
    }
}

#[test]
fn a_configuration_that_isn_t_there_is_refused() {
    let site = Site::new(0);
    let output = site.carnet(&["serve", "--config", "nowhere.toml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nowhere.toml"), "{said}");
}

#[test]
fn a_port_in_use_is_refused_before_anything_is_made() {
    let site = Site::new(0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    site.edit_config("127.0.0.1:0", &address);
    let said = refused(&site);
    assert!(
        said.contains("server.listen") && said.contains(&address),
        "{said}"
    );
    assert!(!site.path().join("data").exists());
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    assert_eq!(client.export(&["users"]).await["status"], "completed");
    let output = serve(&site);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("store.url") && said.contains("another process"),
        "{said}"
    );
    assert_eq!(client.export(&["users"]).await["status"], "completed");
}

#[test]
fn a_storage_of_another_log_is_refused() {
    let site = Site::new(0);
    let (status, _) = Server::start(&site).stop();
    assert!(status.success());
    // The events are lost, the artifacts are not: a new log must not take them for its own.
    for entry in fs::read_dir(site.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    let marker = fs::read(site.path().join("data/artifacts/carnet-log.json")).unwrap();
    let output = serve(&site);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("artifacts") && said.contains("log"), "{said}");
    assert_eq!(
        fs::read(site.path().join("data/artifacts/carnet-log.json")).unwrap(),
        marker
    );
}

#[tokio::test]
async fn keys_that_the_log_does_not_know_keep_the_service_from_starting() {
    let site = Site::new(3);
    let keys = site.path().join("data/keys");
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    admin.export(&["tickets"]).await;
    server.stop();
    let kept = site.path().join("kept");
    fs::rename(&keys, &kept).unwrap();
    let log = Server::try_start(&site)
        .err()
        .expect("fresh keys are refused");
    assert!(
        log.contains("none of the keys this log was used with") && log.contains("--replace-keys"),
        "{log}"
    );
    // Restored, all is as it was; a key added by the command line is recognised.
    fs::rename(&kept, &keys).unwrap();
    let added = site.carnet(&["keys", "add", "data/keys", "--json"]);
    assert!(added.status.success(), "{added:?}");
    Server::start(&site).stop();
    let used = site.carnet(&["keys", "use", "data/keys", "--json"]);
    assert!(used.status.success(), "{used:?}");
    Server::start(&site).stop();
    let again = site.carnet(&["keys", "new", "data/keys"]);
    assert!(!again.status.success() && keys.exists());
}
