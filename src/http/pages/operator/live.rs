//! `/operator/live`: the board's parts as they change (server-sent events), each at most once a second.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::ids::PrincipalId;
use futures::Stream;

use super::admit;
use super::board::Asked;
use super::now::{Now, Range};
use super::parts;
use crate::auth::Caller;
use crate::http::authenticate::SignedIn;
use crate::http::pages::units::ago;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::sse;
use crate::http::state::AppState;
use crate::http::streams::StreamPermit;

/// The board is looked at this often.
const TICK: Duration = Duration::from_secs(1);

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
        ready: VecDeque::from([sse::RETRY]),
        began: false,
        silent: Duration::ZERO,
        _permit: permit,
        state,
    };
    Ok(sse::answer(follower.stream()))
}

/// Whose share of all streams this one is of. Not their pseudonym: that is in the event store, which may be away.
fn holder(caller: &Caller) -> Result<PrincipalId, Problem> {
    let name = format!("operator-{}", hex::encode(caller.fingerprint.as_bytes()));
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
    silent: Duration,
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
            if self.began {
                tokio::select! {
                    () = self.state.stopping.cancelled() => return None,
                    () = tokio::time::sleep(TICK) => {}
                }
            }
            self.began = true;
            if self.state.is_signed_out(&self.caller).await {
                return None;
            }
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let now = Now::read(&self.state, self.range).await;
        for part in parts::parts(&now) {
            let content = part.content.into_string();
            if self.sent.get(part.name) != Some(&content) {
                self.ready
                    .push_back(sse::message(part.name, None, &content));
                self.sent.insert(part.name, content);
            }
        }
        if !self.ready.is_empty() {
            let changed = ago(now.at).into_string();
            self.ready
                .push_back(sse::message("changed", None, &changed));
        }
        self.silent += TICK;
        if self.silent >= sse::HEARTBEAT {
            self.ready.push_back(sse::STILL_HERE);
        }
    }
}
