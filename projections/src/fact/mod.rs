//! Events as the projections see them: decoded once, for all of them.

mod admitted;

use carnet_events::codec::{self, DecodeError, DomainEvent, Json};
use carnet_events::domain::Timed;
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::ExportEvent;
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::domain::session::SessionEvent;
use carnet_events::domain::tenant::TenantEvent;
use carnet_events::envelope::{Glance, Position, Recorded};
use carnet_events::ids::{ExportId, InvalidId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::Filter;
use carnet_events::stream::{StreamKind, StreamName};
use foldhash::HashMap;

pub(crate) use admitted::Admitted;

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
    /// What [`TenantEvent::ExportAdmitted`] says.
    Admitted(Admitted),
    /// Any other of a tenant's.
    Tenant(TenantEvent),
    Access(AccessEvent),
    Session(SessionEvent),
    Platform(PlatformEvent),
}

/// The filter that a subscription for facts is made with.
pub(crate) fn filter() -> Filter {
    Filter::all().streams(STREAMS)
}

/// Ids that came up lately. The same few stand in most events, and are checked and copied once.
#[derive(Default)]
pub(crate) struct Ids {
    tenants: HashMap<Box<str>, TenantId>,
    principals: HashMap<Box<str>, PrincipalId>,
    streams: HashMap<StreamName, Option<TenantId>>,
}

/// The most ids of a kind kept in memory.
const IDS: usize = 16_384;

impl Ids {
    fn tenant(&mut self, text: &str) -> Result<TenantId, InvalidId> {
        known_or(&mut self.tenants, text, || TenantId::new(text))
    }

    fn principal(&mut self, text: &str) -> Result<PrincipalId, InvalidId> {
        known_or(&mut self.principals, text, || PrincipalId::new(text))
    }

    /// The tenant whose stream it is.
    fn of_stream(&mut self, stream: &StreamName) -> Option<TenantId> {
        if let Some(tenant) = self.streams.get(stream) {
            return tenant.clone();
        }
        let tenant = stream.tenant_id();
        if self.streams.len() >= IDS {
            self.streams.clear();
        }
        self.streams.insert(stream.clone(), tenant.clone());
        tenant
    }
}

fn known_or<T: Clone, E>(
    known: &mut HashMap<Box<str>, T>,
    text: &str,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    if let Some(id) = known.get(text) {
        return Ok(id.clone());
    }
    let id = make()?;
    if known.len() >= IDS {
        known.clear();
    }
    known.insert(text.into(), id.clone());
    Ok(id)
}

/// Decodes an event. One that can't be read is a fact too: it stops the projections that would need it.
pub(crate) fn read(recorded: &Recorded, ids: &mut Ids) -> Fact {
    let stream = recorded.stream.kind();
    Fact {
        position: recorded.position,
        revision: recorded.revision,
        stream,
        what: known(recorded, stream, ids),
    }
}

fn known(recorded: &Recorded, stream: StreamKind, ids: &mut Ids) -> Result<Known, String> {
    let place = || format!("{}@{}", recorded.stream, recorded.revision);
    let (principal, at, tenant, event) = match stream {
        StreamKind::Export => {
            let id = recorded.stream.export_id();
            let id = id.ok_or_else(|| format!("{} is of no export", place()))?;
            let (about, event) = decoded(recorded, ids)?;
            let tenant = about.tenant;
            (about.principal, event.at, tenant, Event::Export(id, event))
        }
        StreamKind::Tenant => {
            let (about, event) = of_tenant(recorded, ids)?;
            let tenant = ids.of_stream(&recorded.stream);
            (about.principal, event.at, tenant, event.what)
        }
        StreamKind::Access => {
            let (about, event) = decoded(recorded, ids)?;
            let tenant = ids.of_stream(&recorded.stream);
            (about.principal, event.at, tenant, Event::Access(event.what))
        }
        // Operators' sessions are of no tenant.
        StreamKind::Sessions => {
            let (about, event) = decoded(recorded, ids)?;
            let tenant = about.tenant;
            (
                about.principal,
                event.at,
                tenant,
                Event::Session(event.what),
            )
        }
        StreamKind::Platform => {
            let (about, event) = decoded(recorded, ids)?;
            (about.principal, event.at, None, Event::Platform(event.what))
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
        principal,
        event,
    })
}

/// What of an event's metadata concerns projections.
struct About {
    tenant: Option<TenantId>,
    principal: Option<PrincipalId>,
}

impl About {
    fn of(written: &Glance<'_>, ids: &mut Ids) -> Result<Self, InvalidId> {
        let (tenant, principal) = (written.tenant, written.principal);
        Ok(Self {
            tenant: tenant.map(|text| ids.tenant(text)).transpose()?,
            principal: principal.map(|text| ids.principal(text)).transpose()?,
        })
    }
}

/// The event and what concerns projections of its metadata. An event of the newest version, as nearly all are, is read
/// right here; the codec knows what to do with others.
fn decoded<E: DomainEvent>(
    recorded: &Recorded,
    ids: &mut Ids,
) -> Result<(About, Timed<E>), String> {
    let read = |_: &mut Ids| E::from_json(&recorded.kind, Json::Bytes(&recorded.data)).ok()?;
    decoded_by(recorded, ids, read, |event| event)
}

/// The same, with an event of the newest version read by `read`, and any other made what it gives by `from`.
fn decoded_by<E: DomainEvent, T>(
    recorded: &Recorded,
    ids: &mut Ids,
    read: impl FnOnce(&mut Ids) -> Option<T>,
    from: impl FnOnce(E) -> T,
) -> Result<(About, Timed<T>), String> {
    if let Some(written) = Glance::at(&recorded.metadata)
        && E::newest_version(&recorded.kind) == Some(written.schema)
        && let Ok(about) = About::of(&written, ids)
        && let Some(event) = read(ids)
    {
        return Ok((about, Timed::new(written.recorded_at, event)));
    }
    let (metadata, event) =
        codec::decode::<E>(recorded).map_err(|error: DecodeError| error.to_string())?;
    let about = About {
        tenant: metadata.tenant,
        principal: metadata.principal,
    };
    Ok((about, Timed::new(event.at, from(event.what))))
}

fn of_tenant(recorded: &Recorded, ids: &mut Ids) -> Result<(About, Timed<Event>), String> {
    let read = |ids: &mut Ids| match &*recorded.kind {
        admitted::KIND => admitted::read(&recorded.data, ids).map(Event::Admitted),
        kind => {
            let event = TenantEvent::from_json(kind, Json::Bytes(&recorded.data));
            event.ok()?.map(Event::Tenant)
        }
    };
    decoded_by(recorded, ids, read, |event| match event {
        TenantEvent::ExportAdmitted(event) => Event::Admitted(event.into()),
        event => Event::Tenant(event),
    })
}
