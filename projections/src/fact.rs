//! Events as the projections see them: decoded once, for all of them.

use carnet_events::codec::{self, DecodeError, DomainEvent};
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::ExportEvent;
use carnet_events::domain::tenant::TenantEvent;
use carnet_events::envelope::{Metadata, Position, Recorded};
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::Filter;
use carnet_events::stream::StreamKind;

/// Streams that any projection is folded from. Directories are not among them: no projection knows a person.
pub(crate) const STREAMS: [StreamKind; 3] =
    [StreamKind::Export, StreamKind::Tenant, StreamKind::Access];

/// An event, decoded.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) position: Position,
    pub(crate) revision: u64,
    pub(crate) stream: StreamKind,
    /// The bytes it had in the log, as a measure of what it takes in memory.
    pub(crate) size: usize,
    pub(crate) what: Result<Known, String>,
}

/// What an event says, and about whom.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) at: Timestamp,
    pub(crate) tenant: TenantId,
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
    Export(ExportId, ExportEvent),
    Tenant(TenantEvent),
    Access(AccessEvent),
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
        size: recorded.data.len() + recorded.metadata.len(),
        what: known(recorded, stream),
    }
}

fn known(recorded: &Recorded, stream: StreamKind) -> Result<Known, String> {
    let unattributed = || format!("{}@{} names no tenant", recorded.stream, recorded.revision);
    let of_stream = || recorded.stream.tenant_id().ok_or_else(unattributed);
    match stream {
        StreamKind::Export => {
            let id = recorded.stream.export_id().ok_or_else(|| {
                let Recorded {
                    stream, revision, ..
                } = recorded;
                format!("{stream}@{revision} is of no export")
            })?;
            let (metadata, at, event) = decoded(recorded)?;
            let tenant = metadata.tenant.ok_or_else(unattributed)?;
            Ok(Known {
                at,
                tenant,
                principal: metadata.principal,
                event: Event::Export(id, event),
            })
        }
        StreamKind::Tenant => {
            let (metadata, at, event) = decoded(recorded)?;
            Ok(Known {
                at,
                tenant: of_stream()?,
                principal: metadata.principal,
                event: Event::Tenant(event),
            })
        }
        StreamKind::Access => {
            let (metadata, at, event) = decoded(recorded)?;
            Ok(Known {
                at,
                tenant: of_stream()?,
                principal: metadata.principal,
                event: Event::Access(event),
            })
        }
        StreamKind::Policy | StreamKind::Directory | StreamKind::Platform | StreamKind::Other => {
            Err(format!("{} was not asked for", recorded.stream))
        }
    }
}

fn decoded<E: DomainEvent>(recorded: &Recorded) -> Result<(Metadata, Timestamp, E), String> {
    let (metadata, timed) =
        codec::decode(recorded).map_err(|error: DecodeError| error.to_string())?;
    Ok((metadata, timed.at, timed.what))
}
