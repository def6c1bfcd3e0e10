//! The rules of columns.

use crate::export::catalog::error::Findings;
use crate::export::catalog::{
    CategoryConfig, Class, Column, ColumnConfig, ColumnType, Detect, Rule, RuleName,
};
use crate::export::neutralise;

/// Columns a category may have.
const MAX_COLUMNS: usize = 500;
/// Characters a mask may leave readable.
const MAX_KEPT: u8 = 8;

pub(super) fn columns(config: &CategoryConfig, findings: &mut Findings<'_>) -> Vec<Column> {
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
