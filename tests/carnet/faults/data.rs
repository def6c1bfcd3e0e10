//! Data that isn't what the catalog says: the export fails, names the place and never the value, and leaves nothing.

use serde_json::Value;

use crate::support::{Client, Server, Site};

/// Stands in every bad value that can hold text.
const MARKER: &str = "Zq9marker";

const THINGS: &str = r#"
[[category]]
id = "things"
title = "Things"
source = "main"
tenant_column = "owner"
query = "select id, owner, amount, ratio, words, doc from things where tenant_id = :tenant order by id"
[category.columns]
id = { type = "integer" }
owner = { type = "text", rule = "drop" }
amount = { type = "integer" }
ratio = { type = "float" }
words = { type = "text" }
doc = { type = "json" }
"#;

/// A site with a category of things, whose columns hold whatever they are given.
fn site() -> Site {
    let site = Site::new(5);
    site.edit_config(
        "[[category]]\nid = \"users\"",
        &format!("{THINGS}\n[[category]]\nid = \"users\""),
    );
    site.edit_config("max_running = 2", "max_running = 2\nmax_attempts = 1");
    site.tenants()
        .execute_batch(
            "create table things (id integer primary key, tenant_id text, owner, amount, ratio, words, doc);
             insert into things values (1, 'acme', 'acme', 1, 0.5, 'fine', '{}');
             insert into things values (2, 'acme', 'acme', 2, 0.5, 'fine', '{}');",
        )
        .unwrap();
    site
}

async fn failed(client: &Client, categories: &[&str]) -> (String, String) {
    let job = client.export(categories).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(job["artifact"], Value::Null);
    let id = job["id"].as_str().unwrap();
    assert_eq!(client.download(id, &[]).await.code(), "not_ready");
    let history = client
        .get(&format!("/api/account-exports/{id}/history"))
        .await
        .expect(200);
    let history = String::from_utf8(history.body).unwrap();
    assert!(!history.contains(MARKER), "{history}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&job["reason"]["code"]), text(&job["reason"]["detail"]))
}

#[track_caller]
fn nothing_is_left(site: &Site, id_or_not: &str) {
    let left: Vec<_> = site
        .artifact_files()
        .into_iter()
        .filter(|file| file.to_str().unwrap().contains("acme"))
        .collect();
    assert!(left.is_empty(), "{id_or_not}: {left:?}");
}

#[tokio::test]
async fn a_value_that_isn_t_what_its_column_says_fails_the_export_and_is_never_told() {
    let site = site();
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    let cases = [
        ("amount", "'12 Zq9marker'", "invalid_value"),
        ("amount", "9007199254740992", "value_out_of_range"),
        ("amount", "-9007199254740992", "value_out_of_range"),
        ("amount", "1.5", "invalid_value"),
        ("amount", "x'00ff'", "invalid_value"),
        ("ratio", "9e999", "value_out_of_range"),
        ("ratio", "-9e999", "value_out_of_range"),
        ("ratio", "'Zq9marker'", "invalid_value"),
        (
            "words",
            "cast(x'5a71396d61726b6572ff' as text)",
            "invalid_value",
        ),
        ("words", "cast(x'eda080' as text)", "invalid_value"),
        ("words", "x'5a71'", "invalid_value"),
        (
            "doc",
            "'{\"Zq9marker\":1,\"Zq9marker\":2}'",
            "invalid_value",
        ),
        ("doc", "'{\"a\":\"\\ud800\"}'", "invalid_value"),
        ("doc", "'{\"a\":1e999}'", "value_out_of_range"),
        ("doc", "'{\"Zq9marker\"'", "invalid_value"),
    ];
    for (column, value, code) in cases {
        let database = site.tenants();
        let change = format!("update things set {column} = {value} where id = 2");
        database.execute(&change, []).unwrap();
        let (found, detail) = failed(&client, &["things", "users"]).await;
        assert_eq!(found, code, "{column} = {value}: {detail}");
        assert!(
            detail.contains("things") && detail.contains(column),
            "{detail}"
        );
        assert!(!detail.contains(MARKER), "{detail}");
        nothing_is_left(&site, value);
        database
            .execute(
                "update things set amount = 2, ratio = 0.5, words = 'fine', doc = '{}'",
                [],
            )
            .unwrap();
    }
    assert!(!server.log().contains(MARKER), "{}", server.log());
    assert_eq!(
        client.export(&["things", "users"]).await["status"],
        "completed"
    );
}

#[tokio::test]
async fn another_tenant_s_row_fails_the_export() {
    let site = site();
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    for owner in ["'globex'", "null", "'acme '", "'ACME'", "x'61636d65'"] {
        let change = format!("update things set owner = {owner} where id = 2");
        site.tenants().execute(&change, []).unwrap();
        let (code, detail) = failed(&client, &["things"]).await;
        assert_eq!(code, "isolation_violation", "{owner}: {detail}");
        assert!(
            detail.contains("things") && detail.contains("owner"),
            "{detail}"
        );
        assert!(!detail.contains("globex"), "{detail}");
        nothing_is_left(&site, owner);
    }
    assert!(!server.log().contains("globex"), "{}", server.log());
}

#[tokio::test]
async fn a_column_that_comes_or_goes_fails_the_export_and_is_named() {
    let site = site();
    site.edit_config(
        "select id, owner, amount, ratio, words, doc from",
        "select * from",
    );
    site.edit_config(
        "owner = { type = \"text\", rule = \"drop\" }",
        "owner = { type = \"text\", rule = \"drop\" }\ntenant_id = { rule = \"drop\" }",
    );
    let server = Server::start(&site);
    let client = server.client(&site.token("acme", "ada"));
    assert_eq!(client.export(&["things"]).await["status"], "completed");
    let before = site.artifact_files();

    site.tenants()
        .execute_batch("alter table things add column passport text default 'Zq9marker'")
        .unwrap();
    let (code, detail) = failed(&client, &["things"]).await;
    assert_eq!(code, "schema_drift", "{detail}");
    assert!(
        detail.contains("things") && detail.contains("passport"),
        "{detail}"
    );

    site.tenants()
        .execute_batch(
            "alter table things drop column passport; alter table things drop column words",
        )
        .unwrap();
    let (code, detail) = failed(&client, &["things"]).await;
    assert_eq!(code, "schema_drift", "{detail}");
    assert!(detail.contains("words"), "{detail}");

    // A query that names a column which is gone is refused by the source itself.
    site.tenants()
        .execute_batch("alter table users drop column note")
        .unwrap();
    let (code, detail) = failed(&client, &["users"]).await;
    assert!(
        matches!(code.as_str(), "schema_drift" | "query_failed"),
        "{code}: {detail}"
    );
    assert!(detail.contains("users"), "{detail}");
    assert_eq!(site.artifact_files(), before);
    assert!(!server.log().contains(MARKER));
}
