//! The texts of `/audit`.

use std::time::Duration;

pub(in crate::http::pages) const TITLE: &str = "Audit log";
pub(in crate::http::pages) const INTRODUCTION: &str = "Who asked for, received and did what. Nothing can be changed or taken out, and reading is recorded too.";
pub(in crate::http::pages) const SERVICE: &str = "the service";

// Filters
pub(in crate::http::pages) const FILTERS: &str = "Filters";
pub(in crate::http::pages) const FROM: &str = "From";
pub(in crate::http::pages) const TO: &str = "Before";
pub(in crate::http::pages) const UTC: &str = "UTC";
pub(in crate::http::pages) const TYPE: &str = "Type";
pub(in crate::http::pages) const ANY_TYPE: &str = "All types";
pub(in crate::http::pages) const PERSON: &str = "Person";
pub(in crate::http::pages) const PERSON_HINT: &str = "User id or p-…";
pub(in crate::http::pages) const EXPORT: &str = "Export";
pub(in crate::http::pages) const EXPORT_HINT: &str = "Export id";
pub(in crate::http::pages) const APPLY: &str = "Apply";
pub(in crate::http::pages) const CLEAR: &str = "Clear all";
pub(in crate::http::pages) const NO_TIME: &str =
    "Not a date and time. Write it as 2026-11-14T10:02, in UTC.";
pub(in crate::http::pages) const TO_BEFORE_FROM: &str = "This has to be later than “From”.";
pub(in crate::http::pages) const NO_TYPE: &str = "There is no such type. Choose one of the list.";
pub(in crate::http::pages) const NO_EXPORT_ID: &str =
    "Not an export's id. It has 36 characters: digits, a to f, and hyphens.";
pub(in crate::http::pages) const NO_PERSON: &str =
    "Nobody known by this name. Take the user id, or the pseudonym that begins with p-.";
pub(in crate::http::pages) const NO_PLACE: &str =
    "This address names a place in the log that does not exist. Start again at the newest entries.";
pub(in crate::http::pages) const CORRECT_FIRST: &str =
    "Correct the marked filters to see entries. Nothing was read.";

// Taking it away
pub(in crate::http::pages) const DOWNLOAD: &str = "Download what is filtered";
pub(in crate::http::pages) const CSV: &str = "CSV";
pub(in crate::http::pages) const NDJSON: &str = "NDJSON";

// Figures
pub(in crate::http::pages) const BY_TYPE: &str = "Entries by type";
pub(in crate::http::pages) const BY_PERSON: &str = "Entries by person";
pub(in crate::http::pages) const ALL: &str = "All";
pub(in crate::http::pages) const DENSITY: &str = "Entries over time";
pub(in crate::http::pages) const AS_TABLE: &str = "As a table";
pub(in crate::http::pages) const ENTRIES_COLUMN: &str = "Entries";
pub(in crate::http::pages) const WIDEN: &str = "Whole time";
pub(in crate::http::pages) const COUNTED_SINCE: &str =
    "There is too much to count at once. Figures are lower bounds; complete since";

// The table
pub(in crate::http::pages) const ENTRIES: &str = "Entries, newest first";
pub(in crate::http::pages) const TIME: &str = "Time";
pub(in crate::http::pages) const WHAT: &str = "What";
pub(in crate::http::pages) const WHO: &str = "Who";
pub(in crate::http::pages) const CODE: &str = "Code";
pub(in crate::http::pages) const DETAILS: &str = "Details";
pub(in crate::http::pages) const RECORD: &str = "full record";
pub(in crate::http::pages) const NEWEST: &str = "Newest";
pub(in crate::http::pages) const NEWER: &str = "Newer";
pub(in crate::http::pages) const OLDER: &str = "Older";
pub(in crate::http::pages) const PAGES: &str = "Pages";
pub(in crate::http::pages) const SHOW_NEW: &str = "Show";

