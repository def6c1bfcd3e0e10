//! What is wrong with a catalog, where, and what to do about it.

use std::fmt;

/// One thing wrong with the configured catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogError {
    /// The section of the configuration file, such as `[[category]] "users"`.
    pub section: String,
    /// The key within it.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}: {}; {}",
            self.section, self.key, self.problem, self.remedy
        )
    }
}

impl std::error::Error for CatalogError {}

/// Everything wrong with the configured catalog, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogErrors(pub Vec<CatalogError>);

impl fmt::Display for CatalogErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogErrors {}

/// Collects what is wrong within one section.
pub(super) struct Findings<'a> {
    section: String,
    errors: &'a mut Vec<CatalogError>,
}

impl<'a> Findings<'a> {
    pub(super) fn of(section: String, errors: &'a mut Vec<CatalogError>) -> Self {
        Self { section, errors }
    }

    pub(super) fn add(&mut self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.errors.push(CatalogError {
            section: self.section.clone(),
            key: key.to_owned(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }
}
