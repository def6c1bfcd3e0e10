//! What an act has just written, read back from the event store: whatever the address says, only what is there is shown.

use carnet_events::envelope::{Metadata, Recorded};
use carnet_events::ids::TenantId;
use carnet_events::store::{Direction, ReadFrom};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;
use maud::{Markup, html};

use crate::http::pages::units::time;
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
    let reason = state.system.act_reason(tenant, recorded.id).await;
    Some(shown(
        &recorded,
        &metadata,
        reason.ok().flatten().as_deref(),
    ))
}

fn shown(recorded: &Recorded, metadata: &Metadata, reason: Option<&str>) -> Markup {
    html! {
        div.notice.good.written role="status" {
            p { b { (words::DONE) } ", " (words::RECORDED_AS) " " code { (recorded.kind) } }
            dl.facts {
                dt { (words::EVENT_ID) } dd.mono { (recorded.id) }
                dt { (words::AT) } dd { (time(metadata.recorded_at)) }
                dt { (words::STREAM) } dd { span.mono { (recorded.stream) } ", " (words::REVISION) " " (recorded.revision) ", " (words::POSITION) " " (recorded.position) }
                @if let Some(reason) = reason { dt { (words::WHY) } dd { (reason) } }
            }
        }
    }
}
