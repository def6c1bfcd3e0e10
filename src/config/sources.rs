//! The catalog held against its databases: are they there, do they know the queries, do the columns agree.

use std::collections::BTreeSet;

use carnet_actors::ports::SystemClock;
use tokio_util::sync::CancellationToken;

use super::Config;
use super::live::Inspection;
use crate::export::catalog::{Catalog, Category, SourceConfig};
use crate::export::error::ExportError;
use crate::export::source::postgres::is_postgres;
use crate::export::source::{Snapshot, source};

impl Config {
    /// Opens every source and has it prepare, not run, the queries of its categories. Blocks.
    pub(super) fn inspect_sources(&self, catalog: &Catalog, found: &mut Inspection) {
        for (number, configured) in self.sources.iter().enumerate() {
            match open(configured) {
                Ok(snapshot) => {
                    let reads = |category: &&std::sync::Arc<Category>| category.rules.source == configured.name;
                    for category in catalog.categories().filter(reads) {
                        self.inspect_category(category, snapshot.as_ref(), found);
                    }
                }
                Err(problem) => found.errors.push(self.complaint(
                    &format!("source.{number}.url"),
                    problem,
                    if is_postgres(&configured.url) {
                        "correct the url, or let the server take this connection; the service starts when every source answers"
                    } else {
                        "write the path of a database that exists and may be read; relative ones begin at this file"
                    },
                )),
            }
        }
    }

    fn inspect_category(
        &self,
        category: &Category,
        snapshot: &dyn Snapshot,
        found: &mut Inspection,
    ) {
        let key = |name: &str| format!("[[category]] {:?}: {name}", category.id());
        let shape = match snapshot.describe(category.id(), &category.rules.query) {
            Ok(shape) => shape,
            Err(error) => {
                let remedy = match error {
                    ExportError::SourceDenied { .. } => {
                        "let the source's user read what the query reads"
                    }
                    ExportError::QueryFailed { .. } => "write a query that this source accepts",
                    _ => "see whether the source is well, and try again",
                };
                found
                    .errors
                    .push(self.complaint(&key("query"), error.to_string(), remedy));
                return;
            }
        };
        if !shape.read_only {
            found.errors.push(self.complaint(
                &key("query"),
                "the query would change the source",
                "write a query that only reads",
            ));
        }
        if !shape
            .parameters
            .iter()
            .any(|parameter| parameter == ":tenant")
        {
            found.errors.push(self.complaint(
                &key("query"),
                "the query doesn't bind :tenant",
                "limit it to the tenant, as in `where tenant_id = :tenant`",
            ));
        }
        for misfit in shape.misfits(&category.rules.columns) {
            found.errors.push(self.complaint(
                &key(&format!("columns.{}", misfit.column)),
                misfit.problem,
                misfit.remedy,
            ));
        }
        let given: BTreeSet<&str> = shape.columns.iter().map(String::as_str).collect();
        let known: BTreeSet<&str> = category
            .rules
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        for column in given.difference(&known) {
            found.warnings.push(self.complaint(&key("columns"), format!("the query returns {column:?}, which isn't declared: exports fail with schema_drift"), "declare it, if only to drop it"));
        }
        for column in known.difference(&given) {
            found.warnings.push(self.complaint(&key("columns"), format!("{column:?} is declared, but the query doesn't return it: exports fail with schema_drift"), "remove it, or select it"));
        }
    }
}

fn open(configured: &SourceConfig) -> Result<Box<dyn Snapshot>, String> {
    let opened = source(configured)
        .and_then(|source| source.open(&SystemClock::new(), &CancellationToken::new()));
    opened.map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::config::{Config, Inspection};

    fn inspect(columns: &str, query: &str) -> Inspection {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch("create table t (id integer, tenant text, extra text)")
            .unwrap();
        let text = format!(
            "[[source]]\nname = \"s\"\nurl = \"sqlite:{}\"\n[[category]]\nid = \"c\"\ntitle = \"C\"\nsource = \"s\"\ntenant_column = \"tenant\"\nquery = \"{query}\"\n[category.columns]\nid = {{ type = \"integer\" }}\ntenant = {{ type = \"text\", rule = \"drop\" }}\n{columns}",
            path.display()
        );
        let config: Config = toml::from_str(&text).unwrap();
        let mut found = Inspection::default();
        config.inspect_sources(&config.catalog().unwrap(), &mut found);
        found
    }

    #[test]
    fn a_catalog_that_fits_is_in_order() {
        let found = inspect("", "select id, tenant from t where tenant = :tenant");
        assert!(
            found.errors.is_empty() && found.warnings.is_empty(),
            "{found:?}"
        );
    }

    #[test]
    fn drift_is_warned_of_by_name() {
        let found = inspect(
            "gone = { type = 'text' }",
            "select id, tenant, extra from t where tenant = :tenant",
        );
        let all: Vec<&str> = found
            .warnings
            .iter()
            .map(|warning| warning.problem.as_str())
            .collect();
        assert!(
            all.len() == 2 && all[0].contains("\"extra\"") && all[1].contains("\"gone\""),
            "{all:?}"
        );
    }

    #[test]
    fn a_query_the_source_refuses_is_an_error() {
        let found = inspect("", "select id, tenant from missing where tenant = :tenant");
        assert_eq!(found.errors.len(), 1);
        assert_eq!(found.errors[0].key, "[[category]] \"c\": query");
    }

    #[test]
    fn a_source_that_isnt_there_is_an_error_and_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none.db");
        let config: Config = toml::from_str(&format!(
            "[[source]]\nname = \"s\"\nurl = \"sqlite:{}\"\n",
            path.display()
        ))
        .unwrap();
        let mut found = Inspection::default();
        config.inspect_sources(&config.catalog().unwrap(), &mut found);
        assert_eq!(found.errors[0].key, "source.0.url");
        assert!(!path.exists());
    }
}
