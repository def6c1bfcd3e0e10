//! The pages of a tenant with a long history: how long each takes to answer, and how much a first visit loads.
//!
//! `cargo bench --bench pages` writes a history of 100,000 exports (`CARNET_BENCH_EXPORTS` for another number), more than a
//! million events of one tenant, under `target/`, once; starts the built program on it; and asks for each page
//! as a browser does. Promise: a median under 100 ms, and less than 150 KB for a first visit, files that pages share included.

#![allow(
    missing_docs,
    clippy::print_stdout,
    reason = "a program that prints figures"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it has nobody to hand an error to"
)]

#[path = "replay/history.rs"]
#[allow(
    dead_code,
    reason = "the other bench that has a history counts events, not exports"
)]
mod history;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use carnet_events::ids::Timestamp;
use carnet_events::store::sqlite::SqliteStore;
use reqwest::Client;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING};
use serde_json::Value;

const TENANT: &str = "tenant-0000";
const ROUNDS: usize = 21;
const PROMISED_TIME: Duration = Duration::from_millis(100);
const PROMISED_BYTES: usize = 150_000;
/// The history ends before anything of it would still be due.
const AGO: Duration = Duration::from_secs(10 * 86_400);

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
issuer = "https://issuer.example"
hs256_secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
[store]
url = "sqlite:events.db"
[[source]]
name = "main"
url = "sqlite:tenants.db"
[[category]]
id = "users"
title = "Users"
source = "main"
tenant_column = "tenant"
query = "select id, tenant, name from users where tenant = :tenant order by id"
[category.columns]
id = { type = "integer" }
tenant = { type = "text", rule = "drop" }
name = { type = "text" }
"#;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let exports = std::env::var("CARNET_BENCH_EXPORTS").ok();
    let exports = exports.and_then(|text| text.parse().ok());
    let folder = site(exports.unwrap_or(100_000)).await;
    let service = Service::start(&folder);
    let http = Client::new();
    let admin = Visitor::new(&http, &service, &folder, "client_admin", Some(TENANT));
    admin.wait_until_current().await;
    let id = admin.some_export().await;

    admin
        .measure("portal", "/settings?section=data-exports")
        .await;
    admin
        .measure(
            "portal, failed ones",
            "/settings?section=data-exports&status=failed",
        )
        .await;
    admin
        .measure(
            "portal, page 2000",
            "/settings?section=data-exports&page=2000",
        )
        .await;
    let auditor = Visitor::new(&http, &service, &folder, "auditor", Some(TENANT));
    auditor.measure("audit log", "/audit").await;
    auditor
        .measure("audit log of a type", "/audit?type=failed")
        .await;
    auditor
        .measure("audit log of a time", "/audit?from=2020-01-01T00:00:00Z")
        .await;
    auditor
        .measure("one export's booklet", &format!("/audit/exports/{id}"))
        .await;
    let operator = Visitor::new(&http, &service, &folder, "operator", None);
    operator.measure("operator's board", "/operator").await;
}

/// The service's folder with its history, written if it is not there yet.
async fn site(exports: u64) -> PathBuf {
    let target = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = target.join(format!("carnet-pages-{exports}"));
    if folder.join("carnet.toml").exists() {
        return folder;
    }
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let began = Instant::now();
    let lasts = history::LIFE_EVERY * u32::try_from(exports).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let begin = (now - AGO - lasts).as_millis();
    let setting = history::Setting {
        tenants: 1,
        begin: Timestamp::from_millis(i64::try_from(begin).unwrap()),
    };
    let store = SqliteStore::open(folder.join("events.db")).expect("a store");
    history::write_lives(&store, setting, exports).await;
    drop(store);
    let database = rusqlite::Connection::open(folder.join("tenants.db")).unwrap();
    let sql = "create table users (id integer primary key, tenant text, name text)";
    database.execute_batch(sql).unwrap();
    // Last: it says that the rest is whole.
    std::fs::write(folder.join("carnet.toml"), CONFIG).unwrap();
    println!(
        "wrote the history of {exports} exports in {:.1?}",
        began.elapsed()
    );
    folder
}

struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_carnet"))
            .args(["serve", "--config", "carnet.toml"])
            .current_dir(folder)
            .env("CARNET_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let address = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let address = address.unwrap_or_else(|| panic!("it did not start: {line}"));
        Self {
            child,
            address: address.to_owned(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody of one role, who asks as a browser does.
struct Visitor<'a> {
    http: &'a Client,
    base: &'a str,
    token: String,
}

impl<'a> Visitor<'a> {
    fn new(
        http: &'a Client,
        service: &'a Service,
        folder: &Path,
        role: &str,
        tenant: Option<&str>,
    ) -> Self {
        let output = Command::new(env!("CARGO_BIN_EXE_carnet"))
            .args([
                "token",
                "--config",
                "carnet.toml",
                "--user",
                "ada",
                "--role",
                role,
            ])
            .args(tenant.into_iter().flat_map(|tenant| ["--tenant", tenant]))
            .current_dir(folder)
            .output()
            .unwrap();
        let token = String::from_utf8(output.stdout).unwrap();
        Self {
            http,
            base: &service.address,
            token: token.trim().to_owned(),
        }
    }

    async fn json(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.base));
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// The read models fold the whole history at the first start; until they have, the list is not answered.
    async fn wait_until_current(&self) {
        let began = Instant::now();
        let list = format!("{}/api/account-exports", self.base);
        loop {
            let request = self.http.get(&list).bearer_auth(&self.token);
            if request.send().await.unwrap().status().is_success() {
                break;
            }
        }
        println!("read models are current after {:.1?}", began.elapsed());
    }

    async fn some_export(&self) -> String {
        let list = self.json("/api/account-exports?page=3").await;
        list["items"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn measure(&self, name: &str, path: &str) {
        let mut took = Vec::new();
        let mut page = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            page = self.bytes(path, "identity").await;
            took.push(began.elapsed());
        }
        let first = took[0];
        took.sort();
        let (median, slowest) = (took[ROUNDS / 2], took[ROUNDS - 1]);
        let bytes = self
            .first_visit(path, &String::from_utf8(page).unwrap())
            .await;
        let kept = median < PROMISED_TIME && bytes < PROMISED_BYTES;
        println!(
            "{name}: median {median:.1?}, first {first:.1?}, slowest {slowest:.1?}; first visit {bytes} bytes: {}",
            if kept { "kept" } else { "NOT kept" }
        );
    }

    /// The bytes of a page and of every file it names, as they travel.
    async fn first_visit(&self, path: &str, page: &str) -> usize {
        let mut bytes = self.bytes(path, "gzip").await.len();
        for part in page.split('"').filter(|part| part.starts_with("/assets/")) {
            bytes += self.bytes(part, "gzip").await.len();
        }
        bytes
    }

    async fn bytes(&self, path: &str, coding: &str) -> Vec<u8> {
        let request = self.http.get(format!("{}{path}", self.base));
        let request = request
            .bearer_auth(&self.token)
            .header(ACCEPT, "text/html")
            .header(ACCEPT_ENCODING, coding);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.bytes().await.unwrap().to_vec()
    }
}
