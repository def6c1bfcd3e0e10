//! From configuration to categories: every rule of the catalog is checked here, and everything wrong is said at once.

mod columns;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::Findings;
use super::parameters::{Parameter, parameters, parameters_of_postgres};
use super::{
    Catalog, CatalogErrors, Category, CategoryConfig, ColumnType, Policy, Rules, SourceConfig,
};
use crate::export::source::postgres;
use columns::columns;
use sources::check_sources;

/// Categories a catalog may have.
const MAX_CATEGORIES: usize = 256;
/// The longest a query may be, in bytes.
const MAX_QUERY: usize = 64 * 1024;

pub(super) fn compile(
    sources: &[SourceConfig],
    categories: &[CategoryConfig],
) -> Result<Catalog, CatalogErrors> {
    let mut errors = Vec::new();
    check_sources(sources, &mut errors);
    if categories.len() > MAX_CATEGORIES {
        Findings::of("[[category]]".to_owned(), &mut errors).add(
            "id",
            format!("there are {} categories", categories.len()),
            format!("at most {MAX_CATEGORIES} can be exported"),
        );
    }
    let known: BTreeSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let mut compiled = BTreeMap::new();
    for config in categories {
        let mut findings = Findings::of(format!("[[category]] {:?}", config.id), &mut errors);
        if compiled.contains_key(&config.id) {
            findings.add(
                "id",
                "another category has it",
                "give each category its own",
            );
        }
        if !known.contains(config.source.as_str()) {
            let names = known.iter().copied().collect::<Vec<_>>().join(", ");
            findings.add(
                "source",
                format!("no [[source]] is named {:?}", config.source),
                format!("name one of: {names}"),
            );
        }
        let source = sources.iter().find(|source| source.name == config.source);
        let is_postgres = source.is_some_and(|source| postgres::is_postgres(&source.url));
        let read = if is_postgres {
            parameters_of_postgres
        } else {
            parameters
        };
        let category = category(config, read(&config.query), &mut findings);
        compiled.insert(config.id.clone(), Arc::new(category));
    }
    if errors.is_empty() {
        Ok(Catalog {
            sources: sources.to_vec(),
            categories: compiled,
        })
    } else {
        Err(CatalogErrors(errors))
    }
}

fn category(
    config: &CategoryConfig,
    parameters: BTreeSet<Parameter>,
    findings: &mut Findings<'_>,
) -> Category {
    if !is_identifier(&config.id) {
        findings.add("id", "it is not an id", "use 1 to 64 of a-z, 0-9, _ and -");
    }
    if config.title.trim().is_empty() || config.title.len() > 200 {
        findings.add(
            "title",
            "it is empty or longer than 200 bytes",
            "write what people should see",
        );
    }
    for (key, value) in [
        ("module", &config.module),
        ("permission", &config.permission),
    ] {
        if value
            .as_ref()
            .is_some_and(|value| value.trim().is_empty() || value.len() > 128)
        {
            findings.add(
                key,
                "it is empty or longer than 128 bytes",
                "name one, or leave the key out",
            );
        }
    }
    let binds_scope = query(&config.query, &parameters, findings);
    let columns = columns(config, findings);
    for (key, name) in [
        ("tenant_column", &config.tenant_column),
        ("subject_column", &config.subject_column),
    ] {
        if let Some(name) = name {
            check_identity_column(key, name, config, findings);
        }
    }
    let rules = Rules {
        id: config.id.clone(),
        source: config.source.clone(),
        tenant_column: config.tenant_column.clone(),
        subject_column: config.subject_column.clone(),
        query: config.query.trim().to_owned(),
        binds_scope,
        columns,
    };
    Category {
        title: config.title.clone(),
        module: config.module.clone(),
        permission: config.permission.clone(),
        policy: Policy::of(&rules),
        rules,
    }
}

/// Checks what the text of a query shows by itself; whether it binds `:scope`.
fn query(query: &str, found: &BTreeSet<Parameter>, findings: &mut Findings<'_>) -> bool {
    if query.len() > MAX_QUERY {
        findings.add(
            "query",
            format!("it is longer than {MAX_QUERY} bytes"),
            "put it in a view and select from that",
        );
        return false;
    }
    for parameter in found {
        match parameter {
            Parameter::Named(name) if name == "tenant" || name == "scope" => {}
            Parameter::Named(name) => {
                findings.add(
                    "query",
                    format!("it binds :{name}"),
                    "only :tenant and :scope have a value; remove it",
                );
            }
            Parameter::Other(text) => {
                findings.add(
                    "query",
                    format!("it binds {text}"),
                    "write :tenant or :scope; no other form of parameter has a value",
                );
            }
        }
    }
    if !found.contains(&Parameter::Named("tenant".to_owned())) {
        findings.add(
            "query",
            "it does not bind :tenant, so it would export every tenant's rows",
            "restrict it to one tenant, as in `where tenant_id = :tenant`",
        );
    }
    found.contains(&Parameter::Named("scope".to_owned()))
}

fn check_identity_column(
    key: &str,
    name: &str,
    config: &CategoryConfig,
    findings: &mut Findings<'_>,
) {
    match config.columns.get(name) {
        None => findings.add(
            key,
            format!("{name:?} is not among the category's columns"),
            "select the column in the query and list it under [category.columns]; it may be dropped there",
        ),
        Some(column) if matches!(column.column_type, Some(ColumnType::Json | ColumnType::Bytes | ColumnType::Float)) => {
            findings.add(key, format!("{name:?} has a type that names nobody"), "name a column of text, integer, bigint or uuid");
        }
        Some(_) => {}
    }
}

fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
mod tests;
