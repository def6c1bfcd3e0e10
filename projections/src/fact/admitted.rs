//! What projections take of an admission. It holds the whole request, and is one of the longest events there are; what no
//! projection shows of it (policies, limits, digests) is skipped, not read.

use carnet_events::codec;
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Scope};
use carnet_events::domain::tenant::{ExportAdmitted, Standing};
use carnet_events::ids::{ExportId, PrincipalId};
use serde::Deserialize;

use super::Ids;

/// The type of the event.
pub(super) const KIND: &str = "export_admitted";

/// The tenant's yes to a request, as far as projections tell of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Admitted {
    pub(crate) export: ExportId,
    pub(crate) principal: PrincipalId,
    pub(crate) origin: Origin,
    pub(crate) kind: ExportKind,
    pub(crate) categories: Vec<String>,
    pub(crate) scope: Option<Scope>,
    pub(crate) format: Format,
    pub(crate) layers: Vec<Layer>,
    pub(crate) retry_of: Option<ExportId>,
    pub(crate) standing: Standing,
    pub(crate) exemptions: Vec<String>,
}

impl From<ExportAdmitted> for Admitted {
    fn from(event: ExportAdmitted) -> Self {
        let request = event.request;
        Self {
            export: event.export,
            principal: request.principal,
            origin: request.origin,
            kind: request.kind,
            categories: request.categories,
            scope: request.scope,
            format: request.format,
            layers: request.layers,
            retry_of: request.retry_of,
            standing: event.standing,
            exemptions: event.exemptions,
        }
    }
}

/// The same as it is stored.
#[derive(Deserialize)]
struct Written<'a> {
    export: ExportId,
    #[serde(borrow)]
    request: WrittenRequest<'a>,
    standing: Standing,
    exemptions: Vec<String>,
}

#[derive(Deserialize)]
struct WrittenRequest<'a> {
    principal: &'a str,
    origin: Origin,
    kind: ExportKind,
    categories: Vec<String>,
    scope: Option<Scope>,
    format: Format,
    layers: Vec<Layer>,
    retry_of: Option<ExportId>,
}

/// Reads the newest version of the event; `None`: the codec has to look at it.
pub(super) fn read(data: &[u8], ids: &mut Ids) -> Option<Admitted> {
    let written: Written<'_> = codec::from_bytes(data).ok()?;
    let request = written.request;
    Some(Admitted {
        export: written.export,
        principal: ids.principal(request.principal).ok()?,
        origin: request.origin,
        kind: request.kind,
        categories: request.categories,
        scope: request.scope,
        format: request.format,
        layers: request.layers,
        retry_of: request.retry_of,
        standing: written.standing,
        exemptions: written.exemptions,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use carnet_events::codec::DomainEvent;
    use carnet_events::domain::tenant::TenantEvent;

    use super::*;
    use crate::tests::given::{admitted, export, principal, request, tenant};

    #[test]
    fn an_admission_is_what_the_codec_reads_of_it() {
        let mut plain = request(&tenant("acme"), &principal("ann"));
        let mut scoped = plain.clone();
        scoped.scope = Some(Scope {
            id: "Süd \"3\"".to_owned(),
        });
        scoped.retry_of = Some(export(7));
        plain.layers.clear();
        for request in [plain, scoped] {
            let event = admitted(export(1), &request);
            let data = event.to_json().unwrap();
            let TenantEvent::ExportAdmitted(event) = event else {
                panic!("not an admission");
            };
            let read = read(&data, &mut Ids::default());
            assert_eq!(read, Some(event.into()));
        }
    }

    #[test]
    fn the_newest_version_of_the_event_is_the_one_that_is_read_here() {
        // Whoever raises it looks at `Written`, too.
        assert_eq!(TenantEvent::newest_version(KIND), Some(1));
    }
}
