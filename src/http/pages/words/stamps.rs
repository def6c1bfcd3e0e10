//! The stamps of an export's booklet, for the people of the portal.

/// What a stamp says, by the type of its event; `None` for what is not worth a line there.
pub(in crate::http::pages) fn stamp(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "requested" => "Asked for and accepted",
        "started" => "Started",
        "attempt_failed" => "An attempt failed; another follows",
        "attempt_lost" => "An attempt was interrupted",
        "handed_back" => "Put back in line",
        "requeued" => "Put back in line by an operator",
        "completed" => "Completed: the file is ready",
        "failed" => "Failed",
        "cancelled" => "Cancelled",
        "expired" => "Expired: the file can no longer be downloaded",
        "held" => "Put under a legal hold",
        "hold_released" => "The legal hold ended",
        "deletion_started" => "Deleting the file began",
        "artifact_deleted" => "The file was deleted",
        "artifact_damaged" => "The stored file was found damaged",
        "artifact_restored" => "The stored file is whole again",
        "links_revoked" | "link_revoked" => "Links were ended",
        "link_issued" => "A link was made",
        "downloaded" => "Downloaded",
        "download_ended" => "A download ended",
        "download_blocked" => "A download was refused",
        "repeated" => "The same again",
        _ => return None,
    })
}

/// Whether a stamp is about somebody having the file, or being kept from it.
pub(in crate::http::pages) fn is_about_access(kind: &str) -> bool {
    matches!(
        kind,
        "link_issued" | "downloaded" | "download_blocked" | "links_revoked"
    )
}

pub(in crate::http::pages) const THROUGH_LINK: &str = "through a link";
pub(in crate::http::pages) const PRESIGNED: &str =
    "by an address of the storage, which doesn't tell whether it was used";
pub(in crate::http::pages) const STORED: &str = "the stored file";
pub(in crate::http::pages) const PARTIAL: &str = "in part";
pub(in crate::http::pages) const COMPLETE: &str = "to the end";
pub(in crate::http::pages) const INCOMPLETE: &str = "broken off";

pub(in crate::http::pages) fn attempt(number: u64) -> String {
    format!("attempt {number}")
}

pub(in crate::http::pages) fn times(count: &str) -> String {
    format!("{count} more times")
}

pub(in crate::http::pages) fn because(code: &str) -> &'static str {
    match code {
        "access_changed" => "the rules or permissions had changed",
        "expired" => "its time was over",
        "not_ready" => "there was no file",
        "artifact_damaged" => "the stored file is damaged",
        _ => "it wasn't possible",
    }
}
