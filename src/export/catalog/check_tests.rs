#![allow(clippy::unwrap_used, reason = "tests")]

use rusqlite::Connection;

use super::*;
use crate::export::catalog::{CategoryConfig, ColumnConfig, ColumnType, SourceConfig};

fn checked(query: &str, columns: &[&str], tenant_column: Option<&str>) -> CheckReport {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("create table users (id integer, tenant integer, name text)")
        .unwrap();
    let column = |name: &&str| {
        (
            (*name).to_owned(),
            ColumnConfig {
                column_type: Some(ColumnType::Integer),
                ..ColumnConfig::default()
            },
        )
    };
    let category = CategoryConfig {
        id: "users".into(),
        title: "Users".into(),
        source: "main".into(),
        module: None,
        permission: None,
        tenant_column: tenant_column.map(str::to_owned),
        subject_column: None,
        query: query.into(),
        columns: columns.iter().map(column).collect(),
    };
    let source = SourceConfig::new("main", &format!("sqlite:{}", path.display()));
    Catalog::compile(&[source], &[category]).unwrap().check()
}

fn problems(report: &CheckReport) -> Vec<&str> {
    report
        .errors
        .iter()
        .map(|error| error.problem.as_str())
        .collect()
}

#[test]
fn a_catalog_that_fits_its_source_passes() {
    let report = checked(
        "select id, tenant from users where tenant = :tenant",
        &["id", "tenant"],
        Some("tenant"),
    );
    assert_eq!(report, CheckReport::default());
}

#[test]
fn unknown_and_missing_columns_are_named() {
    let report = checked(
        "select id, name from users where tenant = :tenant",
        &["id", "tenant"],
        None,
    );
    assert_eq!(
        problems(&report),
        [
            "the query returns columns that are not listed, or twice: name",
            "the query doesn't return: tenant"
        ]
    );
    assert_eq!(report.warnings.len(), 1);
}

#[test]
fn statements_that_are_no_select_are_refused() {
    for query in [
        "delete from users where tenant = :tenant",
        "delete from users where tenant = :tenant returning id",
        "select id from nowhere where tenant = :tenant",
        "select id from users where tenant = :tenant; delete from users",
        "selekt :tenant",
        "attach :tenant as x",
    ] {
        let report = checked(query, &["id"], None);
        assert!(
            report.errors.iter().any(|error| error.key == "query"),
            "{query}: {report:?}"
        );
    }
}

#[test]
fn a_source_that_is_not_there_is_named_and_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("absent.db");
    let source = SourceConfig::new("main", &format!("sqlite:{}", path.display()));
    let report = Catalog::compile(&[source], &[]).unwrap().check();
    assert_eq!(report.errors.len(), 1);
    assert_eq!(report.errors[0].section, "[[source]] \"main\"");
    assert!(!path.exists());
}
