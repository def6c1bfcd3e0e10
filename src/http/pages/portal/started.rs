//! The notice that goes with the export that somebody has just started, until it has ended.

use carnet_events::domain::export::{Export, Status};
use carnet_events::ids::ExportId;
use maud::{Markup, html};

use super::history::failure;
use crate::http::account_exports::gate;
use crate::http::pages::words::portal as words;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// An export that the viewer has just started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) id: ExportId,
    /// The browser is to save the file as soon as there is one.
    pub(super) save: bool,
}

impl Started {
    /// What stands in the query for it.
    pub(super) fn query(self) -> String {
        let save = if self.save { "&save=yes" } else { "" };
        format!("&export={}{save}", self.id)
    }

    /// How it is getting on.
    pub(super) async fn look(self, state: &AppState, viewer: &Viewer) -> Result<Markup, Problem> {
        let found = state.system.export(self.id).await?;
        let Some(found) = found.filter(|found| viewer.may_see(&found.export)) else {
            return Ok(html! {});
        };
        let tenant = state.system.tenant(&viewer.tenant).await?.tenant;
        let holder = gate::Holder::Caller(&viewer.caller);
        let checked = gate::offer(state, &tenant, &found.export, &holder, state.clock.now());
        Ok(self.render(state, &found.export, checked.is_ok()))
    }

    fn render(self, state: &AppState, export: &Export, ready: bool) -> Markup {
        let id = self.id;
        html! {
            @match export.status() {
                Status::Queued | Status::Running => p.notice { (words::STARTED_NOW) },
                Status::Completed if ready => p.notice.good.actions {
                    b { (words::READY) }
                    a #saved.button.primary href={ "/api/account-exports/" (id) "/download" } download data-save[self.save] { (words::DOWNLOAD) }
                    @if self.save { span.scripted { (words::SAVED) } }
                },
                Status::Failed => p.notice.bad {
                    @if let Some((happened, to_do)) = failure(state, export) { (happened) " " (to_do) " " }
                    a href={ "/settings?section=data-exports&again=" (id) "#new-export" } { (words::AGAIN) }
                },
                Status::Completed | Status::Cancelled | Status::Expired => {},
            }
        }
    }
}
