//! What forms have in common.

use maud::{Markup, html};

use crate::auth::Caller;

/// The hidden field that shows that a form came from a page of ours. Bearer tokens need none: no browser sends one by
/// itself.
pub(super) fn csrf_field(caller: &Caller) -> Markup {
    html! {
        @if let Some(token) = caller.csrf() {
            input type="hidden" name="csrf" value=(token);
        }
    }
}
