//! What can go wrong while an export runs.

use carnet_actors::ports::RunFailure;

use super::artifact::{ArtifactError, StorageError};

/// Why an attempt failed. [`code`](Self::code) and the parameters of [`failure`](Self::failure) go into events and answers;
/// `reason`s are for the log and go nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The query's result has other columns than the catalog.
    #[error("category {category}: unknown columns {unknown:?}, missing columns {missing:?}")]
    SchemaDrift {
        /// The category.
        category: String,
        /// In the result, not in the catalog.
        unknown: Vec<String>,
        /// In the catalog, not in the result.
        missing: Vec<String>,
    },
    /// A row belongs to somebody else.
    #[error("category {category}: column {column} names another tenant or person")]
    IsolationViolation {
        /// The category.
        category: String,
        /// The column that was compared.
        column: String,
    },
    /// A value is not what its column's type allows.
    #[error("category {category}, column {column}: {problem}")]
    Value {
        /// The category.
        category: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        problem: ValueError,
    },
    /// A row is larger than one may be.
    #[error("category {category}: a row is larger than 32 MiB{}", beyond(.column.as_deref()))]
    RowTooLarge {
        /// The category.
        category: String,
        /// The column by which it became so, where that is known.
        column: Option<String>,
    },
    /// The source can't be opened or read.
    #[error("source {source_name} is unavailable: {reason}")]
    SourceUnavailable {
        /// The source.
        source_name: String,
        /// The driver's words.
        reason: String,
    },
    /// The source stayed locked for as long as was waited.
    #[error("source {source_name} is busy")]
    SourceBusy {
        /// The source.
        source_name: String,
    },
    /// The source lets us in under no such name, or not near what the query reads.
    #[error("source {source_name} denies access: {reason}")]
    SourceDenied {
        /// The source.
        source_name: String,
        /// The category that was read, if it was one.
        category: Option<String>,
        /// The driver's words.
        reason: String,
    },
    /// A statement took longer than it may.
    #[error("source {source_name} took too long: {reason}")]
    SourceTimeout {
        /// The source.
        source_name: String,
        /// The category that was read, if it was one.
        category: Option<String>,
        /// The driver's words.
        reason: String,
    },
    /// The source ended the reading in favour of something else: a standby, of what its primary did.
    #[error("source {source_name} ended the reading: {reason}")]
    SourceConflict {
        /// The source.
        source_name: String,
        /// The driver's words.
        reason: String,
    },
    /// The source refuses the category's query.
    #[error("category {category}: the query failed: {reason}")]
    QueryFailed {
        /// The category.
        category: String,
        /// The driver's words.
        reason: String,
    },
    /// The category is in the catalog no more.
    #[error("category {category} is not in the catalog")]
    UnknownCategory {
        /// The category.
        category: String,
    },
    /// The category's policy is not the one the attempt was started under.
    #[error("the policy of category {category} has changed")]
    PolicyChanged {
        /// The category.
        category: String,
    },
    /// A part of the tenant was asked for, and the category's query can't be limited to it.
    #[error("category {category} can't be limited to a scope")]
    ScopeUnsupported {
        /// The category.
        category: String,
    },
    /// The artifact could not be written or stored.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A bug of ours.
    #[error("internal error: {reason}")]
    Internal {
        /// What was found.
        reason: &'static str,
    },
}

/// What is wrong with a value. Never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Another type of value than declared.
    #[error("it is not a value of the declared type ({hint})")]
    Type {
        /// What the declared type accepts.
        hint: &'static str,
    },
    /// A number beyond what the declared type can hold.
    #[error("it is out of range ({hint})")]
    Range {
        /// What to do.
        hint: &'static str,
    },
    /// Text that isn't UTF-8.
    #[error("it is not valid UTF-8")]
    Utf8,
    /// A JSON document that has no canonical form.
    #[error(transparent)]
    Json(#[from] super::canonical::json::JsonError),
    /// Larger than a cell may be.
    #[error("it takes more than 16 MiB as it is written in JSON, escaped or as base64")]
    TooLarge,
}

impl ValueError {
    const fn code(self) -> &'static str {
        match self {
            Self::Range { .. } | Self::Json(super::canonical::json::JsonError::Number) => {
                "value_out_of_range"
            }
            Self::TooLarge => "cell_too_large",
            Self::Type { .. } | Self::Utf8 | Self::Json(_) => "invalid_value",
        }
    }
}

