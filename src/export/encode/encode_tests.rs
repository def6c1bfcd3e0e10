#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::export::catalog::{Class, Column};

struct Cells(Vec<Cell<'static>>);

impl Row for Cells {
    fn cell(&self, column: usize) -> Cell<'_> {
        self.0.get(column).copied().unwrap_or(Cell::Null)
    }
}

fn column(name: &str, column_type: ColumnType, rule: Rule) -> Column {
    Column {
        name: name.to_owned(),
        column_type: Some(column_type),
        rule,
        class: None::<Class>,
        why: None,
    }
}

fn rules(columns: Vec<Column>) -> Rules {
    Rules {
        id: "users".to_owned(),
        source: "main".to_owned(),
        tenant_column: None,
        subject_column: None,
        query: String::new(),
        binds_scope: false,
        columns,
    }
}

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

fn key() -> HashKey {
    HashKey::new("k1", &[7; 32])
}

fn encode(
    rules: &Rules,
    names: &[&str],
    tenant_id: &str,
    cells: Vec<Cell<'static>>,
) -> Result<String, ExportError> {
    let key = key();
    let mut out = Vec::new();
    RowEncoder::new(rules, names, &tenant(tenant_id), None, &key)?
        .encode(&Cells(cells), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn columns_are_written_in_utf16_order_whatever_order_they_come_in() {
    let scan = Rule::Scan { email: false };
    let rules = rules(vec![
        column("\u{ff01}", ColumnType::Integer, Rule::Keep),
        column("😀", ColumnType::Text, scan.clone()),
        column("a\"b", ColumnType::Json, scan),
        column("secret", ColumnType::Text, Rule::Drop),
    ]);
    let cells = vec![
        Cell::Text(b"never"),
        Cell::Integer(1),
        Cell::Text(b"hi"),
        Cell::Text(b"{\"b\":1,\"a\":2}"),
    ];
    assert_eq!(
        encode(&rules, &["secret", "\u{ff01}", "😀", "a\"b"], "t", cells).unwrap(),
        "{\"a\\\"b\":{\"a\":2,\"b\":1},\"😀\":\"hi\",\"\u{ff01}\":1}"
    );
}

#[test]
fn every_rule_leaves_null_null() {
    for rule in [
        Rule::Keep,
        Rule::Scan { email: true },
        Rule::Mask { keep_last: 2 },
        Rule::Hash,
    ] {
        let rules = rules(vec![column("a", ColumnType::Text, rule)]);
        assert_eq!(
            encode(&rules, &["a"], "t", vec![Cell::Null]).unwrap(),
            r#"{"a":null}"#
        );
    }
}

#[test]
fn masks_and_hashes_are_of_the_plain_value_and_checked_like_any_other() {
    let masked = rules(vec![column(
        "a",
        ColumnType::Integer,
        Rule::Mask { keep_last: 2 },
    )]);
    assert_eq!(
        encode(&masked, &["a"], "t", vec![Cell::Integer(123_456)]).unwrap(),
        r#"{"a":"***56"}"#
    );
    assert_eq!(
        encode(&masked, &["a"], "t", vec![Cell::Text(b"x")])
            .unwrap_err()
            .code(),
        "invalid_value"
    );

    let hashed = |column_type, cell| {
        encode(
            &rules(vec![column("a", column_type, Rule::Hash)]),
            &["a"],
            "t",
            vec![cell],
        )
        .unwrap()
    };
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), b"42");
    let expected = format!(r#"{{"a":"hmac-sha256:k1:{}"}}"#, hex::encode(tag.as_ref()));
    assert_eq!(hashed(ColumnType::Integer, Cell::Integer(42)), expected);
    assert_eq!(hashed(ColumnType::Text, Cell::Text(b"42")), expected);
    assert_eq!(hashed(ColumnType::Decimal, Cell::Integer(42)), expected);
    assert_eq!(
        hashed(ColumnType::Text, Cell::Text(b"=42")).len(),
        expected.len()
    );
}

#[test]
fn columns_that_come_go_or_repeat_are_named() {
    let rules = rules(vec![
        column("a", ColumnType::Integer, Rule::Keep),
        column("b", ColumnType::Integer, Rule::Keep),
    ]);
    let error = encode(&rules, &["a", "c", "a"], "t", vec![]).unwrap_err();
    assert_eq!(error.code(), "schema_drift");
    let failure = error.failure();
    assert_eq!(
        failure
            .parameters
            .get("unknown_columns")
            .map(String::as_str),
        Some("c, a")
    );
    assert_eq!(
        failure
            .parameters
            .get("missing_columns")
            .map(String::as_str),
        Some("b")
    );
    assert!(!failure.retryable);
}

#[test]
fn a_row_of_another_tenant_or_person_fails() {
    let mut rules = rules(vec![
        column("id", ColumnType::Integer, Rule::Keep),
        column("t", ColumnType::Text, Rule::Drop),
    ]);
    rules.tenant_column = Some("t".to_owned());
    let names = ["id", "t"];
    let with =
        |tenant_id: &str, cell| encode(&rules, &names, tenant_id, vec![Cell::Integer(1), cell]);
    assert!(with("acme", Cell::Text(b"acme")).is_ok());
    assert!(with("3", Cell::Integer(3)).is_ok());
    let uuid = "550e8400-e29b-41d4-a716-446655440000";
    assert!(with(uuid, Cell::Text(b"550E8400-E29B-41D4-A716-446655440000")).is_ok());
    for (tenant_id, cell) in [
        ("acme", Cell::Text(b"acme2")),
        ("acme", Cell::Text(b"Acme")),
        ("acme", Cell::Null),
        ("3", Cell::Integer(4)),
        ("03", Cell::Integer(3)),
        ("3", Cell::Double(3.0)),
        (uuid, Cell::Text(b"550e8400-e29b-41d4-a716-446655440001")),
    ] {
        let error = with(tenant_id, cell).unwrap_err();
        assert_eq!(
            error,
            ExportError::IsolationViolation {
                category: "users".to_owned(),
                column: "t".to_owned()
            }
        );
    }

    rules.subject_column = Some("id".to_owned());
    let key = key();
    let row = Cells(vec![Cell::Integer(1), Cell::Text(b"acme")]);
    for (subject, fine) in [(None, true), (Some("1"), true), (Some("2"), false)] {
        let mut encoder = RowEncoder::new(&rules, &names, &tenant("acme"), subject, &key).unwrap();
        assert_eq!(
            encoder.encode(&row, &mut Vec::new()).is_ok(),
            fine,
            "{subject:?}"
        );
    }
}

#[test]
fn failures_name_category_and_column_and_no_value() {
    let rules = rules(vec![column("a", ColumnType::Integer, Rule::Keep)]);
    for (cell, code) in [
        (Cell::Integer(1 << 53), "value_out_of_range"),
        (Cell::Text(b"hunter2"), "invalid_value"),
        (Cell::Bytes(b"hunter2"), "invalid_value"),
    ] {
        let error = encode(&rules, &["a"], "t", vec![cell]).unwrap_err();
        let failure = error.failure();
        assert_eq!(failure.code, code);
        assert_eq!(
            failure.parameters.get("category").map(String::as_str),
            Some("users")
        );
        assert_eq!(
            failure.parameters.get("column").map(String::as_str),
            Some("a")
        );
        assert!(!format!("{failure:?} {error}").contains("hunter2"));
    }
}

#[test]
fn a_value_that_grows_past_the_limit_fails() {
    let rules = rules(vec![column("a", ColumnType::Text, Rule::Keep)]);
    let large: &'static [u8] = vec![1_u8; MAX_CELL / 2].leak();
    assert_eq!(
        encode(&rules, &["a"], "t", vec![Cell::Text(large)])
            .unwrap_err()
            .code(),
        "cell_too_large"
    );
}

/// A row of owned values, for properties.
struct Owned(Vec<Option<String>>);

impl Row for Owned {
    fn cell(&self, column: usize) -> Cell<'_> {
        self.0
            .get(column)
            .and_then(Option::as_deref)
            .map_or(Cell::Null, |text| Cell::Text(text.as_bytes()))
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_in_it_a_row_is_canonical_and_keeps_what_was_not_found(
        names in proptest::collection::btree_set("[a-zA-Z\u{e9}\u{ffe6}\u{10348}\"]{1,3}", 1..6),
        texts in proptest::collection::vec(proptest::option::of(proptest::prelude::any::<String>()), 6),
    ) {
        let rules = rules(names.iter().map(|name| column(name, ColumnType::Text, Rule::Scan { email: true })).collect());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let key = key();
        let mut out = Vec::new();
        let mut encoder = RowEncoder::new(&rules, &names, &tenant("t"), None, &key).unwrap();
        encoder.encode(&Owned(texts.clone()), &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        proptest::prop_assert_eq!(&out, &serde_json_canonicalizer::to_vec(&value).unwrap());
        if encoder.counts().0.found().next().is_none() {
            for (name, text) in names.iter().zip(&texts) {
                let restored = value[*name].as_str().map(crate::export::neutralise::restore);
                proptest::prop_assert_eq!(restored, text.as_deref());
            }
        }
    }
}
