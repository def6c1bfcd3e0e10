//! The catalog: what may be exported, column by column, and under which rules.
//!
//! - [`SourceConfig`], [`CategoryConfig`], [`ColumnConfig`]: as configured
//! - [`Catalog::compile`]: checked, with a [`Policy`] and its digest per category
//!
//! Whether the live sources agree with it is seen where the service starts: [`crate::config::Config::inspect`].

use std::collections::BTreeMap;
use std::sync::Arc;

mod column;
mod compile;
mod config;
mod error;
mod parameters;
mod policy;

pub use column::{Class, Column, ColumnType, Detect, Rule, RuleName};
pub use config::{CategoryConfig, ColumnConfig, SourceConfig};
pub use error::{CatalogError, CatalogErrors};
pub use policy::Policy;

/// All categories, compiled.
#[derive(Debug, Clone)]
pub struct Catalog {
    sources: Vec<SourceConfig>,
    categories: BTreeMap<String, Arc<Category>>,
}

impl Catalog {
    /// Checks the configured sources and categories and compiles them. Touches no database.
    ///
    /// # Errors
    /// Everything that is wrong, each with section, key and remedy.
    pub fn compile(
        sources: &[SourceConfig],
        categories: &[CategoryConfig],
    ) -> Result<Self, CatalogErrors> {
        compile::compile(sources, categories)
    }

    /// The category with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Category>> {
        self.categories.get(id)
    }

    /// All categories, by id.
    pub fn categories(&self) -> impl Iterator<Item = &Arc<Category>> {
        self.categories.values()
    }

    /// The sources, as configured.
    #[must_use]
    pub fn sources(&self) -> &[SourceConfig] {
        &self.sources
    }
}

/// One compiled category.
#[derive(Debug, Clone)]
pub struct Category {
    /// What people see.
    pub title: String,
    /// The module it belongs to.
    pub module: Option<String>,
    /// The permission a caller needs for it.
    pub permission: Option<String>,
    /// How its rows are read and written.
    pub rules: Rules,
    /// The same as a document with a digest.
    pub policy: Policy,
}

/// Everything that decides what a category's rows look like in an artifact.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The category's id: the key of its rows in the artifact.
    pub id: String,
    /// The name of its source.
    pub source: String,
    /// The column that is compared with the tenant on every row.
    pub tenant_column: Option<String>,
    /// The column that holds the person; compared on every row where an export is limited to one, which none is yet.
    pub subject_column: Option<String>,
    /// The query; binds `:tenant`.
    pub query: String,
    /// Whether the query binds `:scope` too.
    pub binds_scope: bool,
    /// Its columns, by name.
    pub columns: Vec<Column>,
}

impl Category {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.rules.id
    }
}