impl ExportError {
    /// The failure code: stable, documented, the same in events, answers and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SchemaDrift { .. } => "schema_drift",
            Self::IsolationViolation { .. } => "isolation_violation",
            Self::Value { problem, .. } => problem.code(),
            Self::RowTooLarge { .. } => "cell_too_large",
            Self::SourceUnavailable { .. } => "source_unavailable",
            Self::SourceBusy { .. } => "source_busy",
            Self::SourceDenied { .. } => "source_denied",
            Self::SourceTimeout { .. } => "source_timeout",
            Self::SourceConflict { .. } => "source_conflict",
            Self::QueryFailed { .. } => "query_failed",
            Self::UnknownCategory { .. } => "unknown_category",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::ScopeUnsupported { .. } => "scope_unsupported",
            Self::Artifact(ArtifactError::Storage(StorageError::Cancelled)) | Self::Cancelled => {
                "cancelled"
            }
            Self::Artifact(error) => error.code(),
            Self::Internal { .. } => "internal",
        }
    }

    /// Whether another attempt may fare better: what depends on the data or the catalog alone fails again.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::SourceUnavailable { .. }
            | Self::SourceBusy { .. }
            | Self::SourceTimeout { .. }
            | Self::SourceConflict { .. }
            | Self::Internal { .. } => true,
            Self::Artifact(ArtifactError::TooLarge { .. }) => false,
            Self::Artifact(ArtifactError::Storage(error)) => !matches!(error, StorageError::Full),
            Self::Artifact(_) => true,
            Self::SchemaDrift { .. }
            | Self::IsolationViolation { .. }
            | Self::Value { .. }
            | Self::RowTooLarge { .. }
            | Self::SourceDenied { .. }
            | Self::QueryFailed { .. }
            | Self::UnknownCategory { .. }
            | Self::PolicyChanged { .. }
            | Self::ScopeUnsupported { .. }
            | Self::Cancelled => false,
        }
    }

    /// What the actors are told: code, safe parameters, whether to try again.
    #[must_use]
    pub fn failure(&self) -> RunFailure {
        let failure = if self.retryable() {
            RunFailure::retryable(self.code())
        } else {
            RunFailure::permanent(self.code())
        };
        match self {
            Self::SchemaDrift {
                category,
                unknown,
                missing,
            } => {
                let mut failure = failure.with("category", category);
                for (name, columns) in [("unknown_columns", unknown), ("missing_columns", missing)]
                {
                    if !columns.is_empty() {
                        failure = failure.with(name, listed(columns));
                    }
                }
                failure
            }
            Self::IsolationViolation { category, column } => {
                failure.with("category", category).with("column", column)
            }
            Self::Value {
                category,
                column,
                problem,
            } => failure
                .with("category", category)
                .with("column", column)
                .with("problem", problem.to_string()),
            Self::SourceDenied {
                source_name,
                category,
                ..
            }
            | Self::SourceTimeout {
                source_name,
                category,
                ..
            } => {
                let failure = failure.with("source", source_name);
                match category {
                    Some(category) => failure.with("category", category),
                    None => failure,
                }
            }
            Self::SourceUnavailable { source_name, .. }
            | Self::SourceBusy { source_name }
            | Self::SourceConflict { source_name, .. } => failure.with("source", source_name),
            Self::RowTooLarge { category, column } => {
                let failure = failure.with("category", category);
                match column {
                    Some(column) => failure.with("column", column),
                    None => failure,
                }
            }
            Self::QueryFailed { category, reason } => {
                let failure = failure.with("category", category);
                match absent_column(reason) {
                    Some(column) => failure.with("column", column),
                    None => failure,
                }
            }
            Self::UnknownCategory { category }
            | Self::PolicyChanged { category }
            | Self::ScopeUnsupported { category } => failure.with("category", category),
            Self::Artifact(_) | Self::Cancelled | Self::Internal { .. } => failure,
        }
    }
}

impl From<StorageError> for ExportError {
    fn from(error: StorageError) -> Self {
        Self::Artifact(error.into())
    }
}

fn beyond(column: Option<&str>) -> String {
    column.map_or_else(String::new, |column| format!(", with column {column}"))
}

/// The column that a query names and its source hasn't, as SQLite and PostgreSQL put it. A name alone, and no other word of
/// theirs: it stands in the configuration.
fn absent_column(reason: &str) -> Option<&str> {
    let (_, rest) = reason.split_once("no such column: ").or_else(|| {
        reason
            .split_once("column ")
            .filter(|(_, rest)| rest.contains(" does not exist"))
    })?;
    let rest = rest.trim_start_matches('"');
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
    let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    rest.get(..end)
        .filter(|name| (1..=128).contains(&name.len()))
}

/// A few names, each of bounded length: events are small.
fn listed(columns: &[String]) -> String {
    const MOST: usize = 10;
    const LONGEST: usize = 64;
    let mut names: Vec<String> = columns
        .iter()
        .take(MOST)
        .map(|name| name.chars().take(LONGEST).collect())
        .collect();
    if columns.len() > MOST {
        names.push(format!("and {} more", columns.len() - MOST));
    }
    names.join(", ")
}
