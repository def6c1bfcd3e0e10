#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::*;
use crate::export::catalog::Rule;

#[derive(serde::Deserialize)]
struct File {
    source: Vec<SourceConfig>,
    category: Vec<CategoryConfig>,
}

const SOURCE: &str = "[[source]]\nname = \"main\"\nurl = \"sqlite:x.db\"\n";

fn compiled(categories: &str) -> Result<Catalog, CatalogErrors> {
    let file: File = toml::from_str(&format!("{SOURCE}{categories}")).expect("the test's TOML");
    compile(&file.source, &file.category)
}

fn with_columns(columns: &str) -> Result<Catalog, CatalogErrors> {
    compiled(&format!(
        "[[category]]\nid = \"users\"\ntitle = \"Users\"\nsource = \"main\"\nquery = \"select * from u where t = :tenant\"\n\
         [category.columns]\nid = {{ type = \"integer\" }}\n{columns}"
    ))
}

fn refused(result: Result<Catalog, CatalogErrors>, key: &str, problem: &str) {
    let errors = result.expect_err("refused");
    assert!(
        errors.0.iter().any(|error| error.key == key
            && error.problem.contains(problem)
            && !error.remedy.is_empty()),
        "{errors}"
    );
}

fn with_query(query: &str) -> Result<Catalog, CatalogErrors> {
    compiled(&format!(
        "[[category]]\nid = \"users\"\ntitle = \"Users\"\nsource = \"main\"\nquery = {query:?}\n[category.columns]\nid = {{ type = \"integer\" }}"
    ))
}

#[test]
fn rules_default_by_type() {
    let catalog = with_columns(
        "a = { type = \"text\" }\nb = { type = \"json\", detect = [\"email\"] }\nc = { type = \"timestamp\" }\nd = { rule = \"drop\" }\n\
         e = { type = \"text\", class = \"phone\", rule = \"mask\", keep_last = 2 }\nf = { type = \"text\", rule = \"keep\", why = \"codes\" }",
    )
    .unwrap();
    let rules: Vec<_> = catalog
        .get("users")
        .unwrap()
        .rules
        .columns
        .iter()
        .map(|column| column.rule.clone())
        .collect();
    assert_eq!(
        rules,
        [
            Rule::Scan { email: false },
            Rule::Scan { email: true },
            Rule::Keep,
            Rule::Drop,
            Rule::Mask { keep_last: 2 },
            Rule::Keep,
            Rule::Keep
        ]
    );
}

#[test]
fn columns_that_could_let_something_out_are_refused() {
    for (column, problem) in [
        ("{ rule = \"keep\" }", "needs a type"),
        ("{}", "needs a type"),
        ("{ rule = \"hash\" }", "needs a type"),
        ("{ type = \"text\", rule = \"keep\" }", "only for a reason"),
        (
            "{ type = \"json\", rule = \"keep\", why = \" \" }",
            "only for a reason",
        ),
        ("{ type = \"integer\", why = \"x\" }", "why explains"),
        (
            "{ type = \"integer\", rule = \"scan\" }",
            "for text and json",
        ),
        (
            "{ type = \"text\", class = \"secret\" }",
            "does not allow rule scan",
        ),
        (
            "{ type = \"text\", class = \"secret\", rule = \"hash\" }",
            "does not allow rule hash",
        ),
        (
            "{ type = \"text\", class = \"phone\", rule = \"keep\", why = \"x\" }",
            "does not allow rule keep",
        ),
        (
            "{ type = \"text\", class = \"transcript\", rule = \"mask\" }",
            "does not allow rule mask",
        ),
        ("{ type = \"text\", keep_last = 2 }", "keep_last belongs"),
        (
            "{ type = \"text\", rule = \"mask\", keep_last = 99 }",
            "keep_last is 99",
        ),
        (
            "{ type = \"json\", rule = \"mask\", keep_last = 2 }",
            "last characters",
        ),
        (
            "{ type = \"integer\", detect = [\"email\"] }",
            "detect belongs",
        ),
    ] {
        refused(with_columns(&format!("x = {column}")), "columns.x", problem);
    }
    refused(
        with_columns("\"=x\" = { type = \"integer\" }"),
        "columns.=x",
        "formula",
    );
    for class in [
        "transcript",
        "ciphertext",
        "storage",
        "raw_config",
        "secret",
        "phone",
        "email",
    ] {
        assert!(with_columns(&format!("x = {{ class = {class:?}, rule = \"drop\" }}")).is_ok());
    }
}

