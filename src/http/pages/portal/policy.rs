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
