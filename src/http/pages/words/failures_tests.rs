use super::*;
use crate::export::artifact::{ArtifactError, StorageError};
use crate::export::canonical::json::JsonError;
use crate::export::error::{ExportError, ValueError};

fn words(code: &str, parameters: &BTreeMap<String, String>) -> String {
    let said = explain(code, parameters, |id| id.to_uppercase());
    format!("{} {}", said.happened, said.to_do)
}

fn value(problem: ValueError) -> ExportError {
    ExportError::Value {
        category: "users".to_owned(),
        column: "age".to_owned(),
        problem,
    }
}

/// One of each, so that a new variant shows up here.
fn every_error() -> Vec<ExportError> {
    let (category, reason) = (|| "users".to_owned(), || "SECRET WORDS".to_owned());
    let source_name = || "main".to_owned();
    vec![
        ExportError::SchemaDrift {
            category: category(),
            unknown: vec!["nickname".to_owned()],
            missing: vec![],
        },
        ExportError::IsolationViolation {
            category: category(),
            column: "tenant_id".to_owned(),
        },
        value(ValueError::Type { hint: "text" }),
        value(ValueError::Range { hint: "bigint" }),
        value(ValueError::Utf8),
        value(ValueError::Json(JsonError::Number)),
        value(ValueError::TooLarge),
        ExportError::RowTooLarge {
            category: category(),
            column: None,
        },
        ExportError::SourceUnavailable {
            source_name: source_name(),
            reason: reason(),
        },
        ExportError::SourceBusy {
            source_name: source_name(),
        },
        ExportError::SourceDenied {
            source_name: source_name(),
            category: Some(category()),
            reason: reason(),
        },
        ExportError::SourceTimeout {
            source_name: source_name(),
            category: Some(category()),
            reason: reason(),
        },
        ExportError::SourceConflict {
            source_name: source_name(),
            reason: reason(),
        },
        ExportError::QueryFailed {
            category: category(),
            reason: reason(),
        },
        ExportError::UnknownCategory {
            category: category(),
        },
        ExportError::PolicyChanged {
            category: category(),
        },
        ExportError::ScopeUnsupported {
            category: category(),
        },
        ExportError::Artifact(ArtifactError::TooLarge { max_bytes: 1 }),
        ExportError::Artifact(ArtifactError::Storage(StorageError::Full)),
        ExportError::Artifact(ArtifactError::Storage(StorageError::Failed {
            reason: reason(),
        })),
        ExportError::Artifact(ArtifactError::Storage(StorageError::Expired)),
        ExportError::Artifact(ArtifactError::Storage(StorageError::Unreachable {
            reason: reason(),
        })),
        ExportError::Cancelled,
        ExportError::Internal {
            reason: "SECRET WORDS",
        },
    ]
}

#[test]
fn every_failure_has_words_of_its_own() {
    let unknown = words("no such code", &BTreeMap::new());
    let of_actors = [
        "stalled",
        "attempts_lost",
        "internal",
        "operator",
        "tenant_purged",
    ]
    .map(|code| (code, BTreeMap::new()));
    let of_exports = every_error()
        .into_iter()
        .map(|error| (error.code(), error.failure().parameters));
    for (code, parameters) in of_exports.chain(of_actors) {
        let said = words(code, &parameters);
        assert_ne!(said, unknown, "{code}");
        assert!(!said.contains(code) || !code.contains('_'), "{said}");
        assert!(!said.contains("SECRET"), "{said}");
        if let Some(category) = parameters.get("category") {
            assert!(said.contains(&category.to_uppercase()), "{code}: {said}");
        }
    }
}

#[test]
fn new_columns_are_named() {
    let error = &every_error()[0];
    let said = words(error.code(), &error.failure().parameters);
    assert!(
        said.starts_with("USERS has columns that are new and have no rule yet: nickname."),
        "{said}"
    );
}
