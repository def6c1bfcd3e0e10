//! Failures that an operator has to mend: each says what to do, at start and in the export's reason, and publishes nothing.

use std::io::Write as _;

use carnet::config::{Config, Inspection};
use carnet::export::catalog::SourceConfig;
use carnet::export::error::ExportError;
use carnet::export::source::source;
use carnet_actors::ports::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::desk::{Desk, Schema, category};
use crate::server::shared;

const QUERY: &str = "select id, name from t where tenant = :tenant order by id";
const COLUMNS: &str = "id = { type = 'integer' }\nname = { type = 'text' }";
const TABLE: &str =
    "create table t (id int, tenant text, name text); insert into t values (1, 'acme', 'a')";

/// What `carnet config check` and a start find, for one category of a source at `url`.
async fn inspected(url: &str, query: &str, columns: &str) -> Inspection {
    let text = format!(
        "[[source]]\nname = \"main\"\nurl = \"{url}\"\n{}",
        category("c", query, columns)
    );
    tokio::task::spawn_blocking(move || {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("carnet.toml");
        let auth = "[auth]\nissuer = \"https://i.example\"\nhs256_secret = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\n";
        std::fs::write(&file, format!("{auth}{text}")).unwrap();
        Config::load(&file).unwrap().inspect()
    })
    .await
    .unwrap()
}

/// The only thing wrong: its key, and problem and remedy together.
async fn complaint(url: &str, query: &str, columns: &str) -> (String, String) {
    let found = inspected(url, query, columns).await;
    let [error] = found.errors.as_slice() else {
        panic!("{:#?}", found.errors);
    };
    assert!(!error.remedy.is_empty());
    (
        error.key.clone(),
        format!("{}; {}", error.problem, error.remedy),
    )
}

#[tokio::test]
async fn a_source_that_fits_is_in_order() {
    let schema = Schema::new(TABLE);
    let found = inspected(&schema.url(), QUERY, COLUMNS).await;
    assert!(found.errors.is_empty(), "{:#?}", found.errors);
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_seen_at_start() {
    let schema = Schema::new(&format!(
        "{TABLE}; create table secret (tenant text); create function touch() returns int language sql as 'insert into t values (2) returning 1'; create view w as select 1 as id, point(1, 2) as name, 'acme' as tenant"
    ));
    for (query, key, said) in [
        (
            "select id, name from gone where tenant = :tenant",
            "query",
            "relation \"gone\" does not exist",
        ),
        (
            "select id, nome as name from t where tenant = :tenant",
            "query",
            "column \"nome\" does not exist",
        ),
        (
            "select id, name from t where id = :tenant::text",
            "query",
            "cast one side",
        ),
        (
            "select id, name from t where :scope is null or tenant = :tenant",
            "query",
            ":scope",
        ),
        (
            "select id, name frm t where tenant = :tenant",
            "query",
            "syntax error",
        ),
        (
            "select 1 as id, name from t where tenant = :tenant; select 2",
            "query",
            "multiple commands",
        ),
        (
            "delete from t where tenant = :tenant returning id, name",
            "query",
            "would change",
        ),
        (
            "with d as (delete from t where tenant = :tenant returning id, name) select * from d",
            "query",
            "would change",
        ),
        (
            "select id, name from t where tenant = :tenant for update",
            "query",
            "would change",
        ),
        ("insert into t select 1, :tenant", "query", "would change"),
        (
            "select id, name from w where tenant = :tenant",
            "columns.name",
            "name::text as name",
        ),
        (
            "select id::text as id, name from t where tenant = :tenant",
            "columns.id",
            "of type text in its source",
        ),
    ] {
        let (at, text) = complaint(&schema.url(), query, COLUMNS).await;
        assert_eq!(at, format!("[[category]] \"c\": {key}"), "{query}: {text}");
        assert!(text.contains(said), "{query}: {text}");
    }
    assert_eq!(schema.sql("select count(*) from t"), "1");
}

#[tokio::test]
async fn columns_that_come_or_go_are_warned_of_and_fail_exports() {
    let schema = Schema::new(TABLE);
    let query = "select * from t where tenant = :tenant";
    let columns = &format!("{COLUMNS}\ntenant = {{ rule = 'drop' }}");
    let desk = Desk::new(&schema.url(), &category("c", query, columns)).await;
    assert_eq!(desk.rows("c").await.unwrap().len(), 1);
    schema.sql("alter table t add phone text, drop name");
    let found = inspected(&schema.url(), query, columns).await;
    let warned: Vec<&str> = found.warnings.iter().map(|w| w.problem.as_str()).collect();
    assert!(warned.iter().any(|w| w.contains("\"phone\"")), "{warned:?}");
    assert!(warned.iter().any(|w| w.contains("\"name\"")), "{warned:?}");
    let failure = desk.rows("c").await.unwrap_err();
    assert_eq!(failure.code, "schema_drift");
    assert_eq!(failure.parameters["unknown_columns"], "phone");
    assert_eq!(failure.parameters["missing_columns"], "name");

    // Of another type, it fails by name.
    schema.sql("alter table t drop phone, add name point default '(1,2)'");
    let failure = desk.rows("c").await.unwrap_err();
    assert_eq!(failure.code, "invalid_value");
    assert_eq!(failure.parameters["column"], "name");
    schema.sql("drop table t");
    let failure = desk.rows("c").await.unwrap_err();
    assert_eq!(failure.code, "query_failed");
    assert!(!failure.retryable);
}

#[tokio::test]
async fn a_role_that_may_only_read_suffices_and_one_that_may_not_is_told_so() {
    let schema = Schema::new(TABLE);
    let role = schema.role();
    schema.sql(&format!("grant usage on schema {} to {role}", schema.0));
    let url = schema.url_of(&role, "reader");
    let desk = Desk::new(&url, &category("c", QUERY, COLUMNS)).await;
    let failure = desk.rows("c").await.unwrap_err();
    assert_eq!(failure.code, "source_denied");
    assert_eq!(failure.parameters["category"], "c");
    assert!(!failure.retryable);
    let (key, text) = complaint(&url, QUERY, COLUMNS).await;
    assert!(
        key.ends_with("query") && text.contains("permission denied for table t"),
        "{text}"
    );
    assert!(text.contains("grant select on"), "{text}");

    schema.sql(&format!(
        "grant select on t to {role}; alter role {role} set default_transaction_read_only = on"
    ));
    assert_eq!(desk.rows("c").await.unwrap().len(), 1);

    // Rows that it can't see would be left out without a word.
    schema.sql("alter table t enable row level security");
    let failure = desk.rows("c").await.unwrap_err();
    assert_eq!(failure.code, "source_denied");
    let (_, text) = complaint(&url, QUERY, COLUMNS).await;
    assert!(
        text.contains("row-level security") && text.contains("bypassrls"),
        "{text}"
    );
    schema.sql(&format!("alter role {role} bypassrls"));
    assert_eq!(desk.rows("c").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_is_named_and_the_password_is_not() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // A stand-in for whatever else listens on a port.
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mail = foreign.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in foreign.incoming() {
            let _ = stream.unwrap().write_all(b"220 mail.example ESMTP\r\n");
        }
    });
    let full = Schema::new(TABLE);
    let role = full.role();
    full.sql(&format!("alter role {role} connection limit 0"));
    for (url, code, said, retryable) in [
        (
            shared::url_of("carnet", "s3cret-word"),
            "source_denied",
            "check user and password",
            false,
        ),
        (
            shared::url_of("nobody", "s3cret-word"),
            "source_denied",
            "check user and password",
            false,
        ),
        (
            shared::url().replace("/postgres", "/s3cret-word"),
            "source_denied",
            "no such database",
            false,
        ),
        (
            format!("postgres://me:s3cret-word@{closed}/x"),
            "source_unavailable",
            "check host and port",
            true,
        ),
        (
            format!("{}?sslmode=require", shared::url()),
            "source_unavailable",
            "sslmode",
            true,
        ),
        (
            full.url_of(&role, "reader"),
            "source_unavailable",
            "it is tried again",
            true,
        ),
        (
            format!("postgres://me:s3cret-word@{mail}/x"),
            "source_unavailable",
            "is no PostgreSQL server",
            true,
        ),
    ] {
        let (key, text) = complaint(&url, QUERY, COLUMNS).await;
        assert_eq!(key, "source.0.url");
        assert!(text.contains(said), "{text}");
        assert!(
            !text.contains("s3cret-word@") && !text.contains(":s3cret"),
            "{text}"
        );
        let desk = Desk::new(&url, &category("c", QUERY, COLUMNS)).await;
        let failure = desk.rows("c").await.unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.retryable),
            (code, retryable)
        );
        assert_eq!(failure.parameters["source"], "main");
        assert!(!format!("{failure:?}").contains("s3cret"));
    }
}

