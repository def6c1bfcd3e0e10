//! A failed export is permanent; what an operator sends back to the queue is another one like it.

use carnet_actors::{Admission, AdmitRequest, ExportView, Order, Written};
use carnet_events::codec::DomainEvent as _;
use carnet_events::domain::request::{Origin, Request};
use carnet_events::domain::tenant::IdempotencyKey;
use carnet_events::ids::{Digest, ExportId};
use carnet_events::stream::StreamName;

use super::actions::Done;
use crate::http::admission::{check_categories, refused};
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Admits an export like `failed` on the tenant's behalf: the same categories, scope and format, under today's policies.
/// It takes a slot and counts in no window. Asked for again within a day, it is the same one.
pub(super) async fn admit(
    state: &AppState,
    failed: &ExportView,
    order: Order,
) -> Result<Done, Problem> {
    let Order { by, reason, cause } = order;
    let then = &failed.export.request;
    let asked = (&then.categories[..], then.scope.is_some());
    // What an operator may see and what an export may hold are two things: nobody's permissions apply.
    let (categories, policy_digests) = check_categories(state, &then.tenant, asked, |_| true);
    let this = Digest::of(format!("POST /api/operator/exports/{}/requeue", failed.id).as_bytes());
    let asked = AdmitRequest {
        request: Request {
            principal: by,
            origin: Origin::Operator,
            policy_digests,
            retry_of: Some(failed.id),
            ..then.clone()
        },
        categories,
        key: Some(IdempotencyKey {
            key: this,
            fingerprint: this,
            alike: Vec::new(),
        }),
        limits: state.config.limits.for_domain(),
        reason: Some(reason),
    };
    match state.system.admit(asked, cause).await? {
        Admission::Accepted { export, repeated } => Ok(Done {
            written: match repeated {
                true => None,
                false => Some(requested(state, export).await?),
            },
            export: Some(export),
        }),
        Admission::Refused(refusal) => Err(refused(state.clock.now(), &refusal, |_| true)),
    }
}

/// The first event of an export that was admitted just now.
async fn requested(state: &AppState, export: ExportId) -> Result<Written, Problem> {
    let mut first = state.system.history(export, None, 1).await?;
    let entry = first.pop().ok_or(Code::Internal)?;
    Ok(Written {
        stream: StreamName::export(export),
        revision: entry.revision,
        id: entry.id,
        kind: entry.event.kind().to_owned(),
        at: entry.metadata.recorded_at,
    })
}
