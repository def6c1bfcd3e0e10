#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::path::Path;
use std::time::Instant;

use carnet_events::domain::request::{ExportKind, Format, Origin, Request};
use carnet_events::ids::{ExportId, PrincipalId};
use rusqlite::Connection;
use uuid::Uuid;

use super::*;
use crate::export::catalog::{CategoryConfig, SourceConfig};

/// A clock that stands still.
pub(super) struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}

#[derive(serde::Deserialize)]
struct File {
    category: Vec<CategoryConfig>,
}

const CATEGORIES: &str = r#"
[[category]]
id = "users"
title = "Users"
source = "main"
tenant_column = "tenant"
query = "select id, tenant, name, email, note, meta, created from users where tenant = :tenant order by id"
[category.columns]
id = { type = "integer" }
tenant = { rule = "drop", type = "text" }
name = { type = "text" }
email = { class = "email", type = "text", rule = "hash" }
note = { type = "text" }
meta = { type = "json" }
created = { type = "timestamp" }

[[category]]
id = "orders"
title = "Orders"
source = "main"
query = "select o.id, o.total from orders o join users u on u.id = o.user where u.tenant = :tenant order by o.id"
[category.columns]
id = { type = "integer" }
total = { type = "decimal" }
"#;

const TABLES: &str = "
    create table users (id integer primary key, tenant text, name text, email text, note, meta text, created text);
    create table orders (id integer primary key, user integer, total real);
    insert into users values
        (1, 'acme', 'Ada', 'ada@example.com', 'call +1 415 555 2671', '{\"b\":1,\"a\":\"=x\"}', '2024-01-15 10:15:30'),
        (2, 'acme', '=cmd()', null, null, null, '2024-01-15T10:15:30Z'),
        (3, 'other', 'Bob', 'bob@example.com', 'x', '[]', '2024-01-15 10:15:30');
    insert into orders values (1, 1, 0.99), (2, 3, 5);
";

pub(super) struct Fixture {
    directory: tempfile::TempDir,
    pub(super) exporter: Exporter,
    storages: Arc<Storages>,
}

impl Fixture {
    pub(super) async fn new(categories: &str, tables: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.db");
        let connection = Connection::open(&database).unwrap();
        connection
            .pragma_update(None, "journal_mode", "wal")
            .unwrap();
        connection.execute_batch(tables).unwrap();
        let file: File = toml::from_str(categories).unwrap();
        let source = SourceConfig::new("main", &format!("sqlite:{}", database.display()));
        let catalog = Arc::new(Catalog::compile(&[source], &file.category).unwrap());
        let url = format!("file:{}", directory.path().join("artifacts").display());
        let storages = Storages::open(&url, &BTreeMap::new(), "log-1").await;
        let storages = Arc::new(storages.unwrap());
        let keys = directory.path().join("keys");
        std::fs::write(&keys, format!("k1 {}\n", "ab".repeat(32))).unwrap();
        std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let parts = Parts {
            storages: Arc::clone(&storages),
            keys: Arc::new(KeyRing::open(&keys).unwrap()),
            clock: Arc::new(Still),
            compress_threads: NonZeroUsize::new(2).unwrap(),
        };
        let exporter = Exporter::new(catalog, parts).unwrap();
        Self {
            directory,
            exporter,
            storages,
        }
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.directory.path().join("t.db"))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }

    pub(super) fn job(&self, tenant: &str, categories: &[&str]) -> Job {
        let tenant = TenantId::new(tenant).unwrap();
        let categories: Vec<String> = categories.iter().map(|id| (*id).to_owned()).collect();
        let policy_digests = self.exporter.current_digests(&categories).unwrap();
        Job {
            export: ExportId::from_uuid(Uuid::from_u128(7)),
            request: Request {
                tenant,
                principal: PrincipalId::new("p").unwrap(),
                origin: Origin::User,
                kind: ExportKind::Account,
                categories,
                scope: None,
                format: Format::Json,
                layers: vec![],
                policy_digests: policy_digests.clone(),
                retry_of: None,
            },
            attempt: 1,
            claim: Uuid::from_u128(9),
            policy_digests,
            started_at: Timestamp::from_millis(1_700_000_000_000),
            ttl: None,
        }
    }

    async fn run(&self, job: Job) -> Result<RunOutput, RunFailure> {
        self.exporter
            .run(
                job,
                watch::channel(Progress::START).0,
                CancellationToken::new(),
            )
            .await
    }

    fn file(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.directory.path().join("artifacts").join(key)).unwrap()
    }

    /// Everything stored but the log's mark.
    fn stored(&self) -> Vec<String> {
        fn walk(path: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.push(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.directory.path().join("artifacts"), &mut found);
        found.retain(|name| name != "carnet-log.json");
        found
    }
}

