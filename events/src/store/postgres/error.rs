//! What PostgreSQL's errors mean for the caller, said once.

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use super::connect::{ConnectError, describe};
use crate::store::StoreError;

/// An error of anything that wrote nothing, or was rolled back.
pub(super) fn undone(error: &Error) -> StoreError {
    let reason = describe(error);
    let Some(said) = error.as_db_error() else {
        // A column of another type than the schema says.
        return match lost(error) {
            true => StoreError::unavailable(format!("the connection was lost: {reason}")),
            false => StoreError::corrupt(reason),
        };
    };
    let code = said.code();
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return StoreError::unavailable(
            "the database takes no writes: it is a standby, or set to read only; name the primary in the URL, \
             or end `default_transaction_read_only`",
        );
    }
    // What the statements that read say to a server in recovery.
    if *code == SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE {
        return StoreError::unavailable(
            "a standby answered, which may be behind; let the URL or the pooler lead to the primary",
        );
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return StoreError::refused(format!(
            "{reason}; grant the role SELECT, INSERT, UPDATE and DELETE on all tables of the store's schema"
        ));
    }
    if *code == SqlState::LOCK_NOT_AVAILABLE {
        return StoreError::unavailable(
            "another node has held the log for 10 s; it is tried again",
        );
    }
    if *code == SqlState::DISK_FULL {
        return StoreError::unavailable(format!("{reason}; make space, and it goes on"));
    }
    if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::INVALID_SCHEMA_NAME {
        return StoreError::corrupt(format!("{reason}; restore the database from a backup"));
    }
    // Classes 22 and 23, and XX: what is stored, or a rule about it, is not as it should be.
    match code.code().get(..2) {
        Some("22" | "23" | "XX") => StoreError::corrupt(reason),
        _ => StoreError::unavailable(reason),
    }
}

/// An error of a commit: it was made or not, unless the server says so.
pub(super) fn in_doubt(error: &Error) -> StoreError {
    let rolled_back = |said: &tokio_postgres::error::DbError| {
        said.parsed_severity() == Some(Severity::Error)
            && *said.code() != SqlState::PROTOCOL_VIOLATION
    };
    match error.as_db_error().is_some_and(rolled_back) {
        true => undone(error),
        false => StoreError::unknown(describe(error)),
    }
}

/// Whether the connection is of no more use.
pub(super) fn lost(error: &Error) -> bool {
    match error.as_db_error() {
        Some(said) => {
            let code = said.code().code();
            said.parsed_severity() != Some(Severity::Error)
                || code.starts_with("08")
                || code.starts_with("57P")
        }
        None => {
            let column = error.to_string();
            !(column.contains("column") || column.contains("parameter"))
        }
    }
}

impl From<ConnectError> for StoreError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Url { .. } => Self::invalid(error.to_string()),
            ConnectError::Unreachable { .. }
            | ConnectError::Busy { .. }
            | ConnectError::ReadOnly { .. }
            | ConnectError::Denied { .. }
            | ConnectError::NoDatabase { .. }
            | ConnectError::NotPostgres { .. }
            | ConnectError::Tls { .. }
            | ConnectError::Other { .. } => Self::unavailable(error.to_string()),
        }
    }
}
