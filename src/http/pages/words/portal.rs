//! The texts of `/settings`.

use std::time::Duration;

use carnet_events::domain::export::{Phase, Status};

pub(in crate::http::pages) const TITLE: &str = "Data exports";
pub(in crate::http::pages) const PURPOSE: &str =
    "Get a copy of your organisation's data as one file.";

// What is left, and the button
pub(in crate::http::pages) const START: &str = "Start export";
pub(in crate::http::pages) const LIMITS: &str = "What is left of your limits";
pub(in crate::http::pages) const FOR_YOU: &str = "for you";
pub(in crate::http::pages) const NEXT: &str = "Next possible: ";
pub(in crate::http::pages) const NEXT_NEVER: &str = "The limit doesn't open again by itself.";
pub(in crate::http::pages) const LAST: &str = "Last export: ";
pub(in crate::http::pages) const OPENS_AGAIN: &str = "opens again ";

pub(in crate::http::pages) fn left(remaining: &str, limit: &str) -> String {
    format!("{remaining} of {limit} left")
}

/// The length of a window.
pub(in crate::http::pages) fn per(window: Duration) -> String {
    let (minutes, rest) = (window.as_secs() / 60, window.as_secs() % 60);
    match (minutes / 60, minutes % 60, rest) {
        (1, 0, 0) => "per hour".to_owned(),
        (hours, 0, 0) if hours > 48 && hours % 24 == 0 => format!("per {} days", hours / 24),
        (hours, 0, 0) if hours > 0 => format!("per {hours} hours"),
        (_, _, 0) => format!("per {minutes} minutes"),
        _ => format!("per {} seconds", window.as_secs()),
    }
}

pub(in crate::http::pages) fn exempted(more: &str) -> String {
    format!("{more} more by exemption")
}

pub(in crate::http::pages) fn within(wait: &str) -> String {
    format!(" (in {wait})")
}

/// Why no export can be started now, by the code of the refusal.
pub(in crate::http::pages) fn blocked(code: &str) -> &'static str {
    match code {
        "limit_user" => "You have used up your exports for now.",
        "limit_tenant" => "Your organisation has used up its exports for now.",
        "tenant_closed" => {
            "Exports are closed for your organisation. Ask the operators of this service; they can open them again."
        }
        "storage_unverified" => {
            "The place where files are kept isn't working. Exports open again by themselves once it does; your operators have been told."
        }
        "intake_paused" => {
            "The operators have paused new exports. Running ones go on. Try again later."
        }
        _ => "No export can be started at the moment. Try again in a minute.",
    }
}

pub(in crate::http::pages) const ACTIVE_YOURS: &str =
    "Your export is under way. The next one can start when it has finished or you cancel it.";
pub(in crate::http::pages) const ACTIVE_SOMEBODYS: &str = "An export that somebody else started is under way. The next one can start when it has finished.";
pub(in crate::http::pages) fn active_of(who: &str) -> String {
    format!("An export by {who} is under way. The next one can start when it has finished.")
}
pub(in crate::http::pages) const NOTHING_PERMITTED: &str =
    "There is nothing here that you may export. Ask your administrator for permission.";

// New export
pub(in crate::http::pages) const NEW: &str = "New export";
pub(in crate::http::pages) const CATEGORIES: &str = "What to export";
pub(in crate::http::pages) const LEFT_OUT: &str = "Left out: ";
pub(in crate::http::pages) const MASKED: &str = "Made unreadable: ";
pub(in crate::http::pages) const HASHED: &str = "Replaced by a code: ";
pub(in crate::http::pages) const SCANNED: &str = "Cleaned of secrets and phone numbers: ";
pub(in crate::http::pages) const UNCHANGED: &str = "Exported as it is.";
pub(in crate::http::pages) const FORMAT: &str = "Format";
pub(in crate::http::pages) const COMPRESSION: &str = "Compression";
pub(in crate::http::pages) const SCOPE: &str = "Only this part";
pub(in crate::http::pages) const SCOPE_HINT: &str =
    "Optional: the id of one part of your organisation.";
pub(in crate::http::pages) const REASON: &str = "Why";
pub(in crate::http::pages) const REASON_HINT: &str =
    "Optional: a few words for your colleagues. Kept apart from the audit log.";

