//! `GET /settings/data-exports/live`: the parts of the page that change, rendered anew when they do (server-sent events).
//!
//! Every stream begins with all parts, so whoever comes back after a lost connection or a restart misses nothing. After
//! that a part is sent when it looks different from what was sent last.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::Changes;
use carnet_events::domain::export::Status;
use carnet_events::ids::{ExportId, Timestamp};
use futures::FutureExt as _;
use maud::html;
use serde::Deserialize;

use super::history::{History, Part};
use super::present::Present;
use super::started::Started;
use super::{active, now, part, started, viewer};
use crate::auth::Caller;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::pages::words::portal as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::sse::{self, Follower, News, Next};
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// What is left of download windows is told by the minute.
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    section: Option<String>,
    status: Option<String>,
    page: Option<u32>,
    export: Option<String>,
    save: Option<String>,
}

pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = viewer(&state, caller, &request).await?;
    let asked: Asked = query(&request)?;
    if asked
        .section
        .as_deref()
        .is_some_and(|section| section != super::SECTION)
    {
        return Err(viewer.not_found(&state, "portal").await);
    }
    let part = part(asked.status.as_deref(), asked.page)?;
    let permit = state.stream_permit(&viewer.principal)?;
    let live = Live {
        state: state.clone(),
        viewer,
        part,
        started: started(asked.export.as_deref(), asked.save.as_deref()),
        statuses: HashMap::new(),
        watched: Vec::new(),
        revision: None,
        history_due: Timestamp::EPOCH,
    };
    Ok(sse::follow(state, permit, News::of_page(), live))
}

/// One browser's view.
struct Live {
    state: web::Data<AppState>,
    viewer: Viewer,
    part: Part,
    started: Option<Started>,
    /// The statuses of the history's exports as sent.
    statuses: HashMap<ExportId, Status>,
    /// The exports on the page, which tell when they change.
    watched: Vec<(ExportId, Changes)>,
    /// The tenant's revision as of the history.
    revision: Option<u64>,
    /// When the history is to be looked up again, if nothing happens before.
    history_due: Timestamp,
}

impl Live {
    /// Renders what may have changed.
    async fn render(&mut self, news: &mut News) -> Result<(), Problem> {
        let present = Present::look(&self.state, &self.viewer).await?;
        if let Some(started) = self.started {
            let notice = started.look(&self.state, &self.viewer).await?;
            news.tell("notice", notice.into_string());
        }
        news.tell("now", now::render(&present).into_string());
        news.tell("active", active::render(&present).into_string());
        let revision = present.standing.view.revision;
        if revision != self.revision || present.now >= self.history_due {
            match History::look(&self.state, &self.viewer, self.part).await {
                Ok(history) => {
                    self.render_history(&present, &history, news);
                    self.revision = revision;
                }
                // Tried again at the next look.
                Err(problem) if problem.code() == Code::CatchingUp => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    fn render_history(&mut self, present: &Present, history: &History, news: &mut News) {
        let above: Vec<ExportId> = present.shown().map(|shown| shown.id).collect();
        news.tell("history", history.render(&above).into_string());
        let statuses: Vec<_> = history.statuses().collect();
        let changed: Vec<String> = statuses
            .iter()
            .filter(|(id, status, _)| self.statuses.get(id).is_some_and(|before| before != status))
            .map(|(_, status, what)| words::said(what, words::status(*status)))
            .collect();
        if !changed.is_empty() {
            let said = html! { (changed.join(". ")) };
            news.tell("said", said.into_string());
        }
        let on_page = statuses.iter().map(|(id, ..)| *id);
        let on_page: Vec<ExportId> = on_page.chain(above).collect();
        self.statuses = statuses
            .into_iter()
            .map(|(id, status, _)| (id, status))
            .collect();
        self.watch(on_page);
        let in_a_minute = present.now.plus(MINUTE);
        self.history_due = history
            .next_end()
            .map_or(in_a_minute, |end| end.min(in_a_minute));
    }

    /// Listens to exactly these exports; who was listened to before loses no change.
    fn watch(&mut self, mut ids: Vec<ExportId>) {
        ids.sort_unstable();
        ids.dedup();
        self.watched.retain(|(id, _)| ids.contains(id));
        for id in ids {
            if !self.watched.iter().any(|(known, _)| *known == id) {
                self.watched.push((id, self.state.system.watch(id)));
            }
        }
    }
}

impl Follower for Live {
    /// Progress, places in the queue, limits and new exports are looked at this often.
    const TICK: Duration = Duration::from_millis(500);

    fn caller(&self) -> &Caller {
        &self.viewer.caller
    }

    async fn look(&mut self, news: &mut News) -> Next {
        match self.render(news).await {
            Ok(()) => Next::Wait,
            Err(problem) => {
                // The browser comes back and is told everything.
                tracing::debug!(code = problem.code().as_str(), "a page's stream ends early");
                Next::End
            }
        }
    }

    async fn changed(&mut self) -> bool {
        if self.watched.is_empty() {
            return std::future::pending().await;
        }
        let changes = self
            .watched
            .iter_mut()
            .map(|(_, changes)| changes.changed().boxed());
        let (goes_on, ..) = futures::future::select_all(changes).await;
        self.history_due = Timestamp::EPOCH;
        goes_on
    }
}
