//! The catalog held against its databases: are they there, do they know the queries, do the columns agree.

use carnet_actors::ports::SystemClock;
use tokio_util::sync::CancellationToken;

use super::Config;
use super::live::Inspection;
use crate::export::catalog::{Catalog, Category, SourceConfig};
use crate::export::encode::drift;
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
        let returned: Vec<&str> = shape.columns.iter().map(String::as_str).collect();
        self.inspect_columns(category, &returned, found);
    }

    fn inspect_columns(&self, category: &Category, returned: &[&str], found: &mut Inspection) {
        let mut warn = |problem: String, remedy: &str| {
            let key = format!("[[category]] {:?}: columns", category.id());
            let problem = format!("{problem}: exports fail with schema_drift");
            found.warnings.push(self.complaint(&key, problem, remedy));
        };
        let declared = |name: &str| {
            let columns = &category.rules.columns;
            columns.iter().any(|column| column.name == name)
        };
        let (unknown, missing) = drift(&category.rules, returned);
        for column in &unknown {
            if declared(column) {
                warn(
                    format!("the query returns {column:?} more than once"),
                    "select it once, or give the others names of their own and declare them",
                );
            } else {
                warn(
                    format!("the query returns {column:?}, which isn't declared"),
                    "declare it, if only to drop it",
                );
            }
        }
        for column in &missing {
            warn(
                format!("{column:?} is declared, but the query doesn't return it"),
                "remove it, or select it",
            );
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
    fn a_column_that_comes_twice_is_warned_of() {
        let found = inspect("", "select id, tenant, id from t where tenant = :tenant");
        assert!(found.errors.is_empty(), "{found:?}");
        assert_eq!(found.warnings.len(), 1, "{found:?}");
        let problem = &found.warnings[0].problem;
        assert!(problem.contains("\"id\" more than once"), "{problem}");
    }

    #[test]
    fn statements_that_are_no_select_are_errors() {
        for query in [
            "delete from t where tenant = :tenant",
            "delete from t where tenant = :tenant returning id, tenant",
            "select id, tenant from missing where tenant = :tenant",
            "select id, tenant from t where tenant = :tenant; delete from t",
            "selekt :tenant",
            "attach :tenant as x",
        ] {
            let found = inspect("", query);
            assert!(
                found
                    .errors
                    .iter()
                    .any(|error| error.key == "[[category]] \"c\": query"),
                "{query}: {found:?}"
            );
        }
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