pub(in crate::http::pages) fn kept_last(column: &str, characters: u8) -> String {
    match characters {
        0 => column.to_owned(),
        1 => format!("{column} (all but the last character)"),
        _ => format!("{column} (all but the last {characters})"),
    }
}

pub(in crate::http::pages) fn format_name(format: &str) -> &str {
    match format {
        "json" => "JSON",
        other => other,
    }
}

pub(in crate::http::pages) fn compression_name(compression: &str) -> &str {
    match compression {
        "gzip" => "gzip (usual)",
        "zstd" => "zstd (newer tools)",
        "none" => "none",
        other => other,
    }
}

pub(in crate::http::pages) const SAVE: &str = "Save the file here as soon as it is ready";
pub(in crate::http::pages) const STARTED_NOW: &str =
    "The export has started. You can leave this page; the file will be waiting here.";
pub(in crate::http::pages) const READY: &str = "Your file is ready.";
pub(in crate::http::pages) const SAVED: &str = "It is being saved by your browser.";

pub(in crate::http::pages) fn rows_last_time(rows: &str) -> String {
    format!("{rows} rows last time")
}

// Under way
pub(in crate::http::pages) const ACTIVE: &str = "Under way";
pub(in crate::http::pages) const CANCEL: &str = "Cancel";
pub(in crate::http::pages) const STARTED: &str = "started ";
pub(in crate::http::pages) const ASKED: &str = "asked for ";
pub(in crate::http::pages) const NOT_YOURS: &str =
    "An export of your organisation, started by somebody else";
pub(in crate::http::pages) const PROGRESS: &str = "Progress";
pub(in crate::http::pages) const RELOAD: &str = "Reload this page to see how far it is.";
pub(in crate::http::pages) const ATTEMPT: &str = "attempt ";

pub(in crate::http::pages) fn by(who: &str) -> String {
    format!("by {who}")
}

pub(in crate::http::pages) fn rows(rows: &str) -> String {
    format!("{rows} rows")
}

/// How much of it is done, in hundredths.
pub(in crate::http::pages) fn done_of_hundred(hundredths: u64) -> String {
    format!("about {hundredths} %")
}

pub(in crate::http::pages) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Preparing => "preparing",
        Phase::Reading => "reading",
        Phase::Storing => "storing the file",
    }
}

/// A place in the queue, from 1.
pub(in crate::http::pages) fn place(place: u64) -> String {
    let end = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{end} in line")
}

pub(in crate::http::pages) const WAITS_WORKER: &str = "waits for a free worker";
pub(in crate::http::pages) const WAITS_AGAIN: &str = "will be tried again ";
pub(in crate::http::pages) const WAITS_DRAINING: &str =
    "waits: the service is being prepared for maintenance";
pub(in crate::http::pages) const WAITS_CLOCK: &str =
    "waits: the service's clock is being set right";
pub(in crate::http::pages) const WAITS: &str = "waits to be taken up";

pub(in crate::http::pages) const CANCEL_TITLE: &str = "Cancel this export?";
pub(in crate::http::pages) const CANCEL_MEANS: &str = "What has been read so far is thrown away, and there will be no file. It still counts towards your limits.";
pub(in crate::http::pages) const CANCEL_DO: &str = "Cancel the export";
pub(in crate::http::pages) const CANCEL_DONT: &str = "Let it go on";

// History
pub(in crate::http::pages) const HISTORY: &str = "History";
pub(in crate::http::pages) const SHOW: &str = "Show";
pub(in crate::http::pages) const ALL: &str = "All";
pub(in crate::http::pages) const EMPTY: &str = "No exports yet. Choose what you need above and press “Start export”; the file appears here, ready to download.";
pub(in crate::http::pages) const EMPTY_FILTER: &str = "No export with this status.";
pub(in crate::http::pages) const EMPTY_REST: &str = "Finished exports will be listed here.";
pub(in crate::http::pages) const EMPTY_PAGE: &str = "There is nothing on this page any more.";
pub(in crate::http::pages) const SHOW_ALL: &str = "Show all";
pub(in crate::http::pages) const COLUMNS: [&str; 5] =
    ["Status", "Asked for", "What", "Size", "Available until"];
