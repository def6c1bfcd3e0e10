//! What SQLite's errors mean for the caller, said once.

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// What was being done when SQLite failed; it decides whether anything may have been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Opening, reading, or writing within a transaction that will be rolled back.
    Undone,
    /// Committing.
    Commit,
}

/// Translates an error of SQLite into the contract's.
pub(super) fn translate(error: &rusqlite::Error, stage: Stage) -> StoreError {
    let Some(code) = error.sqlite_error_code() else {
        // Not SQLite itself: a value of another type than the schema says, or a broken text.
        return StoreError::corrupt(error.to_string());
    };
    match code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => {
            StoreError::corrupt(error.to_string())
        }
        // A commit that runs out of space has not written its commit record, and is rolled back.
        ErrorCode::DiskFull => {
            StoreError::unavailable("the disk is full; make space, and it goes on")
        }
        // Whether the record that failed to be synced survives, only the next recovery would tell.
        ErrorCode::SystemIoFailure if stage == Stage::Commit => {
            StoreError::unknown(error.to_string())
        }
        _ => StoreError::unavailable(error.to_string()),
    }
}

/// Translates an error of anything that wrote nothing.
pub(super) fn undone(error: rusqlite::Error) -> StoreError {
    translate(&error, Stage::Undone)
}