// States
pub(in crate::http::pages) const EMPTY: &str = "Nothing has happened here yet.";
pub(in crate::http::pages) const EMPTY_HINT: &str =
    "Requests, downloads, refusals and reads of this log will stand here as they happen.";
pub(in crate::http::pages) const NO_MATCH: &str = "No entry matches";
pub(in crate::http::pages) const REMOVE: &str = "Remove";
pub(in crate::http::pages) const BEHIND: &str = "The log is catching up: the newest entries may not be here yet. Load the page again in a moment.";

// One entry
pub(in crate::http::pages) const EVENT_ID: &str = "Event";
pub(in crate::http::pages) const STREAM: &str = "Stream";
pub(in crate::http::pages) const REVISION: &str = "Revision";
pub(in crate::http::pages) const RECORDED_AT: &str = "Recorded at";
pub(in crate::http::pages) const SCHEMA: &str = "Schema version";
pub(in crate::http::pages) const CAUSATION: &str = "Caused by";
pub(in crate::http::pages) const CORRELATION: &str = "Request";
pub(in crate::http::pages) const TRACE: &str = "Trace";
pub(in crate::http::pages) const NONE: &str = "none";
pub(in crate::http::pages) const SAFE_DETAILS: &str = "Details as recorded";
pub(in crate::http::pages) const SAME: &str = "Only entries with the same";
pub(in crate::http::pages) const UNREADABLE: &str = "The event behind this entry can't be read from the store now; this is what the log holds of it.";
pub(in crate::http::pages) const BACK: &str = "Back to the log";

/// How wide a bar is, as it is said.
pub(in crate::http::pages) fn span(width: Duration) -> String {
    let minutes = width.as_secs() / 60;
    let (count, unit) = match minutes {
        0..60 => (minutes, "minute"),
        60..1_440 => (minutes / 60, "hour"),
        1_440..10_080 => (minutes / 1_440, "day"),
        _ => (minutes / 10_080, "week"),
    };
    match count {
        1 => unit.to_owned(),
        _ => format!("{count} {unit}s"),
    }
}

pub(in crate::http::pages) fn each_bar(width: &str) -> String {
    format!("a bar for each {width} (UTC)")
}

pub(in crate::http::pages) fn at_most(count: &str) -> String {
    format!("at most {count}")
}

pub(in crate::http::pages) fn entries(count: &str, number: u64) -> String {
    match number {
        1 => format!("{count} entry"),
        _ => format!("{count} entries"),
    }
}

pub(in crate::http::pages) fn more_persons(count: &str) -> String {
    format!("and {count} more")
}

/// How many entries came while the page was being read.
pub(in crate::http::pages) fn new_entries(count: usize, is_more: bool) -> String {
    match (count, is_more) {
        (1, false) => "1 new entry.".to_owned(),
        (_, false) => format!("{count} new entries."),
        (_, true) => format!("More than {count} new entries."),
    }
}

// One export
pub(in crate::http::pages) const BOOKLET: &str = "Export";
pub(in crate::http::pages) const ASKED_BY: &str = "asked for by";
pub(in crate::http::pages) const CATEGORIES: &str = "categories";
pub(in crate::http::pages) const ITS_ENTRIES: &str = "Its entries in the log";
pub(in crate::http::pages) const TIMELINE: &str = "Timeline";
pub(in crate::http::pages) const FROM_START: &str = "From the start";
pub(in crate::http::pages) const GO_ON: &str = "Later";
pub(in crate::http::pages) const STATE: &str = "State";
pub(in crate::http::pages) const STATE_AT: &str = "State at";
pub(in crate::http::pages) const SHOW: &str = "Show";
pub(in crate::http::pages) const STEPS: &str = "Steps";
pub(in crate::http::pages) const STEP_BACK: &str = "← Step back";
pub(in crate::http::pages) const STEP_ON: &str = "Step on →";
pub(in crate::http::pages) const NOT_YET: &str = "Not there yet";
pub(in crate::http::pages) const BEFORE_IT_WAS: &str =
    "At that time there was no such export. It was accepted at";
