//! The catalog as it stands in the configuration file: `[[source]]` and
//! `[[category]]`, not yet checked for meaning. [`super::Catalog::compile`]
//! does that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::column::{Class, ColumnType, Detect, RuleName};
use crate::config::Span;

/// One `[[source]]`: a database that categories read from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// The name categories refer to.
    pub name: String,
    /// Where it is: `sqlite:path/to/file.db`, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
    /// How long the server may work on one category; PostgreSQL alone. None: an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_timeout: Option<Span>,
}

impl SourceConfig {
    /// A source of this name at this URL, all else by default.
    #[must_use]
    pub fn new(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            statement_timeout: None,
        }
    }
}

/// One `[[category]]`: a named slice of tenant data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryConfig {
    /// Its id, the key of its rows in the artifact: `[a-z0-9_-]{1,64}`.
    pub id: String,
    /// What people see.
    pub title: String,
    /// The name of the source it reads from.
    pub source: String,
    /// The product module it belongs to; it is there only while that is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The permission a caller needs for it; none: open to all admitted roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// The column that holds the tenant, compared on every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_column: Option<String>,
    /// The column that holds the person. It is checked against the columns and stands in the policy; rows aren't compared with it yet, for no
    /// export can be asked for that is limited to one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_column: Option<String>,
    /// One read-only statement that binds `:tenant`.
    pub query: String,
    /// Every column the query returns, by name.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnConfig>,
}

/// One entry of `[category.columns]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnConfig {
    /// The type of its values; only a dropped column may leave it out.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub column_type: Option<ColumnType>,
    /// What happens to its values: by default `scan` for text and json, else `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// Why text or json is kept unscanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What kind of sensitive value it holds; narrows the rules it accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// How many last characters `mask` leaves readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u8>,
    /// What `scan` looks for on top of what it always finds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detect: Vec<Detect>,
}
