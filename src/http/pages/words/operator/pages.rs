//! Lists, one export, one tenant.

macro_rules! texts {
    ($($name:ident = $text:literal;)+) => { $(pub(in crate::http::pages) const $name: &str = $text;)+ };
}

texts! {
    BAD_STATUS = "`status` is one of queued, running, completed, failed, cancelled, expired.";
    BAD_TENANT = "`tenant` is not the id of a tenant.";
    BAD_BEFORE = "`before` is not the end of a page of this list.";
    NO_EXPORTS = "No export matches. Take filters away to see more.";
    REQUESTED = "Requested";
    TOOK = "Took";
    PAGES = "Pages";
    NEWEST = "Newest";
    OLDER = "Older";
    ANY = "Any";
    FAILED_WITH = "Failed with code";
    STUCK_ONLY = "Stuck only";
    SHOW = "Show";
    HOW_IT_STANDS = "How it stands";
    ATTEMPTS = "Attempts";
    NO_ATTEMPTS = "None has begun yet.";
    TIMELINE = "Timeline";
    REQUEUE = "Requeue";
    FAIL = "Fail";
    TRY_AGAIN = "Admit another like it";
    HOLD = "Hold the file";
    RELEASE_HOLD = "Release the hold";
    HELD = "Held";
    CATEGORIES = "Categories";
    REVISION = "Revision";
    RETRY_OF = "In place of";
    NOT_BEFORE = "not before";
    PROGRESS = "Progress";
    ROWS = "rows";
    ROWS_TITLE = "Rows";
    FILE = "File";
    EXPIRES = "Downloads until";
    DAMAGE = "Damage";
    DAMAGED = "The stored file was found damaged";
    ENDED = "Ended";
    END = "Ended with";
    EXEMPT = "Exempt";
    REOPEN = "Reopen";
    CLOSE = "Close";
    CANCEL = "Cancel";
    REACTIVATE = "Take the cancellation back";
    ACTIVE = "Active exports";
    ALL_EXPORTS = "All exports";
    SHOW_EXPORTS = "Show them";
    MODULES = "Modules";
    MODULE = "Module";
    NO_MODULES = "The catalog has no modules.";
    BECAUSE = "Because";
    SWITCHED = "an operator switched it";
    CONFIGURED = "configured so";
    ON = "On";
    OFF = "Off";
    SWITCH_ON = "Switch on";
    SWITCH_OFF = "Switch off";
    LIMITS = "Limits";
    LIMIT_OF = "Whose";
    LEFT = "Left";
    OPENS = "Opens";
    OPEN_NOW = "open";
    WHOLE_TENANT = "Whole tenant";
    OF_PERSON = "Of a person";
    NOBODY_ASKED = "Nobody has asked for an export within the windows.";
    NO_EXEMPTIONS = "None is open.";
    CLOSED = "Closed";
    OPEN = "Open";
    IN_GRACE = "Cancelled, in grace until";
    GRACE_OVER = "Cancelled, grace is over";
    PURGING = "Being purged";
    PURGED = "Purged";
}
