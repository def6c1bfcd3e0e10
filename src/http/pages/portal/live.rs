//! `GET /settings/data-exports/live`: the parts of the page that change, rendered anew when they do (server-sent events).
//!
//! Every stream begins with all parts, so whoever comes back after a lost connection or a restart misses nothing. After
//! that a part is sent when it looks different from what was sent last.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::Changes;
use carnet_events::domain::export::Status;
use carnet_events::ids::{ExportId, Timestamp};
use futures::{FutureExt as _, Stream};
use maud::{Markup, html};
use serde::Deserialize;

use super::history::{History, Part};
use super::present::Present;
use super::started::Started;
use super::{active, now, part, started, viewer};
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::pages::words::portal as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::sse;
use crate::http::state::AppState;
use crate::http::streams::StreamPermit;
use crate::http::viewer::Viewer;

/// Progress, places in the queue, limits and new exports are looked at this often.
const TICK: Duration = Duration::from_millis(500);
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
        state,
        viewer,
        part,
        started: started(asked.export.as_deref(), asked.save.as_deref()),
        ready: vec![sse::RETRY],
        sent: HashMap::new(),
        statuses: HashMap::new(),
        watched: Vec::new(),
        revision: None,
        history_due: Timestamp::EPOCH,
        silent: Duration::ZERO,
        over: false,
        _permit: permit,
    };
    Ok(sse::answer(live.stream()))
}

/// One browser's view, in constant memory: what it hasn't read yet isn't made yet.
struct Live {
    state: web::Data<AppState>,
    viewer: Viewer,
    part: Part,
    started: Option<Started>,
    ready: Vec<web::Bytes>,
    /// What each part looked like when it was sent.
    sent: HashMap<&'static str, String>,
    /// The statuses of the history's exports as sent.
    statuses: HashMap<ExportId, Status>,
    /// The exports on the page, which tell when they change.
    watched: Vec<(ExportId, Changes)>,
    /// The tenant's revision as of the history.
    revision: Option<u64>,
    /// When the history is to be looked up again, if nothing happens before.
    history_due: Timestamp,
    silent: Duration,
    over: bool,
    _permit: StreamPermit,
}

impl Live {
    fn stream(self) -> impl Stream<Item = Result<web::Bytes, Infallible>> {
        futures::stream::unfold(self, |mut live| async move {
            let piece = live.next().await?;
            Some((Ok(piece), live))
        })
    }

    async fn next(&mut self) -> Option<web::Bytes> {
        loop {
            if !self.ready.is_empty() {
                self.silent = Duration::ZERO;
                let all: Vec<u8> = self.ready.drain(..).flatten().collect();
                return Some(all.into());
            }
            if self.over || self.state.is_signed_out(&self.viewer.caller).await {
                return None;
            }
            if let Err(problem) = self.look().await {
                // The browser comes back and is told everything.
                tracing::debug!(code = problem.code().as_str(), "a page's stream ends early");
                return None;
            }
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Renders what may have changed, and keeps what did.
    async fn look(&mut self) -> Result<(), Problem> {
        let present = Present::look(&self.state, &self.viewer).await?;
        if let Some(started) = self.started {
            let notice = started.look(&self.state, &self.viewer).await?;
            self.tell("notice", notice);
        }
        self.tell("now", now::render(&present));
        self.tell("active", active::render(&present));
        let revision = present.standing.view.revision;
        if revision != self.revision || present.now >= self.history_due {
            self.look_at_history(&present).await?;
            self.revision = revision;
        }
        Ok(())
    }

    async fn look_at_history(&mut self, present: &Present) -> Result<(), Problem> {
        let history = History::look(&self.state, &self.viewer, self.part).await;
        let history = match history {
            Ok(history) => history,
            // Tried again at the next look.
            Err(problem) if problem.code() == Code::CatchingUp => return Ok(()),
            Err(problem) => return Err(problem),
        };
        let above: Vec<ExportId> = present.shown().map(|shown| shown.id).collect();
        self.tell("history", history.render(&above));
        let statuses: Vec<_> = history.statuses().collect();
        let changed: Vec<String> = statuses
            .iter()
            .filter(|(id, status, _)| self.statuses.get(id).is_some_and(|before| before != status))
            .map(|(_, status, what)| words::said(what, words::status(*status)))
            .collect();
        if !changed.is_empty() {
            self.tell("said", html! { (changed.join(". ")) });
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
        Ok(())
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

    /// Keeps a part to be sent, unless it looks as it did.
    fn tell(&mut self, name: &'static str, content: Markup) {
        let content = content.into_string();
        if self.sent.get(name) != Some(&content) {
            self.ready.push(sse::message(name, None, &content));
            self.sent.insert(name, content);
        }
    }

    async fn wait(&mut self) {
        let stopping = self.state.stopping.clone();
        let changes = self
            .watched
            .iter_mut()
            .map(|(_, changes)| changes.changed().boxed());
        let changes: Vec<_> = changes.collect();
        let changed = async {
            if changes.is_empty() {
                return std::future::pending().await;
            }
            futures::future::select_all(changes).await.0
        };
        tokio::select! {
            goes_on = changed => {
                self.over = !goes_on;
                self.history_due = Timestamp::EPOCH;
            }
            () = stopping.cancelled() => self.over = true,
            () = tokio::time::sleep(TICK) => {
                self.silent += TICK;
                if self.silent >= sse::HEARTBEAT {
                    self.ready.push(sse::STILL_HERE);
                }
            }
        }
    }
}
