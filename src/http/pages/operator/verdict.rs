//! Whether anything is wrong, and what to do about it. Pure: what is found follows from how the service stands.

use std::time::Duration;

use carnet_events::domain::export::Status;
use carnet_events::ids::Timestamp;
use carnet_projections::RunState;

use super::now::{Figures, Now};
use crate::http::pages::words::operator::findings as words;

/// A queue that waits longer needs somebody.
const LONG_WAIT: Duration = Duration::from_secs(5 * 60);
/// A read model that is further behind is worth a word.
const LONG_LAG_MS: u64 = 10_000;
/// Failures by code that are told one by one; the rest stands in the table.
const CODES: usize = 3;

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// It doesn't work.
    Bad,
    /// It works, but somebody should look.
    Warn,
}

/// Something that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What it is.
    pub(super) what: String,
    /// Since when, if that is known.
    pub(super) since: Option<Timestamp>,
    /// What to do.
    pub(super) todo: String,
    /// Where that is done, and what stands on the way there.
    pub(super) link: Option<(String, &'static str)>,
}

impl Finding {
    fn new(level: Level, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            level,
            what: what.into(),
            since: None,
            todo: todo.into(),
            link: None,
        }
    }

    fn since(self, at: Option<Timestamp>) -> Self {
        Self { since: at, ..self }
    }

    fn link(self, address: impl Into<String>, label: &'static str) -> Self {
        Self {
            link: Some((address.into(), label)),
            ..self
        }
    }
}

/// What needs somebody, the worst first.
pub(super) fn findings(now: &Now) -> Vec<Finding> {
    let mut found = Vec::new();
    check(now, "store", &mut found, words::STORE, words::STORE_REMEDY);
    check(now, "node", &mut found, words::NODE, words::NODE_REMEDY);
    storages(now, &mut found);
    clock(now, &mut found);
    projections(now, &mut found);
    check(
        now,
        "token_keys",
        &mut found,
        words::TOKEN_KEYS,
        words::TOKEN_KEYS_REMEDY,
    );
    match &now.figures {
        None => found.push(Finding::new(
            Level::Bad,
            words::FIGURES,
            words::FIGURES_REMEDY,
        )),
        Some(figures) => {
            stuck(figures, &mut found);
            switches(figures, &mut found);
            queue(now, figures, &mut found);
            failures(figures, &mut found);
        }
    }
    found.sort_by_key(|finding| finding.level);
    found
}

fn check(now: &Now, name: &str, found: &mut Vec<Finding>, what: &str, todo: &str) {
    if let Some(Some(reason)) = now.checks.get(name) {
        found.push(Finding::new(Level::Bad, words::because(what, reason), todo));
    }
}

fn storages(now: &Now, found: &mut Vec<Finding>) {
    for storage in &now.storages {
        if let Some(problem) = &storage.problem {
            let what = words::storage(&storage.key, problem);
            let finding = Finding::new(Level::Bad, what, words::STORAGE_REMEDY);
            found.push(finding.link("/operator#storages", words::STORAGE_LINK));
        }
    }
}

fn clock(now: &Now, found: &mut Vec<Finding>) {
    if let Some(skew) = now.clock_skew_ms {
        found.push(Finding::new(
            Level::Bad,
            words::clock(skew),
            words::CLOCK_REMEDY,
        ));
    }
}

