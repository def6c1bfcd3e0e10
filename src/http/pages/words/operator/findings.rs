//! What can be wrong, and what to do about it.

use std::time::Duration;

use crate::http::pages::units::{grouped, lasting};

pub(in crate::http::pages) const STORE: &str = "The event store can't be written";
pub(in crate::http::pages) const STORE_REMEDY: &str = "Nothing is accepted or changed meanwhile, and nothing is lost. Look at the store's disk, permissions and connection.";
pub(in crate::http::pages) const NODE: &str = "This process decides nothing any more";
pub(in crate::http::pages) const NODE_REMEDY: &str = "Its data directory was copied. Give each process its own, delete `node` in the copy, and start this one again.";
pub(in crate::http::pages) const TOKEN_KEYS: &str = "The identity provider's keys can't be fetched";
pub(in crate::http::pages) const TOKEN_KEYS_REMEDY: &str =
    "Nobody new can sign in. Check that the service reaches `auth.jwks_url`.";
pub(in crate::http::pages) const STORAGE_REMEDY: &str = "Its tenants' requests are refused until it works. Look at space, permissions and credentials; it is tried again every minute.";
pub(in crate::http::pages) const STORAGE_LINK: &str = "Verify now";
pub(in crate::http::pages) const CLOCK_REMEDY: &str =
    "This node decides nothing until they agree. Check its time service.";
pub(in crate::http::pages) const PROJECTIONS: &str = "The projections can't go on";
pub(in crate::http::pages) const PROJECTIONS_REMEDY: &str =
    "Lists and figures grow stale; exports go on. Look at the disk of `projections.path`.";
pub(in crate::http::pages) const STOPPED_REMEDY: &str = "An event can't be applied to it. If a newer release wrote that, upgrade this node: it goes on where it stopped. Rebuild it if its file was damaged.";
pub(in crate::http::pages) const NOT_REBUILT_REMEDY: &str = "What it showed before it still shows. Put right what stands in the way, then rebuild it again.";
pub(in crate::http::pages) const STOPPED_LINK: &str = "Rebuild it";
pub(in crate::http::pages) const CATCHING_UP_REMEDY: &str =
    "Nothing to do: lists are complete once it is done.";
pub(in crate::http::pages) const BEHIND_REMEDY: &str =
    "Look at the machine's load and the disk of `projections.path`.";
pub(in crate::http::pages) const FIGURES: &str = "The board's figures can't be read";
pub(in crate::http::pages) const FIGURES_REMEDY: &str = "What is known without them stands below. Look at the file `projections.path`; it can be thrown away and is filled again.";
pub(in crate::http::pages) const STUCK_REMEDY: &str = "Another node takes them over within two leases, if there is one. If they stay, requeue or fail them.";
pub(in crate::http::pages) const STUCK_LINK: &str = "Show them";
pub(in crate::http::pages) const PAUSED: &str = "The intake is paused: requests are refused";
pub(in crate::http::pages) const PAUSED_REMEDY: &str = "Resume it when the reason is gone.";
pub(in crate::http::pages) const PAUSED_LINK: &str = "Resume";
pub(in crate::http::pages) const DRAINING_REMEDY: &str =
    "Stop it once nothing runs on it, or let it work again.";
pub(in crate::http::pages) const DRAINING_LINK: &str = "Let it work again";
pub(in crate::http::pages) const QUEUE_BUSY_REMEDY: &str =
    "All workers are busy. Add a node or raise `workers.max_running` if this lasts.";
pub(in crate::http::pages) const QUEUE_IDLE_REMEDY: &str = "Workers are free, so something holds it up: a draining node, a skewed clock or an unverified storage.";
pub(in crate::http::pages) const QUEUE_LINK: &str = "Show the queue";
pub(in crate::http::pages) const FAILED_LINK: &str = "Show them";
pub(in crate::http::pages) const LOST_REMEDY: &str = "A node ended or lost its connection while it worked. Look at its log; the exports were queued again.";
pub(in crate::http::pages) const DAMAGED_REMEDY: &str = "Restore the files from a backup, or ask the tenants to export again; look at the storage's disk.";

/// What it is, and why.
pub(in crate::http::pages) fn because(what: &str, reason: &str) -> String {
    format!("{what}: {reason}")
}

pub(in crate::http::pages) fn storage(key: &str, problem: &str) -> String {
    format!("The storage {key} doesn't work: {problem}")
}

pub(in crate::http::pages) fn clock(skew_ms: i64) -> String {
    let off = lasting(Duration::from_millis(skew_ms.unsigned_abs()));
    match skew_ms < 0 {
        true => format!("This node's clock is {off} behind the event store's"),
        false => format!("This node's clock is {off} ahead of the event store's"),
    }
}