pub(in crate::http::pages) const ACTIONS: &str = "Actions";
pub(in crate::http::pages) const DOWNLOAD: &str = "Download";
pub(in crate::http::pages) const LINK: &str = "Link";
pub(in crate::http::pages) const DETAILS: &str = "Details";
pub(in crate::http::pages) const AGAIN: &str = "Try again";
pub(in crate::http::pages) const UNTIL: &str = "until ";
pub(in crate::http::pages) const NO_END: &str = "without end";
pub(in crate::http::pages) const ENDED: &str = "ended ";
pub(in crate::http::pages) const NEWER: &str = "Newer";
pub(in crate::http::pages) const OLDER: &str = "Older";
pub(in crate::http::pages) const PAGES: &str = "Pages of the history";
pub(in crate::http::pages) const CHANGED: &str =
    "No longer available: the rules or your permissions have changed since. Start a new export.";
pub(in crate::http::pages) const CLOSED: &str =
    "Can't be downloaded while exports are closed for your organisation.";
pub(in crate::http::pages) const DAMAGED: &str = "The stored file was found damaged. Start a new export; or try again once your operators, who have been told, have restored it.";
pub(in crate::http::pages) const TRY_AGAIN: &str = "Try the file again";
pub(in crate::http::pages) const CATCHING_UP: &str =
    "The history is catching up. It appears here in a moment.";

pub(in crate::http::pages) fn status(status: Status) -> &'static str {
    match status {
        Status::Queued => "Queued",
        Status::Running => "Running",
        Status::Completed => "Completed",
        Status::Failed => "Failed",
        Status::Cancelled => "Cancelled",
        Status::Expired => "Expired",
    }
}

pub(in crate::http::pages) fn left_of_window(left: &str) -> String {
    format!("{left} left")
}

pub(in crate::http::pages) fn page_of(page: &str, pages: &str) -> String {
    format!("Page {page} of {pages}")
}

pub(in crate::http::pages) fn total(total: &str) -> String {
    format!("{total} exports")
}

/// What a screen reader says when an export changes.
pub(in crate::http::pages) fn said(what: &str, status: &str) -> String {
    format!("{what}: {status}")
}

// One export
pub(in crate::http::pages) const BACK: &str = "All exports";
pub(in crate::http::pages) const FILE: &str = "File";
pub(in crate::http::pages) const DOWNLOAD_JSON: &str = "Download JSON";
pub(in crate::http::pages) const MAKE_LINK: &str = "Make a link";
pub(in crate::http::pages) const LINK_MEANS: &str =
    "Whoever has the link can download the file, without signing in, until it ends.";
pub(in crate::http::pages) const LINK_READY: &str = "Your link. It is shown only now.";
pub(in crate::http::pages) const LINK_ENDS: &str = "Works until ";
pub(in crate::http::pages) const REVOKE: &str = "End all links";
pub(in crate::http::pages) const REVOKE_MEANS: &str =
    "Ends every link to this file that was made until now, at once.";
pub(in crate::http::pages) const COPY: &str = "Copy";
pub(in crate::http::pages) const COPIED: &str = "Copied";
pub(in crate::http::pages) const MANIFEST: &str = "What is in it";
pub(in crate::http::pages) const MANIFEST_COLUMNS: [&str; 4] =
    ["Category", "Rows", "Read at", "Policy"];
pub(in crate::http::pages) const CHECKSUM: &str = "Checksum";
pub(in crate::http::pages) const STORED_DIGEST: &str = "SHA-256 of the stored file";
pub(in crate::http::pages) const JSON_DIGEST: &str = "SHA-256 of the JSON";
pub(in crate::http::pages) const BOOKLET: &str = "What happened";
pub(in crate::http::pages) const BOOKLET_COLUMNS: [&str; 3] = ["Time", "Who", "What"];
pub(in crate::http::pages) const HAD: &str = "Who had the file";
pub(in crate::http::pages) const HAD_NOBODY: &str = "Nobody has downloaded it yet.";
pub(in crate::http::pages) const MORE_HISTORY: &str =
    "There is more than fits here; the whole history is in the audit log.";
pub(in crate::http::pages) const VERIFY: &str = "How to check the file";
pub(in crate::http::pages) const VERIFY_TOOL: &str =
    "With this program, on any computer, without a connection:";
