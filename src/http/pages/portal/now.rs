//! The top of the page: what is left of the limits, and the button with whatever stands in its way.

use carnet_events::domain::tenant::Refusal;
use carnet_events::domain::tenant::window::Window;
use maud::{Markup, html};

use super::new::FORM;
use super::present::{Active, Present};
use crate::http::pages::units::{grouped, lasting, time};
use crate::http::pages::words::portal as words;

/// Up to this many, each export of a limit is a mark of its own.
const MARKS: u32 = 12;

/// Limits and button.
pub(super) fn render(present: &Present) -> Markup {
    let windows = &present.standing.windows;
    html! {
        ul.limits aria-label=(words::LIMITS) {
            li { (limit(&windows.user, words::FOR_YOU, present)) }
            li { (limit(&windows.tenant, &format!("for {}", present.tenant), present)) }
        }
        div.start {
            (button(present))
            (why_not(present))
        }
    }
}

fn button(present: &Present) -> Markup {
    html! {
        @if present.refusal().is_none() && present.has_categories {
            button #start.primary type="submit" form=(FORM) { (words::START) }
        } @else {
            button #start.primary type="button" aria-disabled="true" aria-describedby="why-not" { (words::START) }
        }
    }
}

/// The reason beside a button that does nothing, with the last export and when the next is possible.
fn why_not(present: &Present) -> Markup {
    let last = present.standing.view.tenant.last_admitted.as_ref();
    let next = match present.refusal() {
        Some(Refusal::LimitReached {
            next_allowed_at, ..
        }) => Some(*next_allowed_at),
        _ => None,
    };
    let reason = match present.refusal() {
        None if present.has_categories => return html! {},
        None => words::NOTHING_PERMITTED.to_owned(),
        Some(Refusal::InProgress { .. }) => in_progress(present),
        Some(refusal) => words::blocked(refusal.code()).to_owned(),
    };
    html! {
        p #why-not {
            (reason)
            @if let Some(last) = last { " " span { (words::LAST) (time(last.at)) "." } }
            @match next {
                Some(Some(at)) => { " " span { (words::NEXT) b { (time(at)) } (words::within(&lasting(at.since(present.now)))) "." } }
                Some(None) => { " " span { (words::NEXT_NEVER) } }
                None => {}
            }
        }
    }
}

fn in_progress(present: &Present) -> String {
    match present.active.first() {
        Some(Active::Shown(shown)) if shown.who == words::YOU => words::ACTIVE_YOURS.to_owned(),
        Some(Active::Shown(shown)) => words::active_of(&shown.who),
        Some(Active::Hidden) | None => words::ACTIVE_SOMEBODYS.to_owned(),
    }
}

fn limit(window: &Window, whose: &str, present: &Present) -> Markup {
    let remaining = window.remaining();
    html! {
        (marks(window))
        span {
            b { (words::left(&grouped(remaining.into()), &grouped(window.limit.into()))) }
            " " (whose)
            span.muted { " " (words::per(window.length)) }
            @if window.exempted > 0 { span.muted { " · " (words::exempted(&grouped(window.exempted.into()))) } }
            @if let (0, Some(at)) = (remaining, window.next_allowed_at) {
                span.muted { " · " (words::OPENS_AGAIN) (time(at)) (words::within(&lasting(at.since(present.now)))) }
            }
        }
    }
}

/// The limit as a bar: one mark per export when there are few, else one bar by share. The words say the same.
fn marks(window: &Window) -> Markup {
    let total = window.limit.max(window.remaining()).max(1);
    let left = window.remaining();
    if total > MARKS {
        let width = u64::from(left) * 100 / u64::from(total);
        return html! {
            svg.marks width="100" height="12" viewBox="0 0 100 12" aria-hidden="true" {
                rect.used width="100" height="12" rx="2" {}
                rect.left width=(width) height="12" rx="2" {}
            }
        };
    }
    let width = total * 14 - 4;
    html! {
        svg.marks width=(width) height="12" viewBox={ "0 0 " (width) " 12" } aria-hidden="true" {
            @for mark in 0..total {
                rect.left[mark < left].used[mark >= left] x=(mark * 14) width="10" height="12" rx="2" {}
            }
        }
    }
}