pub(in crate::http::pages) fn stopped(name: &str, reason: &str) -> String {
    format!("The projection {name} has stopped: {reason}")
}

pub(in crate::http::pages) fn was_not_rebuilt(name: &str, why: &str) -> String {
    format!("The projection {name} was not rebuilt: {why}")
}

pub(in crate::http::pages) fn catching_up(name: &str, lag: Option<u64>) -> String {
    match lag {
        Some(lag) if lag > 0 => format!(
            "The projection {name} reads history: {} events to go",
            grouped(lag)
        ),
        _ => format!("The projection {name} reads history"),
    }
}

pub(in crate::http::pages) fn behind(name: &str, lag_ms: u64) -> String {
    let behind = lasting(Duration::from_millis(lag_ms));
    format!("The projection {name} is {behind} behind")
}

pub(in crate::http::pages) fn stuck(count: u64) -> String {
    match count {
        1 => "1 running export gives no sign of life".to_owned(),
        _ => format!("{} running exports give no sign of life", grouped(count)),
    }
}

pub(in crate::http::pages) fn draining(node: &str, running: u64) -> String {
    let short = node.get(..8).unwrap_or(node);
    match running {
        0 => format!("Node {short} is draining; nothing runs on it any more"),
        1 => format!("Node {short} is draining; 1 export still runs on it"),
        _ => format!("Node {short} is draining; {running} exports still run on it"),
    }
}

pub(in crate::http::pages) fn queue(queued: u64) -> String {
    match queued {
        0 | 1 => "An export has been waiting for long".to_owned(),
        _ => format!("{} exports wait, the oldest for long", grouped(queued)),
    }
}

pub(in crate::http::pages) fn failed(code: &str, count: u64) -> String {
    match count {
        1 => format!("1 export failed in the last hour: {code}"),
        _ => format!("{} exports failed in the last hour: {code}", grouped(count)),
    }
}

pub(in crate::http::pages) fn lost(count: u64) -> String {
    match count {
        1 => "1 attempt was lost with its node in the last hour".to_owned(),
        _ => format!(
            "{} attempts were lost with their nodes in the last hour",
            grouped(count)
        ),
    }
}

pub(in crate::http::pages) fn damaged(count: u64) -> String {
    match count {
        1 => "1 download in the last day met a damaged file".to_owned(),
        _ => format!(
            "{} downloads in the last day met a damaged file",
            grouped(count)
        ),
    }
}

/// What an operator does about exports that fail with `code`.
pub(in crate::http::pages) fn failed_todo(code: &str) -> &'static str {
    match code {
        "schema_drift" => {
            "A source has a column that the catalog gives no rule for: add the rule and restart."
        }
        "isolation_violation" => {
            "A query gave a row of another tenant; nothing left the service. Correct the category's query."
        }
        "source_unavailable" | "source_busy" => {
            "A source can't be read. Check that it is up and that the service may read it."
        }
        "source_denied" => {
            "A source lets the service in no more, or not near a category's tables. `carnet config check` says what is missing."
        }
        "source_timeout" => {
            "A category's query took longer than the source's `statement_timeout`. Look at its plan, or raise that."
        }
        "source_conflict" => {
            "A standby ended a reading in favour of its primary's changes. Set `hot_standby_feedback` there, or read from the primary."
        }
        "query_failed" => "A source refuses a category's query. Try it by hand and correct it.",
        "storage_full" => "The artifact storage is full: make room.",
        "storage_missing" => {
            "The artifact storage's bucket isn't there: create it, or correct its name and region."
        }
        "storage_denied" => {
            "The artifact storage refuses the credentials, or they have expired: renew them, or allow them to list the bucket and to get, put and delete objects."
        }
        "storage_clock" => {
            "This machine's clock and the artifact storage's are too far apart: set both by NTP."
        }
        "storage_unreachable" => {
            "The artifact storage didn't answer: check its server, the network, and its endpoint or the volume it is on."
        }
        "storage_failed" => "The artifact storage refused to write. Look at the log and verify it.",
        "stalled" => {
            "A source gave no rows for long. Look at its load, raise `workers.stall_after`, or set how long a query of a PostgreSQL source may take with its `statement_timeout`."
        }
        "value_out_of_range" | "invalid_value" | "cell_too_large" => {
            "A value can't be written as its column declares. The export names the column: correct its type or drop it."
        }
        "operator" => "An operator ended them; nothing more is to do.",
        _ => "Open one of them: its timeline names the attempt, the category and the node.",
    }
}
