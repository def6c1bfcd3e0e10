//! What benches of the service share: a site with many small tenants, its process, and a client that exports.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use rusqlite::Connection;
use serde_json::{Value, json};

pub(crate) const TENANTS: usize = 64;
/// Rows of each category.
pub(crate) const ROWS: usize = 500;
pub(crate) const CATEGORIES: [&str; 2] = ["tickets", "users"];

/// Asks for an export and waits until it is completed, looking again and again after `pause`; gives its id.
pub(crate) async fn export(
    http: &Client,
    base: &str,
    token: &str,
    categories: &[&str],
    pause: Duration,
) -> String {
    let exports = format!("{base}/api/account-exports");
    let request = http
        .post(&exports)
        .bearer_auth(token)
        .json(&json!({"categories": categories}));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    let id = job["id"].as_str().unwrap().to_owned();
    loop {
        tokio::time::sleep(pause).await;
        let request = http.get(format!("{exports}/{id}")).bearer_auth(token);
        let job: Value = request.send().await.unwrap().json().await.unwrap();
        match job["status"].as_str() {
            Some("completed") => return id,
            Some("queued" | "running") => {}
            _ => panic!("{job}"),
        }
    }
}

/// A process that says where it listens; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let address = address
            .unwrap_or_else(|| panic!("it did not start: {line}"))
            .to_owned();
        Self { child, address }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn token(folder: &Path, tenant: usize) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_carnet"))
        .args([
            "token",
            "--config",
            "carnet.toml",
            "--role",
            "client_admin",
            "--user",
            "ada",
        ])
        .args(["--tenant", &format!("tenant-{tenant}")])
        .current_dir(folder)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A folder with a configuration, and a database of [`TENANTS`] tenants.
pub(crate) fn make_site(folder: &Path) {
    let mut config = String::from(
        r#"
[server]
listen = "127.0.0.1:0"
[auth]
issuer = "https://issuer.example"
hs256_secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
[limits]
per_user = { accepted = 10000, window = "24h" }
per_tenant = { accepted = 10000, window = "24h" }
[workers]
max_running = 8
[[source]]
name = "main"
url = "sqlite:tenants.db"
"#,
    );
    let mut database = Connection::open(folder.join("tenants.db")).unwrap();
    for category in CATEGORIES {
        config += &format!(
            r#"
[[category]]
id = "{category}"
title = "{category}"
source = "main"
tenant_column = "tenant"
query = "select id, tenant, name, note, made_at from {category} where tenant = :tenant order by id"
[category.columns]
id = {{ type = "integer" }}
tenant = {{ type = "text", rule = "drop" }}
name = {{ type = "text" }}
note = {{ type = "text" }}
made_at = {{ type = "timestamp" }}
"#
        );
        let sql = format!(
            "create table {category} (id integer primary key, tenant text, name text, note text, made_at text);
             create index {category}_by_tenant on {category} (tenant, id);"
        );
        database.execute_batch(&sql).unwrap();
        let transaction = database.transaction().unwrap();
        for tenant in 0..TENANTS {
            for row in 0..ROWS {
                let sql = format!(
                    "insert into {category} (tenant, name, note, made_at) values (?1, ?2, ?3, '2025-03-04 05:06:07')"
                );
                let values = (
                    format!("tenant-{tenant}"),
                    format!("name {row}"),
                    format!("a note about row {row}"),
                );
                transaction
                    .prepare_cached(&sql)
                    .unwrap()
                    .execute(values)
                    .unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    std::fs::write(folder.join("carnet.toml"), config).unwrap();
}
