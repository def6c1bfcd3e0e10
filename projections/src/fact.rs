//! Events as the projections see them: decoded once, for all of them.

use carnet_events::codec::{self, DecodeError, DomainEvent, Json};
use carnet_events::domain::Timed;
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::ExportEvent;
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::domain::session::SessionEvent;
use carnet_events::domain::tenant::TenantEvent;
use carnet_events::envelope::{Position, Recorded};
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::Filter;
use carnet_events::stream::StreamKind;
use serde::Deserialize;

/// Streams that any projection is folded from. Directories are not among them: no projection knows a person.
pub(crate) const STREAMS: [StreamKind; 5] = [
    StreamKind::Export,
    StreamKind::Tenant,
    StreamKind::Access,
    StreamKind::Sessions,
    StreamKind::Platform,
];

/// An event, decoded.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) position: Position,
    pub(crate) revision: u64,
    pub(crate) stream: StreamKind,
    pub(crate) what: Result<Known, String>,
}

/// What an event says, and about whom.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) at: Timestamp,
    /// Whose it is; `None`: it concerns the whole service.
    pub(crate) tenant: Option<TenantId>,
    /// Whoever caused it; `None`: the service itself.
    pub(crate) principal: Option<PrincipalId>,
    pub(crate) event: Event,
}

/// An event of one of [`STREAMS`].
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "short-lived, and as large in its usual case"
)]
pub(crate) enum Event {
    Export(ExportId, Timed<ExportEvent>),
    Tenant(TenantEvent),
    Access(AccessEvent),
    Session(SessionEvent),
    Platform(PlatformEvent),
}

/// The filter that a subscription for facts is made with.
pub(crate) fn filter() -> Filter {
    Filter::all().streams(STREAMS)
}

/// Decodes an event. One that can't be read is a fact too: it stops the projections that would need it.
pub(crate) fn read(recorded: &Recorded) -> Fact {
    let stream = recorded.stream.kind();
    Fact {
        position: recorded.position,
        revision: recorded.revision,
        stream,
        what: known(recorded, stream),
    }
}

fn known(recorded: &Recorded, stream: StreamKind) -> Result<Known, String> {
    let place = || format!("{}@{}", recorded.stream, recorded.revision);
    let tenant = || recorded.stream.tenant_id();
    let (about, at, tenant, event) = match stream {
        StreamKind::Export => {
            let id = recorded.stream.export_id();
            let id = id.ok_or_else(|| format!("{} is of no export", place()))?;
            let (about, event) = decoded(recorded)?;
            let tenant = about.tenant.clone();
            (about, event.at, tenant, Event::Export(id, event))
        }
        StreamKind::Tenant => {
            let (about, event) = decoded(recorded)?;
            (about, event.at, tenant(), Event::Tenant(event.what))
        }
        StreamKind::Access => {
            let (about, event) = decoded(recorded)?;
            (about, event.at, tenant(), Event::Access(event.what))
        }
        // Operators' sessions are of no tenant.
        StreamKind::Sessions => {
            let (about, event) = decoded(recorded)?;
            let tenant = about.tenant.clone();
            (about, event.at, tenant, Event::Session(event.what))
        }
        StreamKind::Platform => {
            let (about, event) = decoded(recorded)?;
            (about, event.at, None, Event::Platform(event.what))
        }
        StreamKind::Policy | StreamKind::Directory | StreamKind::Other => {
            return Err(format!("{} was not asked for", place()));
        }
    };
    let may_lack_one = matches!(stream, StreamKind::Sessions | StreamKind::Platform);
    if tenant.is_none() && !may_lack_one {
        return Err(format!("{} names no tenant", place()));
    }
    Ok(Known {
        at,
        tenant,
        principal: about.principal,
        event,
    })
}

/// What of an event's metadata concerns projections. The rest is skipped, not read.
#[derive(Deserialize)]
struct About {
    recorded_at: Timestamp,
    #[serde(default)]
    tenant: Option<TenantId>,
    #[serde(default)]
    principal: Option<PrincipalId>,
    schema: u16,
}

/// The event and what concerns projections of its metadata. An event of the newest version, as nearly all are, is read
/// right here; the codec knows what to do with others.
fn decoded<E: DomainEvent>(recorded: &Recorded) -> Result<(About, Timed<E>), String> {
    let about = codec::from_bytes::<About>(&recorded.metadata);
    if let Ok(about) = about
        && E::newest_version(&recorded.kind) == Some(about.schema)
        && let Ok(Some(event)) = E::from_json(&recorded.kind, Json::Bytes(&recorded.data))
    {
        let event = Timed::new(about.recorded_at, event);
        return Ok((about, event));
    }
    let (metadata, event) =
        codec::decode(recorded).map_err(|error: DecodeError| error.to_string())?;
    let about = About {
        recorded_at: metadata.recorded_at,
        tenant: metadata.tenant,
        principal: metadata.principal,
        schema: metadata.schema,
    };
    Ok((about, event))
}
