//! `GET /api/account-exports/{id}/events`: what happens to an export, as it happens (server-sent events).
//!
//! - `changed`, with the revision as its id: one event of the export, as in the history;
//! - `progress`: how far a running attempt is, newer than the history;
//! - `waiting`: a queued export's place and what it waits for;
//! - `end`: the export is settled. A client that comes back after that with `Last-Event-ID` is answered 204, which ends
//!   its reconnecting.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::{Changes, ExportView};
use carnet_events::domain::export::Status;
use serde::Serialize;
use serde_json::json;

use super::history::HistoryItem;
use super::job::{progress_view, waiting};
use crate::auth::Caller;
use crate::http::authenticate::SignedIn;
use crate::http::conditional::single;
use crate::http::problem::Problem;
use crate::http::sse::{self, News, Next};
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
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
        told: web::Bytes::new(),
        state: state.clone(),
    };
    Ok(sse::follow(state, permit, News::default(), follower))
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

/// One client following one export.
struct Follower {
    state: web::Data<AppState>,
    found: ExportView,
    changes: Changes,
    caller: Arc<Caller>,
    after: Option<u64>,
    /// The newest progress or place told, so that only news is sent.
    told: web::Bytes,
}

impl Follower {
    /// Reads what is new: events first, then progress or place.
    async fn read(&mut self, news: &mut News) -> Result<Next, carnet_actors::Error> {
        let system = &self.state.system;
        // The head is known at once; the history is folded from its beginning, so only when there is news.
        if let Some(now) = system.export(self.found.id).await? {
            self.found = now;
        }
        let entries = if Some(self.found.revision) > self.after {
            system.history(self.found.id, self.after, BATCH).await?
        } else {
            Vec::new()
        };
        for entry in &entries {
            self.after = Some(entry.revision);
            let item = HistoryItem::of_event(entry).1;
            news.push(&message("changed", Some(entry.revision), &item));
        }
        if entries.len() == BATCH {
            return Ok(Next::Again);
        }
        // Whatever was read of it before: all that is known now is told.
        let status = self.found.export.status();
        match status {
            Status::Queued => {
                if let Some(waits) = system.queue_position(self.found.id).await {
                    let place =
                        json!({"queue_position": waits.ahead + 1, "reason": waiting(&waits)});
                    self.tell(news, message("waiting", None, &place));
                }
            }
            Status::Running => {
                let progress = system
                    .live_progress(self.found.id)
                    .map(|progress| progress_view(&progress.borrow()));
                if let Some(progress) = progress {
                    self.tell(news, message("progress", None, &progress));
                }
            }
            Status::Completed | Status::Failed | Status::Cancelled | Status::Expired => {
                news.push(&message("end", None, &json!({"status": status.as_str()})));
                return Ok(Next::End);
            }
        }
        Ok(Next::Wait)
    }

    fn tell(&mut self, news: &mut News, message: web::Bytes) {
        if message != self.told {
            news.push(&message);
            self.told = message;
        }
    }
}

impl sse::Follower for Follower {
    /// Progress and places in the queue are looked at this often.
    const TICK: Duration = Duration::from_millis(500);

    fn caller(&self) -> &Caller {
        &self.caller
    }

    async fn look(&mut self, news: &mut News) -> Next {
        match self.read(news).await {
            Ok(next) => next,
            Err(error) => {
                // The client comes back with its last id; what happened meanwhile isn't lost.
                tracing::debug!(error = %error, "an event stream ends early");
                Next::End
            }
        }
    }

    async fn changed(&mut self) -> bool {
        self.changes.changed().await
    }
}

/// A message; JSON is one line of it. What can't be written is none.
fn message(event: &str, id: Option<u64>, data: &impl Serialize) -> web::Bytes {
    let data = serde_json::to_string(data);
    data.map_or_else(|_| web::Bytes::new(), |data| sse::message(event, id, &data))
}
