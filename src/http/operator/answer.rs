//! What an act is answered with.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use carnet_actors::Written;
use serde::Serialize;

use super::access::Operator;
use super::actions::Done;

/// What came of an operator's act.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct OperatorAct {
    /// What was asked for.
    action: &'static str,
    /// Whether anything changed; if it was so already, nothing was written.
    changed: bool,
    /// The event that records it.
    event: Option<ActEvent>,
    /// The export that was admitted in place of a failed one.
    export_id: Option<String>,
}

/// An event that records an operator's act.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ActEvent {
    /// Its id; the reason is kept under it.
    id: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// Where it stands.
    stream: String,
    /// Its place there.
    revision: u64,
    /// When it was recorded.
    at: String,
    /// The operator's pseudonym.
    principal: String,
}

/// The answer to `action`.
pub(super) fn answer(
    status: StatusCode,
    operator: &Operator,
    action: &'static str,
    done: Done,
) -> HttpResponse {
    let act = OperatorAct {
        action,
        changed: done.written.is_some(),
        event: done.written.map(|written| ActEvent::of(written, operator)),
        export_id: done.export.map(|export| export.to_string()),
    };
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(act)
}

impl ActEvent {
    fn of(written: Written, operator: &Operator) -> Self {
        Self {
            id: written.id.to_string(),
            kind: written.kind,
            stream: written.stream.to_string(),
            revision: written.revision,
            at: written.at.to_string(),
            principal: operator.by.to_string(),
        }
    }
}
