//! What a category's policy leaves out or changes, in plain words.

use maud::{Markup, html};

use crate::export::catalog::{Category, Rule};
use crate::http::pages::words::portal as words;

/// Columns by what happens to them; the column that proves whose rows they are is nobody's concern.
pub(super) fn in_words(category: &Category) -> Markup {
    let rules = &category.rules;
    let (mut dropped, mut masked, mut hashed, mut scanned) = (vec![], vec![], vec![], vec![]);
    for column in &rules.columns {
        let identity = [&rules.tenant_column, &rules.subject_column];
        let proves = identity.contains(&&Some(column.name.clone()));
        let name = column.name.replace('_', " ");
        match column.rule {
            Rule::Keep => {}
            Rule::Drop if proves => {}
            Rule::Drop => dropped.push(name),
            Rule::Mask { keep_last } => masked.push(words::kept_last(&name, keep_last)),
            Rule::Hash => hashed.push(name),
            Rule::Scan { .. } => scanned.push(name),
        }
    }
    let groups = [
        (words::LEFT_OUT, dropped),
        (words::MASKED, masked),
        (words::HASHED, hashed),
        (words::SCANNED, scanned),
    ];
    let said: Vec<_> = groups
        .iter()
        .filter(|(_, columns)| !columns.is_empty())
        .collect();
    html! {
        @if said.is_empty() { span { (words::UNCHANGED) } }
        @for (what, columns) in said {
            span { (what) b { (columns.join(", ")) } "." } " "
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::export::catalog::{Catalog, CategoryConfig, ColumnConfig, RuleName, SourceConfig};

    fn column(rule: RuleName) -> ColumnConfig {
        ColumnConfig {
            column_type: Some(crate::export::catalog::ColumnType::Text),
            rule: Some(rule),
            why: (rule == RuleName::Keep).then(|| "a code".to_owned()),
            ..ColumnConfig::default()
        }
    }

    fn said(columns: &[(&str, RuleName)]) -> String {
        let source = SourceConfig::new("main", "sqlite:t.db");
        let tenant = ("tenant_id", RuleName::Drop);
        let columns = columns.iter().chain([&tenant]);
        let category = CategoryConfig {
            id: "people".to_owned(),
            title: "People".to_owned(),
            source: "main".to_owned(),
            module: None,
            permission: None,
            tenant_column: Some("tenant_id".to_owned()),
            subject_column: None,
            query: "select 1 where :tenant".to_owned(),
            columns: columns
                .map(|(name, rule)| ((*name).to_owned(), column(*rule)))
                .collect(),
        };
        let catalog = Catalog::compile(&[source], &[category]).unwrap();
        in_words(catalog.get("people").unwrap()).into_string()
    }

    #[test]
    fn what_is_left_out_or_changed_is_named() {
        let text = said(&[
            ("home_phone", RuleName::Mask),
            ("mail", RuleName::Hash),
            ("note", RuleName::Scan),
            ("pass_word", RuleName::Drop),
        ]);
        for expected in [
            "Left out: <b>pass word</b>.",
            "Made unreadable: <b>home phone</b>.",
            "Replaced by a code: <b>mail</b>.",
            "Cleaned of secrets and phone numbers: <b>note</b>.",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(!text.contains("tenant"), "{text}");
    }

    #[test]
    fn what_is_exported_as_it_is_says_so() {
        assert!(said(&[("state", RuleName::Keep)]).contains(words::UNCHANGED));
    }
}