async fn failing(tables: &str) -> (RunFailure, Fixture) {
    let fixture = Fixture::new(CATEGORIES, &format!("{TABLES}{tables}")).await;
    let failure = fixture
        .run(fixture.job("acme", &["orders", "users"]))
        .await
        .expect_err("it fails");
    assert_eq!(fixture.stored(), Vec::<String>::new());
    (failure, fixture)
}

#[tokio::test]
async fn an_export_holds_the_tenants_rows_cleaned_and_in_order() {
    let fixture = Fixture::new(CATEGORIES, TABLES).await;
    let output = fixture
        .run(fixture.job("acme", &["users", "orders"]))
        .await
        .unwrap();
    let text = String::from_utf8(fixture.file(&output.artifact.key)).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text, serde_json_canonicalizer::to_string(&value).unwrap());
    assert_eq!(
        value["data"]["orders"],
        serde_json::json!([{ "id": 1, "total": "0.99" }])
    );
    let users = value["data"]["users"].as_array().unwrap();
    assert_eq!(users.len(), 2);
    assert_eq!(users[0]["note"], "call [redacted:phone]");
    assert_eq!(users[0]["meta"], serde_json::json!({ "a": "'=x", "b": 1 }));
    assert!(
        users[0]["email"]
            .as_str()
            .unwrap()
            .starts_with("hmac-sha256:k1:")
    );
    assert!(users[0].get("tenant").is_none());
    assert_eq!(users[1]["name"], "'=cmd()");
    let manifest = &value["manifest"];
    assert_eq!(
        manifest["categories"]["users"]["redacted"],
        serde_json::json!({ "phone": 1 })
    );
    assert_eq!(manifest["categories"]["users"]["neutralised"], 2);
    assert_eq!(manifest["categories"]["users"]["rows"], 2);
    assert_eq!(manifest["generated_at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(output.categories["users"].rows, 2);
    assert_eq!(output.artifact.json_bytes, text.len() as u64);
}

#[tokio::test]
async fn the_same_job_makes_the_same_bytes() {
    let more = "with recursive n(i) as (select 10 union all select i + 1 from n where i < 4000) \
                insert into users select i, 'acme', 'name ' || i, null, hex(i * 7919) || ' order 0', '[' || i || ']', '2024-01-15 10:15:30' from n;";
    for layers in [vec![], vec![Layer::Gzip], vec![Layer::Zstd]] {
        let mut files = Vec::new();
        for _ in 0..2 {
            let fixture = Fixture::new(CATEGORIES, &format!("{TABLES}{more}")).await;
            let mut job = fixture.job("acme", &["users", "orders"]);
            job.request.layers = layers.clone();
            let output = fixture.run(job).await.unwrap();
            files.push(fixture.file(&output.artifact.key));
        }
        assert!(files[0] == files[1], "{layers:?}");
    }
}

#[tokio::test]
async fn failures_name_what_was_wrong_and_leave_nothing() {
    for (tables, code, column) in [
        (
            "update users set note = cast(x'ff' as text) where id = 1",
            "invalid_value",
            Some("note"),
        ),
        (
            "update users set note = 5 where id = 1",
            "invalid_value",
            Some("note"),
        ),
        (
            "update users set meta = '{\"a\":1,\"a\":2}' where id = 1",
            "invalid_value",
            Some("meta"),
        ),
        (
            "update users set meta = '[9007199254740993]' where id = 1",
            "value_out_of_range",
            Some("meta"),
        ),
        (
            "insert into users (id, tenant) values (9007199254740992, 'acme')",
            "value_out_of_range",
            Some("id"),
        ),
        (
            "update orders set total = 9e999",
            "value_out_of_range",
            Some("total"),
        ),
        (
            "update users set created = 1705312530 where id = 1",
            "invalid_value",
            Some("created"),
        ),
        (
            "update users set note = printf('%.*c', 16777217, 'x') where id = 1",
            "cell_too_large",
            Some("note"),
        ),
        (
            "update users set note = printf('%.*c', 40000000, 'x') where id = 1",
            "cell_too_large",
            Some("note"),
        ),
        ("drop table orders", "query_failed", None),
        (
            "alter table users rename column email to mail",
            "query_failed",
            Some("email"),
        ),
    ] {
        let (failure, _fixture) = failing(tables).await;
        assert_eq!(failure.code, code, "{tables}");
        assert_eq!(
            failure.parameters.get("column").map(String::as_str),
            column,
            "{tables}"
        );
        assert!(failure.parameters.contains_key("category") && !failure.retryable);
    }
}

#[tokio::test]
async fn a_new_column_is_drift_and_named() {
    let categories = CATEGORIES.replace(
        "select id, tenant, name, email, note, meta, created",
        "select *",
    );
    let fixture = Fixture::new(&categories, TABLES).await;
    fixture
        .run(fixture.job("acme", &["users"]))
        .await
        .expect("it fits");
    fixture.sql("alter table users add column passport text");
    let mut job = fixture.job("acme", &["users"]);
    job.attempt = 2;
    let failure = fixture.run(job).await.expect_err("drift");
    assert_eq!(failure.code, "schema_drift");
    assert_eq!(
        failure
            .parameters
            .get("unknown_columns")
            .map(String::as_str),
        Some("passport")
    );
}

#[tokio::test]
async fn a_query_that_lets_others_in_is_caught() {
    let fixture = Fixture::new(
        &CATEGORIES.replace(
            "where tenant = :tenant order",
            "where tenant = :tenant or 1 order",
        ),
        TABLES,
    )
    .await;
    let failure = fixture
        .run(fixture.job("acme", &["users"]))
        .await
        .expect_err("caught");
    assert_eq!(failure.code, "isolation_violation");
    assert_eq!(
        failure.parameters.get("column").map(String::as_str),
        Some("tenant")
    );
    assert_eq!(fixture.stored(), Vec::<String>::new());
}

#[tokio::test]
async fn policies_and_scopes_are_those_of_the_job_or_it_fails() {
    let fixture = Fixture::new(CATEGORIES, TABLES).await;
    let mut job = fixture.job("acme", &["users"]);
    job.policy_digests
        .insert("users".to_owned(), Digest::from_bytes([0; 32]));
    assert_eq!(
        fixture.run(job).await.expect_err("changed").code,
        "policy_changed"
    );

    let mut job = fixture.job("acme", &["users"]);
    job.request.scope = Some(carnet_events::domain::request::Scope {
        id: "north".to_owned(),
    });
    assert_eq!(
        fixture.run(job).await.expect_err("unsupported").code,
        "scope_unsupported"
    );

    let mut job = fixture.job("acme", &["users"]);
    job.request.categories = vec!["gone".to_owned()];
    assert_eq!(
        fixture.run(job).await.expect_err("unknown").code,
        "unknown_category"
    );
}

/// Both categories read from one snapshot: what is written after it was fixed is in neither.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_inserted_while_the_export_runs_is_not_in_it() {
    let slow = "with recursive n(i) as (select 10 union all select i + 1 from n where i < 60000) \
                insert into orders select i, 1, i from n;";
    let fixture = Fixture::new(CATEGORIES, &format!("{TABLES}{slow}")).await;
    let (sender, mut progress) = watch::channel(Progress::START);
    let inserted = async {
        progress
            .wait_for(|progress| progress.rows > 0)
            .await
            .unwrap();
        fixture.sql("insert into users (id, tenant, name) values (100, 'acme', 'late'); insert into orders values (100000, 1, 1)");
    };
    let run = fixture.exporter.run(
        fixture.job("acme", &["users", "orders"]),
        sender,
        CancellationToken::new(),
    );
    let (output, ()) = tokio::join!(run, inserted);
    let text = String::from_utf8(fixture.file(&output.unwrap().artifact.key)).unwrap();
    assert!(!text.contains("late") && !text.contains("100000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_a_slow_query_at_once_and_leaves_nothing() {
    let endless = r#"
[[category]]
id = "endless"
title = "Endless"
source = "main"
query = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n where i < 0 and :tenant = 'acme'"
[category.columns]
i = { type = "integer" }
"#;
    let fixture = Fixture::new(endless, TABLES).await;
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        token.cancel();
    });
    let start = Instant::now();
    let run = fixture.exporter.run(
        fixture.job("acme", &["endless"]),
        watch::channel(Progress::START).0,
        cancel,
    );
    let failure = run.await.expect_err("cancelled");
    assert_eq!(failure.code, "cancelled");
    // The query never ends by itself.
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(fixture.stored(), Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_source_is_worth_another_attempt() {
    let fixture = Fixture::new(CATEGORIES, TABLES).await;
    std::fs::remove_file(fixture.directory.path().join("t.db")).unwrap();
    let failure = fixture
        .run(fixture.job("acme", &["users"]))
        .await
        .expect_err("unavailable");
    assert_eq!(failure.code, "source_unavailable");
    assert!(failure.retryable);
    assert_eq!(
        failure.parameters.get("source").map(String::as_str),
        Some("main")
    );
}

#[tokio::test]
async fn storage_counts_as_verified_once_it_was() {
    let fixture = Fixture::new(CATEGORIES, TABLES).await;
    let tenant = TenantId::new("acme").unwrap();
    assert!(!fixture.exporter.storage_verified(&tenant).await);
    fixture.storages.verify(Timestamp::EPOCH).await;
    assert!(fixture.exporter.storage_verified(&tenant).await);
    let output = fixture.run(fixture.job("acme", &["users"])).await.unwrap();
    fixture.exporter.delete(&output.artifact.key).await.unwrap();
    fixture.exporter.delete(&output.artifact.key).await.unwrap();
    assert_eq!(fixture.stored(), Vec::<String>::new());
    assert!(fixture.exporter.delete("../x").await.is_err());
}

#[tokio::test]
async fn a_scope_limits_the_rows_and_stands_in_the_manifest() {
    let scoped = r#"
[[category]]
id = "users"
title = "Users"
source = "main"
query = "select id from users where tenant = :tenant and (:scope is null or name = :scope) order by id"
[category.columns]
id = { type = "integer" }
"#;
    let fixture = Fixture::new(scoped, TABLES).await;
    for (scope, expected, attempt) in [(None, 2, 1), (Some("Ada"), 1, 2), (Some("nobody"), 0, 3)] {
        let mut job = fixture.job("acme", &["users"]);
        job.attempt = attempt;
        job.request.scope =
            scope.map(|id| carnet_events::domain::request::Scope { id: id.to_owned() });
        let output = fixture.run(job).await.unwrap();
        assert_eq!(output.categories["users"].rows, expected);
        let value: serde_json::Value =
            serde_json::from_slice(&fixture.file(&output.artifact.key)).unwrap();
        assert_eq!(value["manifest"]["scope"], serde_json::json!(scope));
    }
}
