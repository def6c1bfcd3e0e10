//! `/operator/live`: the board's parts as they change (server-sent events), each at most once a second.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::ids::PrincipalId;

use super::admit;
use super::board::Asked;
use super::now::{Now, Range};
use super::parts;
use crate::auth::Caller;
use crate::http::authenticate::SignedIn;
use crate::http::pages::units::ago;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::sse::{self, Follower, News, Next};
use crate::http::state::AppState;

pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    let asked: Asked = query(&request)?;
    let permit = state.stream_permit(&holder(&caller.0)?)?;
    let board = Board {
        caller: caller.0,
        range: asked.range,
        state: state.clone(),
    };
    Ok(sse::follow(state, permit, News::of_page(), board))
}

/// Whose share of all streams this one is of. Not their pseudonym: that is in the event store, which may be away.
fn holder(caller: &Caller) -> Result<PrincipalId, Problem> {
    let name = format!("operator-{}", hex::encode(caller.fingerprint.as_bytes()));
    PrincipalId::new(name).map_err(|error| Problem::internal("an operator has no name", &error))
}

/// One board that is looked at. Only what differs from what was sent before is sent.
struct Board {
    state: web::Data<AppState>,
    caller: Arc<Caller>,
    range: Range,
}

impl Follower for Board {
    /// The board is looked at this often.
    const TICK: Duration = Duration::from_secs(1);

    fn caller(&self) -> &Caller {
        &self.caller
    }

    async fn look(&mut self, news: &mut News) -> Next {
        let now = Now::read(&self.state, self.range).await;
        let mut differs = false;
        for part in parts::parts(&now) {
            differs |= news.tell(part.name, part.content.into_string());
        }
        if differs {
            let changed = ago(now.at).into_string();
            news.push(&sse::message("changed", None, &changed));
        }
        Next::Wait
    }
}
