//! What an act has just written, read back from the event store: whatever the address says, only what is there is shown.

use carnet_events::domain::request::Origin;
use carnet_events::envelope::{Metadata, Recorded};
use carnet_events::ids::TenantId;
use carnet_events::store::{Direction, ReadFrom};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;
use maud::{Markup, html};

use crate::http::pages::units::precise;
use crate::http::pages::words::operator::acts as words;
use crate::http::state::AppState;

/// The notice of the event with this revision of a page's stream, or that nothing was written.
pub(super) async fn of(
    state: &AppState,
    stream: &StreamName,
    tenant: Option<&TenantId>,
    event: Option<u64>,
    unchanged: bool,
) -> Option<Markup> {
    if unchanged {
        return Some(html! { p.notice role="status" { (words::UNCHANGED) } });
    }
    let from = ReadFrom::Revision(event?);
    let mut events = state.store.read(stream, from, Direction::Forwards, 1);
    let recorded = events.next().await?.ok()?;
    let metadata = Metadata::from_bytes(&recorded.metadata).ok()?;
    let reason = reason(state, tenant, &recorded).await;
    Some(shown(&recorded, &metadata, reason.as_deref()))
}

/// Why it was done: the reason of the act or, of an export that an operator asked for, that of the request.
async fn reason(
    state: &AppState,
    tenant: Option<&TenantId>,
    recorded: &Recorded,
) -> Option<String> {
    let system = &state.system;
    if let Ok(Some(reason)) = system.act_reason(tenant, recorded.id).await {
        return Some(reason);
    }
    let export = recorded.stream.export_id()?;
    match state.system.export(export).await {
        Ok(Some(found)) if found.export.request.origin == Origin::Operator => {
            system.reason(tenant?, export).await.ok().flatten()
        }
        _ => None,
    }
}

fn shown(recorded: &Recorded, metadata: &Metadata, reason: Option<&str>) -> Markup {
    html! {
        div.notice.good.written role="status" {
            p { b { (words::DONE) } ", " (words::RECORDED_AS) " " code { (recorded.kind) } }
            dl.facts {
                dt { (words::EVENT_ID) } dd.mono { (recorded.id) }
                dt { (words::AT) } dd { (precise(metadata.recorded_at)) }
                dt { (words::STREAM) } dd { span.mono { (recorded.stream) } ", " (words::REVISION) " " (recorded.revision) ", " (words::POSITION) " " (recorded.position) }
                @if let Some(reason) = reason { dt { (words::WHY) } dd { (reason) } }
            }
        }
    }
}
