//! What is under way: progress, place in the queue, cancelling.

use carnet_actors::{QueuePosition, WaitReason};
use carnet_events::domain::export::{Progress, Stage};
use maud::{Markup, html};

use super::present::{Active, Present, Shown};
use crate::http::pages::units::{ago, bytes, grouped, time};
use crate::http::pages::words::failures::explain;
use crate::http::pages::words::portal as words;

/// The exports under way; nothing when there are none.
pub(super) fn render(present: &Present) -> Markup {
    if present.active.is_empty() {
        return html! {};
    }
    html! {
        h2 { (words::ACTIVE) }
        ul.jobs {
            @for active in &present.active {
                li.card.job {
                    @match active {
                        Active::Shown(shown) => (job(shown)),
                        Active::Hidden => p { span.status.running { (words::NOT_YOURS) } },
                    }
                }
            }
        }
        noscript { p.muted { (words::RELOAD) } }
    }
}

fn job(shown: &Shown) -> Markup {
    let (export, id) = (&shown.export, shown.id);
    let status = export.status();
    html! {
        div.job-head {
            span.status.(status.as_str()) { (words::status(status)) }
            b { (shown.titles.join(", ")) }
            span.muted {
                @match export.started_at {
                    Some(at) => { (words::STARTED) (ago(at)) },
                    None => { (words::ASKED) (ago(export.created_at)) },
                }
                " " (words::by(&shown.who))
                @if export.attempt > 1 { " · " (words::ATTEMPT) (export.attempt) }
            }
            span.actions {
                a.button.quiet #{ "details-" (id) } href={ "/settings/data-exports/" (id) } { (words::DETAILS) }
                a.button #{ "cancel-" (id) } href={ "/settings/data-exports/" (id) "/cancel" } { (words::CANCEL) }
            }
        }
        @match &export.stage {
            Stage::Running(_) => (running(shown)),
            Stage::Queued { last_failure, .. } => (queued(shown.waits.as_ref(), last_failure.as_deref())),
            _ => {},
        }
    }
}

fn running(shown: &Shown) -> Markup {
    let progress = shown.progress.as_ref().unwrap_or(&Progress::START);
    // Never all of it: what is new since last time comes on top.
    let share = shown.expected.filter(|expected| *expected > 0);
    let share = share.map(|expected| (progress.rows.saturating_mul(100) / expected).min(99));
    html! {
        progress aria-label=(words::PROGRESS) max="100" value=[share] {}
        p.figures {
            @if let Some(share) = share { b { (words::done_of_hundred(share)) } }
            span { (words::rows(&grouped(progress.rows))) }
            span { (bytes(progress.bytes)) }
            span { (words::phase(progress.phase)) @if let Some(title) = &shown.reading { " " (title) } }
        }
    }
}

fn queued(waits: Option<&QueuePosition>, last_failure: Option<&str>) -> Markup {
    html! {
        p.figures {
            @if let Some(code) = last_failure {
                span { (explain(code, &Default::default(), str::to_owned).happened) }
            }
            @match waits {
                None => span { (words::WAITS) },
                Some(waits) => {
                    span { (words::place(waits.ahead + 1)) }
                    span {
                        @match waits.reason {
                            WaitReason::FreeWorker => (words::WAITS_WORKER),
                            WaitReason::Until(at) => { (words::WAITS_AGAIN) (time(at)) },
                            WaitReason::Draining => (words::WAITS_DRAINING),
                            WaitReason::ClockSkewed => (words::WAITS_CLOCK),
                        }
                    }
                }
            }
        }
    }
}