#[test]
fn unknown_keys_types_and_rules_are_refused_while_reading() {
    for column in [
        "{ type = \"int\" }",
        "{ rule = \"blur\" }",
        "{ class = \"pin\" }",
        "{ colour = 1 }",
        "{ detect = [\"face\"] }",
    ] {
        let text = format!(
            "{SOURCE}[[category]]\nid = \"u\"\ntitle = \"U\"\nsource = \"main\"\nquery = \":tenant\"\n[category.columns]\nx = {column}"
        );
        assert!(toml::from_str::<File>(&text).is_err(), "{column}");
    }
}

#[test]
fn queries_must_bind_the_tenant_and_nothing_unknown() {
    refused(
        with_query("select id from u"),
        "query",
        "does not bind :tenant",
    );
    refused(
        with_query("select ':tenant', id from u -- :tenant"),
        "query",
        "does not bind :tenant",
    );
    refused(
        with_query("select id from u where t = :tenant and p = :person"),
        "query",
        ":person",
    );
    refused(
        with_query("select id from u where t = :tenant and p = ?"),
        "query",
        "binds ?",
    );
    assert!(
        with_query("select id from u where t = :tenant and c is :scope")
            .unwrap()
            .get("users")
            .unwrap()
            .rules
            .binds_scope
    );
}

#[test]
fn ids_sources_and_identity_columns_are_checked() {
    let category = |id: &str, source: &str, more: &str| {
        compiled(&format!(
            "[[category]]\nid = {id:?}\ntitle = \"U\"\nsource = {source:?}\nquery = \"select :tenant\"\n{more}\n[category.columns]\nid = {{ type = \"integer\" }}\nd = {{ type = \"json\" }}"
        ))
    };
    assert!(category("a_b-9", "main", "tenant_column = \"id\"").is_ok());
    refused(category("Users", "main", ""), "id", "not an id");
    refused(category("", "main", ""), "id", "not an id");
    refused(category("u", "other", ""), "source", "other");
    refused(
        category("u", "main", "tenant_column = \"t\""),
        "tenant_column",
        "not among",
    );
    refused(
        category("u", "main", "subject_column = \"d\""),
        "subject_column",
        "names nobody",
    );
    refused(
        compile(&[SourceConfig::new("m", "ftp://x")], &[]),
        "url",
        "can read",
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    let errors =
        with_columns("a = { rule = \"keep\" }\nb = { type = \"text\", class = \"secret\" }")
            .unwrap_err();
    assert_eq!(errors.0.len(), 2);
    assert!(errors.to_string().starts_with(
        "[[category]] \"users\", columns.a: rule keep needs a type; set type to one of: "
    ));
}

#[test]
fn a_policy_is_canonical_and_any_change_shows() {
    let policy = |columns| {
        with_columns(columns)
            .unwrap()
            .get("users")
            .unwrap()
            .policy
            .clone()
    };
    let base = policy("a = { type = \"text\" }");
    assert_eq!(base, policy("a = { rule = \"scan\", type = \"text\" }"));
    for changed in [
        "a = { type = \"json\" }",
        "a = { type = \"text\", detect = [\"email\"] }",
        "a = { type = \"text\", rule = \"hash\" }",
    ] {
        assert_ne!(base.digest(), policy(changed).digest());
    }
    let value: serde_json::Value = serde_json::from_str(base.document()).unwrap();
    assert_eq!(
        base.document(),
        serde_json_canonicalizer::to_string(&value).unwrap()
    );
    assert_eq!(
        value["columns"]["a"],
        serde_json::json!({ "rule": "scan", "type": "text" })
    );
}

/// A policy that was published means the same for ever: when this fails, artifacts made before can't be downloaded any more. Raise a version
/// on purpose, never by accident.
#[test]
fn the_digest_of_a_policy_stays() {
    let catalog = with_columns("a = { type = \"text\" }\nb = { rule = \"drop\" }").unwrap();
    let policy = &catalog.get("users").unwrap().policy;
    assert_eq!(
        policy.document(),
        r#"{"category":"users","columns":{"a":{"rule":"scan","type":"text"},"b":{"rule":"drop"},"id":{"rule":"keep","type":"integer"}},"detectors":2,"neutraliser":1,"policy":1,"query":"select * from u where t = :tenant","scope":false,"source":"main","subject_column":null,"tenant_column":null}"#
    );
    let sha256 =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, policy.document().as_bytes());
    assert_eq!(policy.digest().as_bytes(), sha256.as_ref());
}
