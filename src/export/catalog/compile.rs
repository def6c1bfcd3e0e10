//! From configuration to categories: every rule of the catalog is checked here, and everything wrong is said at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::error::Findings;
use super::parameters::{Parameter, parameters, parameters_of_postgres};
use super::{
    Catalog, CatalogError, CatalogErrors, Category, CategoryConfig, Class, Column, ColumnConfig,
    ColumnType, Detect, Policy, Rule, RuleName, Rules, SourceConfig,
};
use crate::config::Span;
use crate::export::neutralise;
use crate::export::source::postgres;

/// Categories a catalog may have.
const MAX_CATEGORIES: usize = 256;
/// Columns a category may have.
const MAX_COLUMNS: usize = 500;
/// The longest a query may be, in bytes.
const MAX_QUERY: usize = 64 * 1024;
/// Characters a mask may leave readable.
const MAX_KEPT: u8 = 8;
/// What a source's `statement_timeout` may be.
const STATEMENT_TIMEOUTS: RangeInclusive<Span> = Span::seconds(1)..=Span::days(7);

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

fn check_sources(sources: &[SourceConfig], errors: &mut Vec<CatalogError>) {
    let mut seen = BTreeSet::new();
    for source in sources {
        let mut findings = Findings::of(format!("[[source]] {:?}", source.name), errors);
        if !is_identifier(&source.name) {
            findings.add(
                "name",
                "it is not a name",
                "use 1 to 64 of a-z, 0-9, _ and -",
            );
        }
        if !seen.insert(&source.name) {
            findings.add("name", "another source has it", "give each source its own");
        }
        if postgres::is_postgres(&source.url) {
            check_postgres(source, &mut findings);
            continue;
        }
        if source.url.strip_prefix("sqlite:").is_none_or(str::is_empty) {
            findings.add(
                "url",
                "it names no database this build can read",
                "write sqlite:path/to/file.db, or postgres://USER:PASSWORD@HOST/DATABASE",
            );
        }
        if source.statement_timeout.is_some() {
            findings.add(
                "statement_timeout",
                "it is for PostgreSQL alone",
                "remove it: `workers.stall_after` ends what makes no progress",
            );
        }
    }
}

