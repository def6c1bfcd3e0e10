//! A compiled category as a document with a digest: what everyone who holds the digest can read.

use std::fmt;

use carnet_events::ids::Digest;
use serde_json::{Map, Value, json};

use super::{Column, Rule, Rules};
use crate::export::canonical::json::{Canonicaliser, Rewrite};
use crate::export::{detect, neutralise};

/// The rules that one category's rows are exported under, as canonical JSON, and its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    document: String,
    digest: Digest,
}

impl Policy {
    /// The policy as canonical JSON (RFC 8785); its bytes are what the digest is of.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.document
    }

    /// SHA-256 of the document.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The policy of a category: everything that decides what its rows look like in an artifact.
    pub(super) fn of(rules: &Rules) -> Self {
        let columns: Map<String, Value> = rules
            .columns
            .iter()
            .map(|column| (column.name.clone(), describe(column)))
            .collect();
        let document = json!({
            "category": rules.id,
            "columns": columns,
            "detectors": detect::VERSION,
            "neutraliser": neutralise::VERSION,
            "policy": 1,
            "query": rules.query,
            "scope": rules.binds_scope,
            "source": rules.source,
            "subject_column": rules.subject_column,
            "tenant_column": rules.tenant_column,
        });
        Self::from_value(&document)
    }

    fn from_value(value: &Value) -> Self {
        let mut bytes = Vec::new();
        // The values above are texts, small numbers and null: nothing that has no canonical form.
        let written = Canonicaliser::default().write(&value.to_string(), &mut AsItIs, &mut bytes);
        debug_assert_eq!(written, Ok(()));
        Self {
            document: String::from_utf8_lossy(&bytes).into_owned(),
            digest: Digest::of(&bytes),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Policy").field(&self.digest).finish()
    }
}

fn describe(column: &Column) -> Value {
    let mut described = Map::new();
    described.insert("rule".to_owned(), column.rule.name().name().into());
    if let Some(column_type) = column.column_type {
        described.insert("type".to_owned(), column_type.name().into());
    }
    if let Some(class) = column.class {
        described.insert("class".to_owned(), class.name().into());
    }
    if let Some(why) = &column.why {
        described.insert("why".to_owned(), why.as_str().into());
    }
    match column.rule {
        Rule::Scan { email: true } => {
            described.insert("detect".to_owned(), json!(["email"]));
        }
        Rule::Mask { keep_last } if keep_last > 0 => {
            described.insert("keep_last".to_owned(), keep_last.into());
        }
        Rule::Scan { email: false } | Rule::Mask { .. } | Rule::Keep | Rule::Hash | Rule::Drop => {}
    }
    Value::Object(described)
}

/// A policy's own texts are not data.
struct AsItIs;

impl Rewrite for AsItIs {
    fn value(&mut self, _: Option<&str>, _: &str, _: &mut String) -> bool {
        false
    }

    fn key(&mut self, _: &str, _: &mut String) -> bool {
        false
    }

    fn number(&mut self, _: Option<&str>, _: &str, _: &mut String) -> bool {
        false
    }
}
