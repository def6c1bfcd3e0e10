//! `/operator/live`: the board's parts as they change (server-sent events), each at most once a second.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::ids::PrincipalId;
use futures::Stream;

use super::admit;
use super::board::Asked;
use super::now::{Now, Range};
use super::parts;
use crate::auth::{Caller, Fingerprint};
use crate::http::authenticate::SignedIn;
use crate::http::pages::units::ago;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::streams::StreamPermit;

/// The board is looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// After so many looks without news a comment keeps proxies from closing the connection.
const SILENT: u32 = 15;

pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    let asked: Asked = query(&request)?;
    let permit = state.stream_permit(&holder(&caller.0)?)?;
    let follower = Follower {
        caller: caller.0,
        range: asked.range,
        sent: HashMap::new(),
        ready: VecDeque::new(),
        began: false,
        silent: 0,
        _permit: permit,
        state,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(follower.stream()))
}

/// Whose share of all streams this one is of, however often they signed in. Not their pseudonym: that is in the event store,
/// which may be away.
fn holder(caller: &Caller) -> Result<PrincipalId, Problem> {
    let whose = Fingerprint::of(&caller.subject);
    let name = format!("operator-{}", hex::encode(whose.as_bytes()));
    PrincipalId::new(name).map_err(|error| Problem::internal("an operator has no name", &error))
}

/// One board that is looked at. Only what differs from what was sent before is sent.
struct Follower {
    state: web::Data<AppState>,
    /// The stream ends with the token or session it was asked for with.
    caller: Arc<Caller>,
    range: Range,
    sent: HashMap<&'static str, String>,
    ready: VecDeque<web::Bytes>,
    began: bool,
    silent: u32,
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
                self.silent = 0;
                return Some(piece);
            }
            if self.began {
                tokio::select! {
                    () = self.state.stopping.cancelled() => return None,
                    () = tokio::time::sleep(TICK) => {}
                }
            }
            self.began = true;
            if self.is_over().await {
                return None;
            }
            self.look().await;
        }
    }

    /// Whether its operator has signed out, or may be none any more. A board is needed most when the event store is away: that
    /// nobody can tell then whether they signed out doesn't end it.
    async fn is_over(&self) -> bool {
        if self.state.clock.now() >= self.caller.believed_until {
            return true;
        }
        match self.caller.session {
            Some(session) => self.state.sessions.is_over(session).await.unwrap_or(false),
            None => false,
        }
    }

    async fn look(&mut self) {
        let now = Now::read(&self.state, self.range).await;
        for part in parts::parts(&now) {
            let content = part.content.into_string();
            if self.sent.get(part.name) != Some(&content) {
                self.ready.push_back(message(part.name, &content));
                self.sent.insert(part.name, content);
            }
        }
        if !self.ready.is_empty() {
            let changed = ago(now.at).into_string();
            self.ready.push_back(message("changed", &changed));
        }
        self.silent += 1;
        if self.silent >= SILENT {
            self.ready
                .push_back(web::Bytes::from_static(b": still here\n\n"));
        }
    }
}

/// A message in the form of the standard, one `data` line for each line of the content.
fn message(event: &str, content: &str) -> web::Bytes {
    let mut text = format!("event: {event}\n");
    for line in content.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    web::Bytes::from(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_content_can_be_taken_for_another_message() {
        let sent = message("codes", "a\n\nevent: evil\rb");
        let text = std::str::from_utf8(&sent).unwrap();
        assert_eq!(
            text,
            "event: codes\ndata: a\ndata: \ndata: event: evil\ndata: b\n\n"
        );
    }
}
