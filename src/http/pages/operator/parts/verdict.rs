//! Is anything wrong, and what is to do?

use maud::{Markup, html};

use super::state;
use crate::http::pages::operator::now::Now;
use crate::http::pages::operator::verdict::{Finding, Level, findings};
use crate::http::pages::units::ago;
use crate::http::pages::words::operator as words;

pub(super) fn verdict(now: &Now) -> Markup {
    let findings = findings(now);
    let class = match findings.first().map(|finding| finding.level) {
        None => "good",
        Some(Level::Warn) => "warn",
        Some(Level::Bad) => "bad",
    };
    let is_new = now
        .figures
        .as_ref()
        .is_some_and(|figures| figures.overview.statuses.values().all(|count| *count == 0));
    html! {
        div.verdict.(class) {
            @if findings.is_empty() {
                p.headline { (state("completed", words::ALL_WELL)) }
                p.muted { @if is_new { (words::NOTHING_YET) } @else { (words::ALL_WELL_DETAIL) } }
            } @else {
                p.headline { (words::need_you(findings.len())) }
                ol.findings { @for finding in &findings { li { (one(finding)) } } }
            }
        }
    }
}

fn one(finding: &Finding) -> Markup {
    let (class, word) = match finding.level {
        Level::Bad => ("failed", words::BROKEN),
        Level::Warn => ("warn", words::LOOK),
    };
    html! {
        (state(class, word))
        div {
            p.what {
                (finding.what)
                @if let Some(since) = finding.since { " · " (ago(since)) }
                "."
            }
            p.todo { (finding.todo) }
        }
        @if let Some((address, label)) = &finding.link { a.button.small href=(address) { (label) } }
    }
}