pub(in crate::http::pages) const WITHHELD: &str = "(not shown here)";
pub(in crate::http::pages) const AS_JSON: &str = "State as JSON";
pub(in crate::http::pages) const FIELD: &str = "Field";
pub(in crate::http::pages) const VALUE: &str = "Value";
pub(in crate::http::pages) const CHANGE: &str = "Change";
pub(in crate::http::pages) const WAS: &str = "was";
pub(in crate::http::pages) const ADDED: &str = "+ added";
pub(in crate::http::pages) const CHANGED: &str = "≠ changed";
pub(in crate::http::pages) const REMOVED: &str = "− removed";
pub(in crate::http::pages) const THE_EVENT: &str = "The event";

/// Which step of how many, and what it is.
pub(in crate::http::pages) fn step(revision: u64, last: u64, kind: &str) -> String {
    format!("Revision {revision} of {last}: {kind}")
}

pub(in crate::http::pages) fn no_revision(last: u64) -> String {
    match last {
        0 => "There is revision 0 and no other yet.".to_owned(),
        _ => format!("There are revisions 0 to {last}."),
    }
}

/// How much an event changed.
pub(in crate::http::pages) fn changes(changed: usize, added: usize, removed: usize) -> String {
    match (changed, added, removed) {
        (0, 0, 0) => "The first state, or the same as before.".to_owned(),
        _ => format!(
            "Against the revision before: {changed} changed, {added} added, {removed} removed."
        ),
    }
}

/// A status, as the portal calls it too.
pub(in crate::http::pages) fn status(code: &str) -> String {
    spelled_out(code)
}

/// What a type of entry or event means, in a few words. Types that came after this list are spelled out.
pub(in crate::http::pages) fn kind(code: &str) -> String {
    let words = match code {
        "access_denied" => "Access denied",
        "artifact_damaged" => "File found damaged",
        "artifact_deleted" => "File deleted",
        "artifact_restored" => "File found whole again",
        "audit_read" => "Audit log read",
        "cancelled" => "Export cancelled",
        "completed" => "Export completed",
        "download_blocked" => "Download blocked",
        "download_ended" => "Download ended",
        "downloaded" => "Download begun",
        "exemption_granted" => "Exemption granted",
        "expired" => "Download window closed",
        "export_admitted" => "Export accepted",
        "export_refused" => "Export refused",
        "failed" => "Export failed",
        "held" => "Legal hold placed",
        "hold_released" => "Legal hold ended",
        "link_issued" => "Download link issued",
        "link_revoked" => "Download link revoked",
        "links_revoked" => "All download links revoked",
        "module_switched" => "Module switched",
        "repeated" => "Repeated",
        "session_ended" => "Session ended",
        "session_started" => "Signed in",
        "schedule_set" => "Schedule set",
        "schedule_skipped" => "Scheduled export skipped",
        "tenant_cancelled" => "Tenant cancelled",
        "tenant_closed" => "Tenant closed",
        "tenant_purge_started" => "Purge of the tenant begun",
        "tenant_purged" => "Tenant purged",
        "tenant_reactivated" => "Tenant reactivated",
        "tenant_reopened" => "Tenant reopened",
        // Steps of one export, in its booklet.
        "requested" => "Queued",
        "started" => "Attempt begun",
        "progressed" => "Progress",
        "attempt_failed" => "Attempt failed",
        "attempt_lost" => "Attempt lost",
        "handed_back" => "Handed back",
        "deletion_started" => "Deletion begun",
        other => return spelled_out(other),
    };
    words.to_owned()
}

fn spelled_out(code: &str) -> String {
    let mut letters = code.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first
        .into_iter()
        .chain(letters.map(|letter| if letter == '_' { ' ' } else { letter }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn every_type_is_told_in_words() {
        for code in carnet_projections::audit_log::TYPES {
            let words = kind(code);
            assert!(!words.contains('_') && words.starts_with(char::is_uppercase));
        }
        assert_eq!(kind("something_new"), "Something new");
    }
}
