//! The rules of sources.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::is_identifier;
use crate::config::Span;
use crate::export::catalog::error::Findings;
use crate::export::catalog::{CatalogError, SourceConfig};
use crate::export::source::postgres;

/// What a source's `statement_timeout` may be.
const STATEMENT_TIMEOUTS: RangeInclusive<Span> = Span::seconds(1)..=Span::days(7);

pub(super) fn check_sources(sources: &[SourceConfig], errors: &mut Vec<CatalogError>) {
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
