//! What walks through an export's revisions: a slider, steps back and on, a moment. All of them are addresses too.

use carnet_actors::ExportView;
use maud::{Markup, html};

use super::super::units::field_value;
use super::super::words::audit as words;
use super::booklet::{Asked, step_address};
use super::state::Step;

/// The form. With scripts the slider works as it is moved; arrow keys move it by one revision.
pub(super) fn controls(found: &ExportView, asked: &Asked, step: &Step) -> Markup {
    let path = format!("/audit/exports/{}", found.id);
    let shown = asked.revision.unwrap_or(0);
    html! {
        p #said.visually-hidden role="status" {}
        div.walk {
            form.slide method="get" action=(path) {
                label for="revision" { (words::REVISION) }
                input #revision type="range" name="revision" min="0" max=(asked.last) step="1" value=(shown)
                    aria-valuetext=(step.says(asked.last)) aria-describedby=[asked.wrong.contains_key("revision").then_some("w-revision")]
                    hx-get=(path) hx-trigger="input changed delay:60ms" hx-target="#state" hx-swap="outerHTML" hx-include="#shown" hx-sync="this:replace";
                noscript { button type="submit" { (words::SHOW) } }
                @if let Some(wrong) = asked.wrong.get("revision") { p.wrong #w-revision { (wrong) } }
            }
            form.moment method="get" action=(path) {
                label for="at" { (words::STATE_AT) " " span.hint { (words::UTC) } }
                (moment(asked, step))
                button type="submit" { (words::SHOW) }
                @if let Some(wrong) = asked.wrong.get("at") { p.wrong #w-at { (wrong) } }
            }
        }
    }
}

fn moment(asked: &Asked, step: &Step) -> Markup {
    let is_wrong = asked.wrong.contains_key("at");
    let value = match (asked.typed.at.is_empty(), step.at()) {
        (true, Some(at)) => field_value(at),
        _ => asked.typed.at.trim_end_matches('Z').to_owned(),
    };
    html! {
        input #at type=(if is_wrong { "text" } else { "datetime-local" }) step="any" name="at" value=(value)
            aria-invalid=[is_wrong.then_some("true")] aria-describedby=[is_wrong.then_some("w-at")];
    }
}

/// One step back and one on.
pub(super) fn steps(found: &ExportView, asked: &Asked) -> Markup {
    let back = asked.revision.and_then(|revision| revision.checked_sub(1));
    let on = match asked.revision {
        Some(revision) => Some(revision + 1).filter(|revision| *revision <= asked.last),
        None => Some(0),
    };
    let step = |id: &str, name: &str, revision: Option<u64>| match revision {
        Some(revision) => html! {
            a.button id=(id) href=(step_address(found, revision)) hx-get=(step_address(found, revision)) hx-target="#state" hx-swap="outerHTML" hx-include="#shown" { (name) }
        },
        // Stays where it is, so that the focus does.
        None => html! { a.button id=(id) role="link" aria-disabled="true" tabindex="0" { (name) } },
    };
    html! {
        nav.actions aria-label=(words::STEPS) {
            (step("step-back", words::STEP_BACK, back))
            (step("step-on", words::STEP_ON, on))
        }
    }
}