pub(in crate::http::pages) const VERIFY_SELF: &str = "Or with a few lines of your own: blank the checksum, hash the document. This prints the checksum above if nothing was changed.";
pub(in crate::http::pages) const ID: &str = "Export";
pub(in crate::http::pages) const ASKED_BY: &str = "Asked for by";
pub(in crate::http::pages) const ASKED_AT: &str = "Asked for";
pub(in crate::http::pages) const FINISHED_AT: &str = "Finished";
pub(in crate::http::pages) const AVAILABLE: &str = "Available";
pub(in crate::http::pages) const HELD: &str = "Kept by a legal hold.";

pub(in crate::http::pages) fn download_stored(name: &str, size: &str) -> String {
    format!("Download as stored ({name}, {size})")
}

// Persons
pub(in crate::http::pages) const YOU: &str = "you";
pub(in crate::http::pages) const SOMEBODY: &str = "somebody else";
pub(in crate::http::pages) const SCHEDULE: &str = "the schedule";
pub(in crate::http::pages) const OPERATOR: &str = "an operator";
pub(in crate::http::pages) const SERVICE: &str = "the service";

/// A short notice after something was done, by its code in the address.
pub(in crate::http::pages) fn done(code: &str) -> Option<&'static str> {
    Some(match code {
        "cancelled" => "The export was cancelled.",
        "not_cancellable" => "That export had already ended, so there was nothing to cancel.",
        "links_revoked" => "The links have ended.",
        _ => return None,
    })
}

/// What to do about a refusal, by its code; the page shows the limits beside it.
pub(in crate::http::pages) fn refused(code: &str) -> Option<&'static str> {
    Some(match code {
        "export_in_progress" => {
            "Not started: an export is already under way, and only one can be at a time. Wait for it, or cancel it."
        }
        "limit_user" => "Not started: you have used up your exports for now.",
        "limit_tenant" => "Not started: your organisation has used up its exports for now.",
        "unknown_category" => {
            "Not started: one of the categories can't be exported by you any more. Check what is chosen below."
        }
        "unsupported_option" => {
            "Not started: these options don't go together. A part of your organisation can be chosen only for some categories."
        }
        "nothing_chosen" => "Not started: choose at least one category.",
        "malformed_request" => {
            "Not started: something that was filled in is too long or not allowed."
        }
        "tenant_closed" => "Not started: exports are closed for your organisation.",
        "storage_unverified" => {
            "Not started: the place where files are kept isn't working. Try again later."
        }
        "intake_paused" => "Not started: the operators have paused new exports. Try again later.",
        "overloaded" | "store_unavailable" | "catching_up" => {
            "Not started: the service is busy. Nothing is lost; try again in a moment."
        }
        "idempotency_mismatch" => {
            "Not started: this form was sent before with other choices. Send it again."
        }
        "access_changed" => {
            "No link: the rules or your permissions have changed since this export was made. Start a new one."
        }
        "expired" => "No link: the file is no longer available. Start a new export.",
        "not_ready" => "No link: there is no file yet.",
        "artifact_damaged" => "No link: the stored file is damaged. Start a new export.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_people_count() {
        let shown = [1, 2, 3, 4, 11, 12, 13, 21, 112, 123].map(place);
        let ends = ["st", "nd", "rd", "th", "th", "th", "th", "st", "th", "rd"];
        for (shown, end) in shown.iter().zip(ends) {
            assert!(shown.ends_with(&format!("{end} in line")), "{shown}");
        }
    }

    #[test]
    fn windows_have_the_unit_that_suits_them() {
        let shown = [45, 90, 3_600, 5_400, 86_400, 172_800, 604_800]
            .map(|seconds| per(Duration::from_secs(seconds)));
        assert_eq!(
            shown,
            [
                "per 45 seconds",
                "per 90 seconds",
                "per hour",
                "per 90 minutes",
                "per 24 hours",
                "per 48 hours",
                "per 7 days"
            ]
        );
    }

    #[test]
    fn every_refusal_that_can_be_known_before_has_words_of_its_own() {
        let codes = [
            "limit_user",
            "limit_tenant",
            "tenant_closed",
            "storage_unverified",
            "intake_paused",
        ];
        for code in codes {
            assert_ne!(blocked(code), blocked("no such code"), "{code}");
            assert!(refused(code).is_some(), "{code}");
        }
    }
}