fn check_postgres(source: &SourceConfig, findings: &mut Findings<'_>) {
    if let Some(problem) = postgres::url_problem(&source.url) {
        findings.add(
            "url",
            problem,
            "write postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full, with what stands for a delimiter percent-encoded",
        );
    }
    if let Some(timeout) = source.statement_timeout
        && !STATEMENT_TIMEOUTS.contains(&timeout)
    {
        findings.add(
            "statement_timeout",
            format!("{timeout} is out of bounds"),
            format!(
                "set it between {} and {}",
                STATEMENT_TIMEOUTS.start(),
                STATEMENT_TIMEOUTS.end()
            ),
        );
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

fn columns(config: &CategoryConfig, findings: &mut Findings<'_>) -> Vec<Column> {
    if config.columns.is_empty() || config.columns.len() > MAX_COLUMNS {
        findings.add(
            "columns",
            format!("there are {} columns", config.columns.len()),
            format!("list every column of the query's result, at most {MAX_COLUMNS}"),
        );
    }
    let columns: Vec<Column> = config
        .columns
        .iter()
        .map(|(name, column_config)| column(name, column_config, findings))
        .collect();
    if !columns.is_empty() && columns.iter().all(|column| column.rule == Rule::Drop) {
        findings.add(
            "columns",
            "every column is dropped, so nothing is exported",
            "keep one, or remove the category",
        );
    }
    columns
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

fn column(name: &str, config: &ColumnConfig, findings: &mut Findings<'_>) -> Column {
    let key = format!("columns.{name}");
    if name.is_empty()
        || name.len() > 128
        || name.chars().any(char::is_control)
        || neutralise::needed(name)
    {
        findings.add(
            &key,
            "a spreadsheet may take the column's name for a formula, or it is empty, too long or has control characters",
            "give the column another name in the query with `as`",
        );
    }
    let free_form = config.column_type.is_some_and(ColumnType::is_free_form);
    let rule_name = config.rule.unwrap_or(if free_form {
        RuleName::Scan
    } else {
        RuleName::Keep
    });
    if config.column_type.is_none() && rule_name != RuleName::Drop {
        let names = ColumnType::ALL.map(ColumnType::name).join(", ");
        findings.add(
            &key,
            format!("rule {rule_name} needs a type"),
            format!("set type to one of: {names}"),
        );
    }
    check_class(&key, config.class, rule_name, findings);
    let rule = rule(&key, rule_name, config, findings);
    check_why(&key, rule_name, free_form, config, findings);
    Column {
        name: name.to_owned(),
        column_type: config.column_type,
        rule,
        class: config.class,
        why: config.why.clone(),
    }
}

fn check_class(key: &str, class: Option<Class>, rule: RuleName, findings: &mut Findings<'_>) {
    if let Some(class) = class
        && !class.allowed_rules().contains(&rule)
    {
        let allowed: Vec<_> = class
            .allowed_rules()
            .iter()
            .map(|rule| format!("{:?}", rule.name()))
            .collect();
        findings.add(
            key,
            format!("class {} does not allow rule {rule}", class.name()),
            format!("set rule to {}", allowed.join(" or ")),
        );
    }
}

fn check_why(
    key: &str,
    rule: RuleName,
    free_form: bool,
    config: &ColumnConfig,
    findings: &mut Findings<'_>,
) {
    let given = config
        .why
        .as_deref()
        .is_some_and(|why| !why.trim().is_empty());
    if rule == RuleName::Keep && free_form && !given {
        findings.add(
            key,
            "text and json are kept unscanned only for a reason",
            "set rule to \"scan\", or say why the column can hold no secret: why = \"…\"",
        );
    }
    if config.why.is_some() && !(rule == RuleName::Keep && free_form) {
        findings.add(
            key,
            "why explains a kept text or json column, and this is none",
            "remove why",
        );
    }
}

fn rule(key: &str, name: RuleName, config: &ColumnConfig, findings: &mut Findings<'_>) -> Rule {
    if config.keep_last.is_some() && name != RuleName::Mask {
        findings.add(
            key,
            "keep_last belongs to rule mask",
            "remove keep_last, or set rule to \"mask\"",
        );
    }
    if !config.detect.is_empty() && name != RuleName::Scan {
        findings.add(
            key,
            "detect belongs to rule scan",
            "remove detect, or set rule to \"scan\"",
        );
    }
    match name {
        RuleName::Keep => Rule::Keep,
        RuleName::Hash => Rule::Hash,
        RuleName::Drop => Rule::Drop,
        RuleName::Scan => {
            if config
                .column_type
                .is_some_and(|column_type| !column_type.is_free_form())
            {
                findings.add(
                    key,
                    "rule scan is for text and json",
                    "set rule to \"keep\", or the type to \"text\"",
                );
            }
            Rule::Scan {
                email: config.detect.contains(&Detect::Email),
            }
        }
        RuleName::Mask => Rule::Mask {
            keep_last: keep_last(key, config, findings),
        },
    }
}

fn keep_last(key: &str, config: &ColumnConfig, findings: &mut Findings<'_>) -> u8 {
    let Some(keep_last) = config.keep_last else {
        return 0;
    };
    if keep_last == 0 || keep_last > MAX_KEPT {
        findings.add(
            key,
            format!("keep_last is {keep_last}"),
            format!("set it to 1 to {MAX_KEPT}, or leave it out"),
        );
    }
    if matches!(
        config.column_type,
        Some(ColumnType::Json | ColumnType::Bytes | ColumnType::Bool)
    ) {
        findings.add(
            key,
            "the last characters of this type say nothing",
            "remove keep_last",
        );
    }
    keep_last
}

fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
#[path = "compile_tests.rs"]
mod tests;
