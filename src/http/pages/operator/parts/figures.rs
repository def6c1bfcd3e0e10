//! Counts, running exports, failures by code.

use std::collections::{BTreeMap, BTreeSet};

use carnet_events::domain::export::Status;
use maud::{Markup, html};

use super::{export_link, node_name, state, tenant_link};
use crate::http::pages::operator::now::{Figures, Now};
use crate::http::pages::units::{ago, grouped, lasting};
use crate::http::pages::words::operator as words;

/// Running exports on the board.
const RUNNING: usize = 10;

pub(super) fn tiles(_: &Now, figures: &Figures) -> Markup {
    let overview = &figures.overview;
    let (hour, day) = (&overview.last_hour, &overview.last_day);
    let now = |status| overview.statuses.get(&status).copied().unwrap_or(0);
    let sum = |by_code: &BTreeMap<String, u64>| by_code.values().sum::<u64>();
    let stuck = figures.stuck.total;
    html! {
        dl.tiles {
            (tile(words::QUEUED, "status=queued", now(Status::Queued), "", &html! {
                @match &overview.oldest_queued {
                    Some(oldest) => { (words::OLDEST_WAITS) " " (ago(oldest.mark.at)) },
                    None => (words::NOBODY_WAITS),
                }
            }))
            (tile(words::RUNNING, "status=running", now(Status::Running), "", &html! {
                @match overview.running.first() {
                    Some(oldest) => { (words::STARTED) " " (ago(oldest.mark.at)) },
                    None => (words::NONE_RUNNING),
                }
            }))
            (tile(words::STUCK, "stuck=true", stuck, if stuck > 0 { "bad" } else { "" }, &html! { (words::NO_SIGN) }))
            (tile(words::COMPLETED, "status=completed", hour.completed, "", &over_day(day.completed)))
            (tile(words::FAILED, "status=failed", sum(&hour.failed), if hour.failed.is_empty() { "" } else { "warn" }, &over_day(sum(&day.failed))))
            (plain_tile(words::REFUSED, sum(&hour.refused), &over_day(sum(&day.refused))))
        }
    }
}

fn over_day(count: u64) -> Markup {
    html! { (words::LAST_HOUR) " · " (grouped(count)) " " (words::LAST_DAY) }
}

fn tile(name: &str, filter: &str, count: u64, class: &str, detail: &Markup) -> Markup {
    let address = format!("/operator/exports?{filter}");
    html! {
        div.tile.(class) {
            dt { a #{ "tile-" (name) } href=(address) { (name) } }
            dd { b { (grouped(count)) } span { (detail) } }
        }
    }
}

fn plain_tile(name: &str, count: u64, detail: &Markup) -> Markup {
    html! { div.tile { dt { (name) } dd { b { (grouped(count)) } span { (detail) } } } }
}

pub(super) fn running(now: &Now, figures: &Figures) -> Markup {
    let running = &figures.overview.running;
    if running.is_empty() {
        return html! { p.muted { (words::NONE_RUNNING) } };
    }
    let silent = |export| {
        figures
            .stuck
            .exports
            .iter()
            .any(|one| one.mark.export == export)
    };
    html! {
        table.stacked {
            thead { tr {
                th scope="col" { (words::EXPORT) } th scope="col" { (words::TENANT) } th scope="col" { (words::STATUS) }
                th.number scope="col" { (words::ATTEMPT) } th scope="col" { (words::STARTED) }
                th scope="col" { (words::SIGN_OF_LIFE) } th scope="col" { (words::NODE) }
            } }
            tbody { @for one in running.iter().take(RUNNING) { tr {
                td data-label=(words::EXPORT) { (export_link(one.mark.export)) }
                td data-label=(words::TENANT) { (tenant_link(&one.tenant)) }
                td data-label=(words::STATUS) {
                    @if silent(one.mark.export) { (state("warn", words::STUCK)) } @else { (state("running", words::RUNNING)) }
                }
                td.number data-label=(words::ATTEMPT) { (one.attempt) }
                td data-label=(words::STARTED) { (ago(one.mark.at)) }
                td data-label=(words::SIGN_OF_LIFE) { (ago(one.alive_at)) }
                td data-label=(words::NODE) { (node_name(one.node)) }
            } } }
        }
        p.hint {
            (words::lease(&lasting(now.lease)))
            @if running.len() > RUNNING { " " a #all-running href="/operator/exports?status=running" { (words::MORE_RUNNING) } }
        }
    }
}

pub(super) fn codes(_: &Now, figures: &Figures) -> Markup {
    let (hour, day) = (&figures.overview.last_hour, &figures.overview.last_day);
    let lost = |count: u64| match count {
        0 => BTreeMap::new(),
        _ => BTreeMap::from([("lost".to_owned(), count)]),
    };
    let kinds = [
        (
            words::EXPORT_FAILED,
            hour.failed.clone(),
            day.failed.clone(),
        ),
        (
            words::ATTEMPT_FAILED,
            hour.attempts_failed.clone(),
            day.attempts_failed.clone(),
        ),
        (
            words::ATTEMPT_LOST,
            lost(hour.attempts_lost),
            lost(day.attempts_lost),
        ),
        (
            words::REQUEST_REFUSED,
            hour.refused.clone(),
            day.refused.clone(),
        ),
        (
            words::DOWNLOAD_REFUSED,
            hour.blocked.clone(),
            day.blocked.clone(),
        ),
    ];
    if kinds
        .iter()
        .all(|(_, hour, day)| hour.is_empty() && day.is_empty())
    {
        return html! { p.muted { (words::NONE_BY_CODE) } };
    }
    html! {
        table.stacked {
            thead { tr {
                th scope="col" { (words::CODE) } th scope="col" { (words::KIND) }
                th.number scope="col" { (words::LAST_HOUR) } th.number scope="col" { (words::LAST_DAY) }
            } }
            tbody { @for (kind, hour, day) in &kinds { @for code in all_codes(hour, day) { tr {
                td.mono data-label=(words::CODE) {
                    @if *kind == words::EXPORT_FAILED {
                        a #{ "code-" (code) } href={ "/operator/exports?status=failed&code=" (code) } { (code) }
                    } @else { (code) }
                }
                td data-label=(words::KIND) { (kind) }
                td.number data-label=(words::LAST_HOUR) { (grouped(count(hour, code))) }
                td.number data-label=(words::LAST_DAY) { (grouped(count(day, code))) }
            } } } }
        }
    }
}

fn all_codes<'a>(
    hour: &'a BTreeMap<String, u64>,
    day: &'a BTreeMap<String, u64>,
) -> BTreeSet<&'a str> {
    hour.keys().chain(day.keys()).map(String::as_str).collect()
}

fn count(by_code: &BTreeMap<String, u64>, code: &str) -> u64 {
    by_code.get(code).copied().unwrap_or(0)
}
