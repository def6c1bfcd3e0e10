//! The catalog held against the live sources: what compiling alone can't see.

use std::collections::BTreeMap;

use carnet_actors::ports::SystemClock;
use tokio_util::sync::CancellationToken;

use super::error::Findings;
use super::{Catalog, CatalogError, Rules};
use crate::export::encode::drift;
use crate::export::error::ExportError;
use crate::export::source::{Snapshot, source};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What keeps categories from being exported.
    pub errors: Vec<CatalogError>,
    /// What is allowed, and better not.
    pub warnings: Vec<CatalogError>,
}

impl Catalog {
    /// Opens every source read-only, prepares every query and compares its result with the catalog. Runs no query. Blocks.
    #[must_use]
    pub fn check(&self) -> CheckReport {
        let mut report = CheckReport::default();
        let snapshots = self.open_sources(&mut report.errors);
        for category in self.categories() {
            let rules = &category.rules;
            let section = format!("[[category]] {:?}", rules.id);
            if let Some(snapshot) = snapshots.get(rules.source.as_str()) {
                check_query(
                    rules,
                    snapshot.as_ref(),
                    &mut Findings::of(section.clone(), &mut report.errors),
                );
            }
            if rules.tenant_column.is_none() && rules.subject_column.is_none() {
                Findings::of(section, &mut report.warnings).add(
                    "tenant_column",
                    "no column proves that rows are the tenant's",
                    "select the tenant's column in the query, list it with rule = \"drop\" and name it in tenant_column",
                );
            }
        }
        report
    }

    fn open_sources(&self, errors: &mut Vec<CatalogError>) -> BTreeMap<&str, Box<dyn Snapshot>> {
        let mut snapshots = BTreeMap::new();
        for config in self.sources() {
            match source(config)
                .and_then(|source| source.open(&SystemClock::new(), &CancellationToken::new()))
            {
                Ok(snapshot) => drop(snapshots.insert(config.name.as_str(), snapshot)),
                Err(error) => Findings::of(format!("[[source]] {:?}", config.name), errors).add(
                    "url",
                    error.to_string(),
                    "check that the database is there and can be read by this user",
                ),
            }
        }
        snapshots
    }
}

fn check_query(rules: &Rules, snapshot: &dyn Snapshot, findings: &mut Findings<'_>) {
    let shape = match snapshot.describe(&rules.id, &rules.query) {
        Ok(shape) => shape,
        Err(ExportError::QueryFailed { reason, .. }) => {
            findings.add(
                "query",
                format!("the source refuses it: {reason}"),
                "mend the statement; it must be one SELECT",
            );
            return;
        }
        Err(error) => {
            findings.add("query", error.to_string(), "check the source");
            return;
        }
    };
    if !shape.read_only {
        findings.add(
            "query",
            "it could change data, or returns no rows",
            "write one SELECT",
        );
    }
    if !shape
        .parameters
        .iter()
        .any(|parameter| parameter == ":tenant")
    {
        findings.add(
            "query",
            "the source finds no parameter :tenant in it",
            "restrict it to one tenant, as in `where tenant_id = :tenant`",
        );
    }
    for misfit in shape.misfits(&rules.columns) {
        findings.add(
            &format!("columns.{}", misfit.column),
            misfit.problem,
            misfit.remedy,
        );
    }
    let names: Vec<&str> = shape.columns.iter().map(String::as_str).collect();
    let (unknown, missing) = drift(rules, &names);
    if !unknown.is_empty() {
        findings.add(
            "columns",
            format!(
                "the query returns columns that are not listed, or twice: {}",
                unknown.join(", ")
            ),
            "list each under [category.columns] with a type or rule = \"drop\", or don't select it",
        );
    }
    if !missing.is_empty() {
        findings.add(
            "columns",
            format!("the query doesn't return: {}", missing.join(", ")),
            "select them, or remove them from [category.columns]",
        );
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
