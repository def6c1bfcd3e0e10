//! The texts of `/operator`.

pub(in crate::http::pages) mod acts;
pub(in crate::http::pages) mod findings;
mod pages;

use carnet_events::domain::export::Status;

pub(in crate::http::pages) use pages::*;

use crate::http::pages::units::grouped;

pub(in crate::http::pages) const TITLE: &str = "Operations";
pub(in crate::http::pages) const PLACES: &str = "Operations pages";
pub(in crate::http::pages) const BOARD: &str = "Board";
pub(in crate::http::pages) const EXPORTS: &str = "Exports";
pub(in crate::http::pages) const FIND: &str = "Find an export or tenant by id";
pub(in crate::http::pages) const FIND_BUTTON: &str = "Find";

pub(in crate::http::pages) const ALL_WELL: &str = "All well";
pub(in crate::http::pages) const ALL_WELL_DETAIL: &str =
    "Requests are taken, exports run, storages and history can be written.";
pub(in crate::http::pages) const NOTHING_YET: &str = "No export has been asked for yet. Figures appear here with the first one; the service is ready for it.";
pub(in crate::http::pages) const LAST_CHANGE: &str = "Last change";
pub(in crate::http::pages) const BROKEN: &str = "Broken";
pub(in crate::http::pages) const LOOK: &str = "Look";

pub(in crate::http::pages) const QUEUED: &str = "Queued";
pub(in crate::http::pages) const RUNNING: &str = "Running";
pub(in crate::http::pages) const STUCK: &str = "Stuck";
pub(in crate::http::pages) const COMPLETED: &str = "Completed";
pub(in crate::http::pages) const FAILED: &str = "Failed";
pub(in crate::http::pages) const REFUSED: &str = "Refused";
pub(in crate::http::pages) const OLDEST_WAITS: &str = "oldest";
pub(in crate::http::pages) const NOBODY_WAITS: &str = "nobody waits";
pub(in crate::http::pages) const LAST_HOUR: &str = "last hour";
pub(in crate::http::pages) const LAST_DAY: &str = "last day";
pub(in crate::http::pages) const NO_SIGN: &str = "without a sign of life";

pub(in crate::http::pages) const RANGE: &str = "Charts show";
pub(in crate::http::pages) const HOUR: &str = "Last hour";
pub(in crate::http::pages) const DAY: &str = "Last day";
pub(in crate::http::pages) const DEPTH: &str = "Queue depth";
pub(in crate::http::pages) const THROUGHPUT: &str = "Throughput";
pub(in crate::http::pages) const DURATIONS: &str = "Request to completion";
pub(in crate::http::pages) const ADMITTED: &str = "Admitted";
pub(in crate::http::pages) const P50: &str = "p50";
pub(in crate::http::pages) const P90: &str = "p90";
pub(in crate::http::pages) const AS_TABLE: &str = "As a table";
pub(in crate::http::pages) const TIME: &str = "Time";
pub(in crate::http::pages) const CHART_EMPTY: &str = "Nothing in this time.";

pub(in crate::http::pages) const RUNNING_NOW: &str = "Running now";
pub(in crate::http::pages) const NONE_RUNNING: &str = "No export is running.";
pub(in crate::http::pages) const EXPORT: &str = "Export";
pub(in crate::http::pages) const TENANT: &str = "Tenant";
pub(in crate::http::pages) const ATTEMPT: &str = "Attempt";
pub(in crate::http::pages) const STARTED: &str = "Started";
pub(in crate::http::pages) const SIGN_OF_LIFE: &str = "Sign of life";
pub(in crate::http::pages) const LEASE: &str = "Lease";
pub(in crate::http::pages) const NODE: &str = "Node";
pub(in crate::http::pages) const ACTION: &str = "Action";
pub(in crate::http::pages) const PERSON: &str = "person";
pub(in crate::http::pages) const TENANT_LIMIT: &str = "tenant";
pub(in crate::http::pages) const STATUS: &str = "Status";
pub(in crate::http::pages) const CODE: &str = "Code";
pub(in crate::http::pages) const MORE_RUNNING: &str = "Show all that run";

pub(in crate::http::pages) const BY_CODE: &str = "Failures and refusals by code";
pub(in crate::http::pages) const KIND: &str = "What";
pub(in crate::http::pages) const NONE_BY_CODE: &str = "None in the last day.";
pub(in crate::http::pages) const EXPORT_FAILED: &str = "Export failed";
pub(in crate::http::pages) const ATTEMPT_FAILED: &str = "Attempt failed, tried again";
pub(in crate::http::pages) const ATTEMPT_LOST: &str = "Attempt lost with its node";
pub(in crate::http::pages) const REQUEST_REFUSED: &str = "Request refused";
pub(in crate::http::pages) const DOWNLOAD_REFUSED: &str = "Download refused";

pub(in crate::http::pages) const NODES: &str = "Nodes";
pub(in crate::http::pages) const NO_NODES: &str = "No node has been seen yet.";
pub(in crate::http::pages) const THIS_NODE: &str = "this node";
pub(in crate::http::pages) const VERSION: &str = "Version";
pub(in crate::http::pages) const INCARNATION: &str = "Incarnation";
pub(in crate::http::pages) const SERVES_SINCE: &str = "Serves since";
pub(in crate::http::pages) const LAST_WROTE: &str = "Last wrote";
pub(in crate::http::pages) const DRAINING: &str = "Draining";
pub(in crate::http::pages) const WORKING: &str = "Working";
pub(in crate::http::pages) const DRAIN: &str = "Drain";
pub(in crate::http::pages) const UNDRAIN: &str = "Let it work again";
pub(in crate::http::pages) const IDLE_HINT: &str =
    "An idle node writes nothing; one with exports writes at least every third of a lease.";

