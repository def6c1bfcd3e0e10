//! Why an export failed, for the people who asked for it: what happened, and what to do. One entry per failure code.

use std::collections::BTreeMap;

/// What happened, and what to do about it.
pub(in crate::http::pages) struct Explained {
    pub(in crate::http::pages) happened: String,
    pub(in crate::http::pages) to_do: &'static str,
}

const ASK_OPERATOR: &str = "Ask your operator to correct the export's settings, then try again.";
const TELL_OPERATOR: &str = "Try again; if it happens again, tell your operator.";
const DATA: &str =
    "Correct the value where it is kept, or ask your operator to change how it is exported.";

/// The failure in plain words. `parameters` are names of categories and columns, never values.
pub(in crate::http::pages) fn explain(
    code: &str,
    parameters: &BTreeMap<String, String>,
    title: impl Fn(&str) -> String,
) -> Explained {
    let get = |name: &str| parameters.get(name).map(String::as_str);
    let category = get("category").map_or_else(|| "the data".to_owned(), title);
    let column = get("column").unwrap_or("a column");
    let (happened, to_do) = match code {
        "schema_drift" => (
            drifted(&category, get("unknown_columns"), get("missing_columns")),
            ASK_OPERATOR,
        ),
        "isolation_violation" => (
            format!("{category} held a row that isn't yours, so nothing was exported."),
            "Tell your operator; this needs their attention.",
        ),
        "value_out_of_range" => (
            format!(
                "A number in {category}, column {column}, is too large to be exported exactly."
            ),
            DATA,
        ),
        "invalid_value" => (
            format!(
                "A value in {category}, column {column}, isn't of the kind that is expected there."
            ),
            DATA,
        ),
        "cell_too_large" => (
            format!("A value in {category} is larger than an export may hold."),
            DATA,
        ),
        "source_unavailable" => (
            "The database with your data didn't answer.".to_owned(),
            TELL_OPERATOR,
        ),
        "source_busy" => (
            "The database with your data was busy for too long.".to_owned(),
            "Try again in a few minutes.",
        ),
        "source_denied" => (
            format!("The database didn't let this service read {category}."),
            ASK_OPERATOR,
        ),
        "source_timeout" => (
            format!("Reading {category} took too long."),
            "Try again when less is going on; if it happens again, tell your operator.",
        ),
        "source_conflict" => (
            "The database with your data had to end the reading early.".to_owned(),
            "Try again in a few minutes.",
        ),
        "query_failed" => (format!("{category} couldn't be read."), ASK_OPERATOR),
        "unknown_category" => (
            format!("{category} can no longer be exported."),
            "Start a new export without it.",
        ),
        "policy_changed" => (
            format!("The rules for {category} changed while the export was waiting."),
            "Try again: the new export follows the new rules.",
        ),
        "scope_unsupported" => (
            format!("{category} can't be limited to one part."),
            "Try again without it, or without the limit.",
        ),
        "storage_full" => (
            "There was no room left for the file.".to_owned(),
            "Tell your operator, then try again.",
        ),
        "storage_missing" | "storage_denied" | "storage_clock" => (
            "The place where files are stored isn't set up as it must be.".to_owned(),
            "Tell your operator, then try again.",
        ),
        "storage_unreachable" => (
            "The place where files are stored didn't answer.".to_owned(),
            TELL_OPERATOR,
        ),
        "storage_failed" => ("The file couldn't be stored.".to_owned(), TELL_OPERATOR),
        "too_large" => (
            "The file became larger than an export may be.".to_owned(),
            "Try again with fewer categories.",
        ),
        "stalled" => (
            "The export stopped making progress.".to_owned(),
            TELL_OPERATOR,
        ),
        "attempts_lost" => (
            "The service was interrupted too often while it worked on this.".to_owned(),
            TELL_OPERATOR,
        ),
        "cancelled" => (
            "The export was stopped.".to_owned(),
            "Start a new one when you need it.",
        ),
        "operator" => (
            "An operator of this service stopped it.".to_owned(),
            "Ask them why, or start a new export.",
        ),
        "tenant_purged" => (
            "The account was closed for good before the export was done.".to_owned(),
            "There is nothing to do: nothing of the account is kept here any more.",
        ),
        "internal" => (
            "Something went wrong in the service.".to_owned(),
            TELL_OPERATOR,
        ),
        _ => ("The export couldn't be made.".to_owned(), TELL_OPERATOR),
    };
    Explained { happened, to_do }
}

fn drifted(category: &str, unknown: Option<&str>, missing: Option<&str>) -> String {
    match (unknown, missing) {
        (Some(new), None) => {
            format!("{category} has columns that are new and have no rule yet: {new}.")
        }
        (None, Some(gone)) => {
            format!("{category} no longer has columns that were expected: {gone}.")
        }
        (Some(new), Some(gone)) => {
            format!("{category} has other columns than expected. New: {new}. Gone: {gone}.")
        }
        (None, None) => format!("{category} has other columns than expected."),
    }
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