fn projections(now: &Now, found: &mut Vec<Finding>) {
    if let Some(trouble) = &now.projections.trouble {
        let what = words::because(words::PROJECTIONS, trouble);
        found.push(Finding::new(Level::Bad, what, words::PROJECTIONS_REMEDY));
    }
    for one in &now.projections.projections {
        let name = one.name.as_str();
        match &one.state {
            RunState::Stopped { reason } => {
                let what = words::stopped(name, reason);
                let finding = Finding::new(Level::Bad, what, words::STOPPED_REMEDY);
                let form = format!("/operator/act/rebuild?projection={name}");
                found.push(finding.link(form, words::STOPPED_LINK));
            }
            RunState::CatchingUp => {
                let what = words::catching_up(name, one.lag_events);
                found.push(Finding::new(Level::Warn, what, words::CATCHING_UP_REMEDY));
            }
            RunState::Live if one.lag_ms > LONG_LAG_MS => {
                let what = words::behind(name, one.lag_ms);
                found.push(Finding::new(Level::Warn, what, words::BEHIND_REMEDY));
            }
            RunState::Live => {}
        }
        // One that has stopped leads to its rebuild already.
        let stopped = matches!(one.state, RunState::Stopped { .. });
        if let Some(why) = one
            .rebuild_failed
            .as_ref()
            .filter(|_| !stopped && one.rebuilding.is_none())
        {
            let what = words::was_not_rebuilt(name, why);
            found.push(Finding::new(Level::Warn, what, words::NOT_REBUILT_REMEDY));
        }
    }
}

fn stuck(figures: &Figures, found: &mut Vec<Finding>) {
    let Some(first) = figures.stuck.exports.first() else {
        return;
    };
    let what = words::stuck(figures.stuck.total);
    let finding = Finding::new(Level::Bad, what, words::STUCK_REMEDY).since(Some(first.alive_at));
    found.push(finding.link("/operator/exports?stuck=true", words::STUCK_LINK));
}

fn switches(figures: &Figures, found: &mut Vec<Finding>) {
    if figures.intake.paused {
        let finding = Finding::new(Level::Warn, words::PAUSED, words::PAUSED_REMEDY);
        let finding = finding.since(figures.intake.at);
        found.push(finding.link("/operator/act/resume_intake", words::PAUSED_LINK));
    }
    for node in figures.nodes.iter().filter(|node| node.is_draining()) {
        let what = words::draining(&node.node.to_string(), node.running);
        let finding = Finding::new(Level::Warn, what, words::DRAINING_REMEDY);
        let form = format!("/operator/act/undrain?node={}", node.node);
        found.push(
            finding
                .since(node.drained_since)
                .link(form, words::DRAINING_LINK),
        );
    }
}

fn queue(now: &Now, figures: &Figures, found: &mut Vec<Finding>) {
    let Some(oldest) = &figures.overview.oldest_queued else {
        return;
    };
    // One that waits for its next attempt waits on purpose.
    let from = oldest.not_before.unwrap_or(oldest.mark.at);
    if now.at.since(from) < LONG_WAIT {
        return;
    }
    let statuses = &figures.overview.statuses;
    let queued = statuses.get(&Status::Queued).copied().unwrap_or(0);
    let running = statuses.get(&Status::Running).copied().unwrap_or(0);
    let todo = match running >= u64::from(now.max_running) {
        true => words::QUEUE_BUSY_REMEDY,
        false => words::QUEUE_IDLE_REMEDY,
    };
    let finding = Finding::new(Level::Warn, words::queue(queued), todo).since(Some(from));
    found.push(finding.link("/operator/exports?status=queued", words::QUEUE_LINK));
}

fn failures(figures: &Figures, found: &mut Vec<Finding>) {
    let hour = &figures.overview.last_hour;
    let mut failed: Vec<(&String, &u64)> = hour.failed.iter().collect();
    failed.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (code, count) in failed.into_iter().take(CODES) {
        let finding = Finding::new(
            Level::Warn,
            words::failed(code, *count),
            words::failed_todo(code),
        );
        let list = format!("/operator/exports?status=failed&code={code}");
        found.push(finding.link(list, words::FAILED_LINK));
    }
    if hour.attempts_lost > 0 {
        let what = words::lost(hour.attempts_lost);
        found.push(Finding::new(Level::Warn, what, words::LOST_REMEDY));
    }
    let damaged = figures.overview.last_day.blocked.get("artifact_damaged");
    if let Some(count) = damaged.filter(|count| **count > 0) {
        let what = words::damaged(*count);
        found.push(Finding::new(Level::Bad, what, words::DAMAGED_REMEDY));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "verdict_tests.rs"]
mod tests;