pub(in crate::http::pages) const STORES: &str = "Storages";
pub(in crate::http::pages) const STORAGE: &str = "Storage";
pub(in crate::http::pages) const VERIFIED: &str = "Verified";
pub(in crate::http::pages) const NOT_TRIED: &str = "Not tried yet";
pub(in crate::http::pages) const BROKEN_STORAGE: &str = "Doesn't work";
pub(in crate::http::pages) const LAST_TRIED: &str = "Last tried";
pub(in crate::http::pages) const VERIFY_NOW: &str = "Verify now";

pub(in crate::http::pages) const HISTORY: &str = "Event store and projections";
pub(in crate::http::pages) const PROJECTION: &str = "Projection";
pub(in crate::http::pages) const STORE: &str = "Event store";
pub(in crate::http::pages) const WRITABLE: &str = "Can be written";
pub(in crate::http::pages) const UNWRITABLE: &str = "Can't be written";
pub(in crate::http::pages) const POSITION: &str = "Position";
pub(in crate::http::pages) const LAG: &str = "Lag";
pub(in crate::http::pages) const NO_LAG: &str = "none";
pub(in crate::http::pages) const EVENTS: &str = "Events";
pub(in crate::http::pages) const LIVE: &str = "Live";
pub(in crate::http::pages) const CATCHING_UP: &str = "Catching up";
pub(in crate::http::pages) const STOPPED: &str = "Stopped";
pub(in crate::http::pages) const REBUILDING: &str = "Rebuilding";
pub(in crate::http::pages) const REBUILD: &str = "Rebuild";

pub(in crate::http::pages) const SWITCHES: &str = "Intake, clock and exceptions";
pub(in crate::http::pages) const INTAKE: &str = "Intake";
pub(in crate::http::pages) const INTAKE_OPEN: &str = "Requests are taken";
pub(in crate::http::pages) const INTAKE_PAUSED: &str = "Paused";
pub(in crate::http::pages) const PAUSE: &str = "Pause";
pub(in crate::http::pages) const RESUME: &str = "Resume";
pub(in crate::http::pages) const CLOCK: &str = "Clock of this node";
pub(in crate::http::pages) const CLOCK_GOOD: &str = "Agrees with the event store's";
pub(in crate::http::pages) const CLOSED_TENANTS: &str = "Closed tenants";
pub(in crate::http::pages) const EXEMPTIONS: &str = "Open exemptions";
pub(in crate::http::pages) const NONE: &str = "none";
pub(in crate::http::pages) const UNTIL: &str = "until";
pub(in crate::http::pages) const FIGURES_GONE: &str =
    "These figures can't be read now. They come back by themselves.";

/// The verdict when something was found.
pub(in crate::http::pages) fn need_you(count: usize) -> String {
    match count {
        1 => "1 thing needs you".to_owned(),
        _ => format!("{count} things need you"),
    }
}

/// Events that a projection has yet to read.
pub(in crate::http::pages) fn lag(events: Option<u64>) -> String {
    match events {
        Some(0) => NO_LAG.to_owned(),
        Some(1) => "1 event".to_owned(),
        Some(events) => format!("{} events", grouped(events)),
        None => "some events".to_owned(),
    }
}

/// What an exemption has left.
pub(in crate::http::pages) fn exemption(used: u32, count: u32, limit: &str) -> String {
    format!("{used} of {count} used, limit per {limit}")
}

/// The summary of the queue's depth.
pub(in crate::http::pages) fn depth_summary(queued: u64, running: u64, most: u64) -> String {
    format!(
        "Now {} queued and {} running; at most {} queued at once in this time.",
        grouped(queued),
        grouped(running),
        grouped(most)
    )
}

/// The summary of the throughput.
pub(in crate::http::pages) fn throughput_summary(
    admitted: u64,
    completed: u64,
    failed: u64,
) -> String {
    format!(
        "{} admitted, {} completed, {} failed in this time.",
        grouped(admitted),
        grouped(completed),
        grouped(failed)
    )
}

/// The summary of the durations.
pub(in crate::http::pages) fn durations_summary(measured: u64, p50: &str, p90: &str) -> String {
    format!(
        "{} completed in this time; half within {p50}, nine in ten within {p90} in the slowest part of it.",
        grouped(measured)
    )
}

/// What the times of running exports mean.
pub(in crate::http::pages) fn lease(lease: &str) -> String {
    format!(
        "A claim holds for {lease} after its last sign of life; then another node may take over."
    )
}

pub(in crate::http::pages) fn not_rebuilt(why: &str) -> String {
    format!("The last rebuild came to nothing: {why}")
}

/// How far a rebuild is.
pub(in crate::http::pages) fn rebuilt(events: u64, of: u64) -> String {
    format!("{} of {} events", grouped(events), grouped(of))
}

/// A status as operators read it.
pub(in crate::http::pages) fn status(status: Status) -> &'static str {
    match status {
        Status::Queued => QUEUED,
        Status::Running => RUNNING,
        Status::Completed => COMPLETED,
        Status::Failed => FAILED,
        Status::Cancelled => "Cancelled",
        Status::Expired => "Expired",
    }
}

/// A claim's lease.
pub(in crate::http::pages) fn lease_of(lease: &str) -> String {
    format!("lease {lease}")
}

/// What is left of a limit.
pub(in crate::http::pages) fn left(remaining: u32, limit: u32, window: &str) -> String {
    format!("{remaining} of {limit} in {window}")
}

/// What is left of an exemption.
pub(in crate::http::pages) fn requests_left(left: u32) -> String {
    match left {
        1 => "1 request".to_owned(),
        _ => format!("{left} requests"),
    }
}