/// What a statement says may quote the data, and the data must not get into a log.
#[tokio::test]
async fn errors_hold_no_value_from_the_data() {
    let schema = Schema::new(TABLE);
    schema.sql("update t set name = 's3cret-word'");
    let url = schema.url();
    let error = tokio::task::spawn_blocking(move || {
        let source = source(&SourceConfig::new("main", &url)).unwrap();
        let snapshot = source
            .open(&SystemClock::new(), &CancellationToken::new())
            .unwrap();
        let bindings = carnet::export::source::Bindings {
            tenant: "acme",
            scope: None,
        };
        let query = "select name::int as id from t where tenant = :tenant";
        snapshot
            .read("c", query, &bindings, &mut Nobody)
            .unwrap_err()
    })
    .await
    .unwrap();
    assert!(matches!(error, ExportError::QueryFailed { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("22P02") && !text.contains("s3cret"), "{text}");
}

struct Nobody;

impl carnet::export::source::Visitor for Nobody {
    fn columns(&mut self, _: &[&str]) -> Result<(), ExportError> {
        Ok(())
    }

    fn row(&mut self, _: &dyn carnet::export::source::Row) -> Result<(), ExportError> {
        Ok(())
    }
}

#[tokio::test]
async fn what_is_configured_wrongly_is_refused_before_anything_is_opened() {
    for (extra, url, said) in [
        ("", "postgres://me:s3cret-word@h:port/x", "port"),
        (
            "",
            "postgres://me:s3cret-word@h/x?sslmode=maybe",
            "verify-full",
        ),
        (
            "statement_timeout = \"0s\"",
            "postgres://me:s3cret-word@h/x",
            "out of bounds",
        ),
        (
            "statement_timeout = \"8d\"",
            "postgres://me:s3cret-word@h/x",
            "between",
        ),
        (
            "statement_timeout = \"10m\"",
            "sqlite:x.db",
            "PostgreSQL alone",
        ),
    ] {
        let text = format!("[[source]]\nname = \"main\"\nurl = \"{url}\"\n{extra}\n");
        let config: Config = toml::from_str(&text).unwrap();
        let error = config.catalog().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("s3cret-word"), "{error}");
        assert!(!config.shown_toml().unwrap().contains("s3cret-word"));
    }
}
