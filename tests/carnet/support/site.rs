//! A site: a temporary folder with a tenants' database, a configuration, and all that the service writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use carnet_events::envelope::Recorded;
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{EventStore as _, Filter};
use futures::TryStreamExt as _;
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A configuration that lets a test export often.
const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"

[auth]
issuer = "https://issuer.example"
audience = "carnet"
hs256_secret = "SECRET"


[limits]
per_user = { accepted = 10000, window = "24h" }
per_tenant = { accepted = 10000, window = "24h" }


[workers]
max_running = 2
lease = "3s"


[artifacts]
url = "file:data/artifacts"

[[source]]
name = "main"
url = "sqlite:tenants.db"

[[category]]
id = "users"
title = "Users"
source = "main"
permission = "exports:users"
tenant_column = "tenant_id"
query = "select id, tenant_id, name, note from users where tenant_id = :tenant order by id"
[category.columns]
id = { type = "integer" }
tenant_id = { type = "text", rule = "drop" }
name = { type = "text" }
note = { type = "text" }

[[category]]
id = "tickets"
title = "Tickets"
source = "main"
tenant_column = "tenant_id"
query = "select id, tenant_id, subject from tickets where tenant_id = :tenant order by id"
[category.columns]
id = { type = "integer" }
tenant_id = { type = "text", rule = "drop" }
subject = { type = "text" }
"#;

/// See the module.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// Two tenants, `acme` and `globex`, with `rows` users and as many tickets each.
    pub(crate) fn new(rows: u32) -> Self {
        Self::with_tenants(&["acme".to_owned(), "globex".to_owned()], rows)
    }

    /// The given tenants with `rows` users and as many tickets each.
    pub(crate) fn with_tenants(tenants: &[String], rows: u32) -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        site.write_config(&CONFIG.replace("SECRET", SECRET));
        let mut database = site.tenants();
        database
            .execute_batch(
                "pragma journal_mode = wal;
                 create table users (id integer primary key, tenant_id text, name text, note text);
                 create table tickets (id integer primary key, tenant_id text, subject text);
                 create index users_by_tenant on users (tenant_id, id);
                 create index tickets_by_tenant on tickets (tenant_id, id);",
            )
            .unwrap();
        let transaction = database.transaction().unwrap();
        for tenant in tenants {
            for row in 0..rows {
                let name = format!("person {row} of {tenant}");
                let note = format!("note {row}, with some words in it");
                transaction
                    .prepare_cached("insert into users (tenant_id, name, note) values (?1, ?2, ?3)")
                    .unwrap()
                    .execute((tenant, name, note))
                    .unwrap();
                transaction
                    .prepare_cached("insert into tickets (tenant_id, subject) values (?1, ?2)")
                    .unwrap()
                    .execute((tenant, format!("ticket {row}")))
                    .unwrap();
            }
        }
        transaction.commit().unwrap();
        site
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("carnet.toml")
    }

    /// The tenants' database, for changing it.
    pub(crate) fn tenants(&self) -> Connection {
        Connection::open(self.path().join("tenants.db")).unwrap()
    }

    /// Replaces the configuration.
    pub(crate) fn write_config(&self, text: &str) {
        fs::write(self.config(), text).unwrap();
    }

    /// Replaces text in the configuration; it must be there.
    pub(crate) fn edit_config(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "the configuration has no {from:?}");
        self.write_config(&text.replace(from, to));
    }

    /// Adds to the configuration's end: sources and categories.
    pub(crate) fn add_config(&self, text: &str) {
        let before = fs::read_to_string(self.config()).unwrap();
        self.write_config(&format!("{before}\n{text}"));
    }

    /// Adds a category, read before those that every site has, whose query counts to `steps` before its first row.
    /// A number too large to count to keeps an export running until it is cancelled, on a machine of any speed.
    pub(crate) fn add_slow_category(&self, id: &str, steps: u64) {
        self.add_config(&format!(
            r#"
[[category]]
id = "{id}"
title = "Slow"
source = "main"
tenant_column = "tenant_id"
query = "with recursive n(i) as (select 1 union all select i + 1 from n where i < {steps}) select id, tenant_id from tickets where (select max(i) from n) > 0 and tenant_id = :tenant order by id"
[category.columns]
id = {{ type = "integer" }}
tenant_id = {{ type = "text", rule = "drop" }}
"#
        ));
    }

    /// Runs the program in this folder.
    pub(crate) fn carnet(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(super::program())
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// A client admin's token, made by the command line.
    pub(crate) fn token(&self, tenant: &str, user: &str) -> String {
        self.token_with(
            tenant,
            user,
            &["--role", "client_admin", "--permission", "exports:users"],
        )
    }

    /// The token of an operator, who belongs to no tenant.
    pub(crate) fn operator_token(&self, user: &str) -> String {
        let config = self.config();
        let config = config.to_str().unwrap();
        self.signed(&["--config", config, "--user", user, "--role", "operator"])
    }

    /// A token with these roles and permissions, given as arguments.
    pub(crate) fn token_with(&self, tenant: &str, user: &str, more: &[&str]) -> String {
        let config = self.config();
        let mut arguments = vec![
            "--config",
            config.to_str().unwrap(),
            "--tenant",
            tenant,
            "--user",
            user,
        ];
        arguments.extend(more);
        self.signed(&arguments)
    }

    fn signed(&self, arguments: &[&str]) -> String {
        let output = self.carnet(&[&["token"], arguments].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// All events, in their order; while no process has the store open.
    pub(crate) async fn log(&self) -> Vec<Recorded> {
        let store = SqliteStore::open(self.path().join("data/events.db")).unwrap();
        let all = store.read_all(None, Filter::all(), usize::MAX);
        all.try_collect().await.unwrap()
    }

    /// Files under the artifacts' folder, relative to it.
    pub(crate) fn artifact_files(&self) -> Vec<PathBuf> {
        let root = self.path().join("data/artifacts");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_path_buf());
                }
            }
        }
        found.sort();
        found
    }
}
