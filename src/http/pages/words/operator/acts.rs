//! What operators can do, and what will happen when they do.

pub(in crate::http::pages) const WHAT_HAPPENS: &str = "What will happen";
pub(in crate::http::pages) const REASON: &str = "Reason";
pub(in crate::http::pages) const REASON_HINT: &str =
    "A sentence for those who look at this later. Kept beside the event, not in it.";
pub(in crate::http::pages) const REASON_MISSING: &str = "Give a reason.";
pub(in crate::http::pages) const NOTHING_DONE: &str = "Nothing was done.";
pub(in crate::http::pages) const BACK: &str = "Back";
pub(in crate::http::pages) const NODE: &str = "Node";
pub(in crate::http::pages) const PROJECTION: &str = "Projection";
pub(in crate::http::pages) const EXPORT: &str = "Export";
pub(in crate::http::pages) const TENANT: &str = "Tenant";
pub(in crate::http::pages) const MODULE: &str = "module";
pub(in crate::http::pages) const LIMIT: &str = "Limit";
pub(in crate::http::pages) const LIMIT_TENANT: &str = "Of the tenant";
pub(in crate::http::pages) const LIMIT_USER: &str = "Of a person";
pub(in crate::http::pages) const LIMIT_MISSING: &str = "Choose the limit.";
pub(in crate::http::pages) const COUNT: &str = "Requests";
pub(in crate::http::pages) const COUNT_MISSING: &str = "Say how many requests, from 1 to 1,000.";
pub(in crate::http::pages) const UNTIL: &str = "Until (UTC)";
pub(in crate::http::pages) const UNTIL_MISSING: &str = "Say until when, as in 2026-11-21T12:00.";
pub(in crate::http::pages) const PERSON: &str = "For one person only (optional)";
pub(in crate::http::pages) const PERSON_HINT: &str = "The pseudonym in the audit log, or the user's name in their tokens. Only for the limit of a person; empty: whoever of the tenant needs it first.";
pub(in crate::http::pages) const GRACE: &str = "Days of grace";
pub(in crate::http::pages) const GRACE_HINT: &str =
    "Up to 366. With 0 the tenant is purged as soon as a node looks, and can't come back.";
pub(in crate::http::pages) const GRACE_MISSING: &str = "Say how many days of grace, from 0 to 366.";

pub(in crate::http::pages) const DONE: &str = "Done";
pub(in crate::http::pages) const RECORDED_AS: &str = "recorded as";
pub(in crate::http::pages) const UNCHANGED: &str =
    "It was so already: nothing was changed, and nothing was written.";
pub(in crate::http::pages) const EVENT_ID: &str = "Event";
pub(in crate::http::pages) const AT: &str = "Time";
pub(in crate::http::pages) const STREAM: &str = "Stream";
pub(in crate::http::pages) const REVISION: &str = "Revision";
pub(in crate::http::pages) const POSITION: &str = "Position";
pub(in crate::http::pages) const WHY: &str = "Reason";

/// The form of an act.
pub(in crate::http::pages) struct Text {
    pub(in crate::http::pages) title: &'static str,
    pub(in crate::http::pages) consequences: &'static [&'static str],
    pub(in crate::http::pages) button: &'static str,
    /// It takes something away.
    pub(in crate::http::pages) danger: bool,
}

const fn text(
    title: &'static str,
    button: &'static str,
    danger: bool,
    consequences: &'static [&'static str],
) -> Text {
    Text {
        title,
        consequences,
        button,
        danger,
    }
}

/// The texts of the act called `name`.
pub(in crate::http::pages) fn of(name: &str) -> Text {
    match name {
        "pause_intake" => text(
            "Pause the intake",
            "Pause the intake",
            true,
            &[
                "New requests are refused on every node with “No requests are taken at the moment”.",
                "Exports that are accepted go on, and downloads work.",
                "It stays so until somebody resumes it, across restarts.",
            ],
        ),
        "resume_intake" => text(
            "Resume the intake",
            "Resume the intake",
            false,
            &["Requests are taken again on every node, at once."],
        ),
        "drain" => text(
            "Drain a node",
            "Drain this node",
            true,
            &[
                "It finishes the exports that it runs and starts no more.",
                "Queued exports wait for other nodes; with no other node they wait until it works again.",
                "It still takes requests and serves downloads.",
            ],
        ),
        "undrain" => text(
            "Let a node work again",
            "Let it work again",
            false,
            &["It takes exports from the queue again, at once."],
        ),
        "requeue" => text(
            "Requeue an export",
            "Requeue this export",
            false,
            &[
                "Queued: a wait for the next attempt ends, and it may start at once.",
                "Running: the attempt ends, and whatever its runner still does is refused; the next attempt begins from the start.",
                "Failed: it stays failed; another export like it is admitted on the tenant's behalf, with today's policies. That one counts in no limit.",
            ],
        ),
        "fail" => text(
            "Fail an export",
            "Fail this export",
            true,
            &[
                "It ends for good with the code “operator”. A running attempt is stopped.",
                "The tenant's slot is free at once. The request stays counted in its limits.",
            ],
        ),
        "hold" => text(
            "Hold an export's file",
            "Hold the file",
            false,
            &[
                "The file isn't deleted until the hold is released.",
                "Downloads end at the end of the window all the same.",
            ],
        ),
        "release_hold" => text(
            "Release a hold",
            "Release the hold",
            true,
            &["The file is deleted as soon as its time is over."],
        ),
        "exempt" => text(
            "Grant an exemption",
            "Grant the exemption",
            false,
            &[
                "So many requests are let through when the limit is reached, until the time given.",
                "Limits on how many exports run at once stay as they are.",
                "The tenant's people see what is left of it with their limits.",
            ],
        ),
        "close" => text(
            "Close a tenant",
            "Close this tenant",
            true,
            &[
                "Nobody of the tenant can request or download an export, from the next request on.",
                "Running exports go on to their end; their files can't be had while it is closed.",
                "Nothing is deleted earlier than it would have been.",
            ],
        ),
        "reopen" => text(
            "Reopen a tenant",
            "Reopen this tenant",
            false,
            &["Requests and downloads are allowed again, at once."],
        ),
        "cancel_tenant" => text(
            "Cancel a tenant",
            "Cancel this tenant",
            true,
            &[
                "For the days of grace nothing changes for the tenant: exports and downloads go on, and an operator can reactivate it.",
                "Then it is purged without a further question, and nothing can be taken back: exports that wait or run fail, and nobody of it can export or download any more.",
                "Every file of its exports is deleted, and so are the names of its people, their reasons and the key of their pseudonyms.",
                "Its events stay, and lead to nobody any more. A file on hold stays until its hold is released, and the names with it.",
            ],
        ),
        "reactivate" => text(
            "Take a cancellation back",
            "Reactivate this tenant",
            false,
            &["The tenant is a customer again; its grace window ends without a purge."],
        ),
        "module_on" => text(
            "Switch a module on",
            "Switch it on",
            false,
            &[
                "The module's categories can be exported by the tenant, whatever the configuration says.",
            ],
        ),
        "module_off" => text(
            "Switch a module off",
            "Switch it off",
            true,
            &[
                "The module's categories can't be requested, whatever the configuration says.",
                "Files with them can't be downloaded while it is off.",
            ],
        ),
        _ => text(
            "Rebuild a projection",
            "Rebuild it",
            false,
            &[
                "It is filled again from the first event, beside the tables in use. Reads go on meanwhile.",
                "The board shows how far it is; the new tables take over when they are up to date.",
                "This node only. One rebuild at a time.",
            ],
        ),
    }
}
