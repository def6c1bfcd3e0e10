//! `GET /api/account-exports/{id}/events`: what happens to an export, as it happens (server-sent events).
//!
//! - `changed`, with the revision as its id: one event of the export, as in the history;
//! - `progress`: how far a running attempt is, newer than the history;
//! - `waiting`: a queued export's place and what it waits for;
//! - `end`: the export is settled. A client that comes back after that with `Last-Event-ID` is answered 204, which ends
//!   its reconnecting.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::{Changes, ExportView};
use carnet_events::domain::export::Status;
use futures::Stream;
use serde::Serialize;
use serde_json::json;

use super::history::HistoryItem;
use super::job::{progress_view, waiting};
use crate::auth::Caller;
use crate::http::authenticate::SignedIn;
use crate::http::conditional::single;
use crate::http::problem::Problem;
use crate::http::sse;
use crate::http::state::AppState;
use crate::http::streams::StreamPermit;
use crate::http::viewer::{Right, Viewer};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Progress and places in the queue are looked at this often.
const TICK: Duration = Duration::from_millis(500);
/// Events read at once.
const BATCH: usize = 64;

/// What happens to an export, as it happens: `changed`, `progress`, `waiting`, `end`.
#[utoipa::path(get, path = "/api/account-exports/{id}/events", operation_id = "followExport", tag = "Account exports", params(("id" = String, Path, description = "The export's id"),
    ("Last-Event-ID" = Option<u64>, Header, description = "A revision; events after it follow"),
), responses(
    (status = 200, description = "Server-sent events", content_type = "text/event-stream"),
    (status = 204, description = "The export is settled and nothing follows"),
))]
pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "events").await?;
    let after = last_event_id(&request)?;
    if found.export.outcome().is_some() && after.is_some_and(|after| after >= found.revision) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let permit = state.stream_permit(&viewer.principal)?;
    let follower = Follower {
        changes: state.system.watch(found.id),
        caller: viewer.caller,
        found,
        after,
        ready: VecDeque::new(),
        told: String::new(),
        silent: Duration::ZERO,
        over: false,
        _permit: permit,
        state,
    };
    Ok(sse::answer(follower.stream()))
}

fn last_event_id(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    if !request.headers().contains_key(LAST_EVENT_ID) {
        return Ok(None);
    }
    let parsed = single(request.headers(), &LAST_EVENT_ID).and_then(|text| text.parse().ok());
    parsed
        .map(Some)
        .ok_or_else(|| Problem::malformed("`Last-Event-ID` must be a revision."))
}

/// One client following one export, in constant memory: what it hasn't read yet isn't made yet.
struct Follower {
    state: web::Data<AppState>,
    found: ExportView,
    changes: Changes,
    /// The stream ends with the token or session it was asked for with.
    caller: Arc<Caller>,
    after: Option<u64>,
    ready: VecDeque<web::Bytes>,
    /// The newest progress or place told, so that only news is sent.
    told: String,
    silent: Duration,
    over: bool,
    _permit: StreamPermit,
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<web::Bytes, Infallible>> {
        futures::stream::unfold(self, |mut follower| async move {
            let piece = follower.next().await?;
            Some((Ok(piece), follower))
        })
    }

    async fn next(&mut self) -> Option<web::Bytes> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                self.silent = Duration::ZERO;
                return Some(piece);
            }
            if self.over || self.state.is_signed_out(&self.caller).await {
                return None;
            }
            if let Err(error) = self.look().await {
                // The client comes back with its last id; what happened meanwhile isn't lost.
                tracing::debug!(error = %error, "an event stream ends early");
                return None;
            }
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Reads what is new: events first, then progress or place.
    async fn look(&mut self) -> Result<(), carnet_actors::Error> {
        let system = &self.state.system;
        // The head is known at once; the history is folded from its beginning, so only when there is news.
        let head = system.export(self.found.id).await?.map(|now| now.revision);
        let entries = if head > self.after {
            system.history(self.found.id, self.after, BATCH).await?
        } else {
            Vec::new()
        };
        for entry in &entries {
            self.after = Some(entry.revision);
            self.ready.extend(message(
                "changed",
                Some(entry.revision),
                &HistoryItem::of_event(entry).1,
            ));
        }
        if entries.len() == BATCH {
            return Ok(());
        }
        let status = entries
            .last()
            .map_or_else(|| self.found.export.status(), |entry| entry.after.status());
        if let Some(last) = entries.last() {
            self.found.export = Arc::clone(&last.after);
        }
        match status {
            Status::Queued => {
                if let Some(waits) = system.queue_position(self.found.id).await {
                    self.tell(
                        "waiting",
                        &json!({"queue_position": waits.ahead + 1, "reason": waiting(&waits)}),
                    );
                }
            }
            Status::Running => {
                let progress = system
                    .live_progress(self.found.id)
                    .map(|progress| progress_view(&progress.borrow()));
                if let Some(progress) = progress {
                    self.tell("progress", &progress);
                }
            }
            Status::Completed | Status::Failed | Status::Cancelled | Status::Expired => {
                self.ready
                    .extend(message("end", None, &json!({"status": status.as_str()})));
                self.over = true;
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: &str, data: &impl Serialize) {
        if let Some(piece) = message(event, None, data) {
            let text = String::from_utf8_lossy(&piece).into_owned();
            if text != self.told {
                self.told = text;
                self.ready.push_back(piece);
            }
        }
    }

    async fn wait(&mut self) {
        let stopping = self.state.stopping.clone();
        tokio::select! {
            goes_on = self.changes.changed() => self.over = !goes_on,
            () = stopping.cancelled() => self.over = true,
            () = tokio::time::sleep(TICK) => {
                self.silent += TICK;
                if self.silent >= sse::HEARTBEAT {
                    self.ready.push_back(sse::STILL_HERE);
                }
            }
        }
    }
}

/// A message; JSON is one line of it.
fn message(event: &str, id: Option<u64>, data: &impl Serialize) -> Option<web::Bytes> {
    let data = serde_json::to_string(data).ok()?;
    Some(sse::message(event, id, &data))
}
