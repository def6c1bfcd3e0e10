//! What of an event stands in its entry, field by field. What is not named here is not told.

use std::collections::BTreeMap;

use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::{
    ArtifactDamaged, ArtifactDeleted, CategoryResult, Completed, DeletionCause, Failed,
    LinksRevoked, Parameters, Requeued,
};
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin};
use carnet_events::domain::tenant::{
    ExemptionGranted, LimitKind, ModuleSwitched, ScheduleSet, ScheduleSkipped, Standing,
    TenantCancelled,
};
use carnet_events::ids::{Digest, ExportId, PrincipalId, Timestamp};
use serde::{Serialize, Serializer};

/// The details of an entry, borrowed from its event.
pub(super) enum Details<'a> {
    None,
    Admitted(&'a crate::fact::Admitted),
    Completed(&'a Completed),
    Failed(&'a Failed),
    Requeued(&'a Requeued),
    Deleted(&'a ArtifactDeleted),
    Damaged(&'a ArtifactDamaged),
    LinksRevoked(&'a LinksRevoked),
    Exemption(&'a ExemptionGranted),
    TenantCancelled(&'a TenantCancelled),
    Module(&'a ModuleSwitched),
    Schedule(&'a ScheduleSet),
    Skipped(&'a ScheduleSkipped),
    Access(&'a AccessEvent),
}

pub(super) fn access(event: &AccessEvent) -> Details<'_> {
    Details::Access(event)
}

impl Details<'_> {
    /// The details as a JSON object, into a buffer that is used again; empty when there are none.
    pub(super) fn write(&self, json: &mut Vec<u8>) -> serde_json::Result<()> {
        json.clear();
        match self {
            Self::None => Ok(()),
            Self::Access(event) => write_access(event, json),
            Self::Admitted(event) => to_json(
                json,
                &Admitted {
                    kind: event.kind,
                    origin: event.origin,
                    categories: &event.categories,
                    format: event.format,
                    layers: &event.layers,
                    scoped: event.scope.is_some(),
                    retry_of: event.retry_of,
                    accepted_before: event.standing,
                    exemptions: &event.exemptions,
                },
            ),
            Self::Completed(event) => to_json(
                json,
                &Published {
                    attempt: event.attempt,
                    bytes: event.artifact.bytes,
                    sha256: event.artifact.sha256,
                    checksum: event.artifact.checksum,
                    rows: Rows(&event.categories),
                    expires_at: event.expires_at.map(Rfc3339),
                },
            ),
            Self::Failed(event) => to_json(
                json,
                &Failure {
                    attempt: event.attempt,
                    parameters: &event.parameters,
                },
            ),
            Self::Requeued(event) => {
                let attempt = event.attempt;
                to_json(json, &Attempt { attempt })
            }
            Self::Deleted(event) => to_json(
                json,
                &Receipt {
                    cause: event.cause,
                    bytes: event.bytes,
                    sha256: event.sha256,
                },
            ),
            Self::Damaged(event) => to_json(
                json,
                &Damage {
                    block: event.block,
                    document: event.document,
                },
            ),
            Self::LinksRevoked(event) => {
                let everybodys = event.of.is_none();
                to_json(json, &Revoked { everybodys })
            }
            Self::Exemption(event) => to_json(
                json,
                &Exemption {
                    id: &event.id,
                    limit: event.limit,
                    count: event.count,
                    until: Rfc3339(event.until),
                    person: event.person.as_ref(),
                },
            ),
            Self::TenantCancelled(event) => {
                let grace_until = Rfc3339(event.grace_until);
                to_json(json, &Grace { grace_until })
            }
            Self::Module(event) => to_json(
                json,
                &Module {
                    module: &event.module,
                    on: event.on,
                },
            ),
            Self::Schedule(event) => {
                let preset = event.preset.as_deref();
                to_json(json, &Schedule { preset })
            }
            Self::Skipped(event) => {
                let due_at = Rfc3339(event.due_at);
                to_json(json, &Skipped { due_at })
            }
        }
    }
}

fn write_access(event: &AccessEvent, json: &mut Vec<u8>) -> serde_json::Result<()> {
    match event {
        AccessEvent::ExportRefused(refused) => to_json(
            json,
            &Refused {
                categories: &refused.categories,
                next_allowed_at: refused.next_allowed_at.map(Rfc3339),
            },
        ),
        AccessEvent::AccessDenied(_) => Ok(()),
        AccessEvent::LinkIssued(issued) => to_json(
            json,
            &Link {
                link: &issued.link,
                expires_at: Some(Rfc3339(issued.expires_at)),
            },
        ),
        AccessEvent::LinkRevoked(revoked) => to_json(
            json,
            &Link {
                link: &revoked.link,
                expires_at: None,
            },
        ),
        AccessEvent::Downloaded(downloaded) => to_json(
            json,
            &Download {
                representation: &downloaded.representation,
                link: downloaded.link.as_deref(),
                partial: downloaded.partial,
            },
        ),
        AccessEvent::DownloadEnded(ended) => to_json(
            json,
            &Ended {
                bytes: ended.bytes,
                complete: ended.complete,
            },
        ),
        AccessEvent::DownloadBlocked(blocked) => to_json(
            json,
            &Refused {
                categories: &blocked.categories,
                next_allowed_at: None,
            },
        ),
        AccessEvent::AuditRead(read) => to_json(
            json,
            &Read {
                format: &read.format,
                filters: &read.filters,
            },
        ),
        AccessEvent::Repeated(repeated) => to_json(
            json,
            &Repeated {
                of: &repeated.of,
                count: repeated.count,
                from: Rfc3339(repeated.from),
                to: Rfc3339(repeated.to),
            },
        ),
    }
}

fn to_json(json: &mut Vec<u8>, details: &impl Serialize) -> serde_json::Result<()> {
    serde_json::to_writer(json, details)
}

/// Times are for people here, as everywhere in the API.
struct Rfc3339(Timestamp);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Rows by category.
struct Rows<'a>(&'a BTreeMap<String, CategoryResult>);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(category, result)| (category, result.rows)),
        )
    }
}

#[derive(Serialize)]
struct Admitted<'a> {
    kind: ExportKind,
    origin: Origin,
    categories: &'a [String],
    format: Format,
    layers: &'a [Layer],
    /// Whether it is limited to a part of the tenant; which part may say something of a person.
    scoped: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<ExportId>,
    accepted_before: Standing,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    exemptions: &'a [String],
}

#[derive(Serialize)]
struct Published<'a> {
    attempt: u32,
    bytes: u64,
    sha256: Digest,
    checksum: Digest,
    rows: Rows<'a>,
    expires_at: Option<Rfc3339>,
}

#[derive(Serialize)]
struct Failure<'a> {
    attempt: Option<u32>,
    parameters: &'a Parameters,
}

#[derive(Serialize)]
struct Attempt {
    attempt: u32,
}

#[derive(Serialize)]
struct Receipt {
    cause: DeletionCause,
    bytes: u64,
    sha256: Digest,
}

#[derive(Serialize)]
struct Damage {
    block: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    document: bool,
}

#[derive(Serialize)]
struct Revoked {
    /// Or only the revoker's own.
    everybodys: bool,
}

#[derive(Serialize)]
struct Exemption<'a> {
    id: &'a str,
    limit: LimitKind,
    count: u32,
    until: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<&'a PrincipalId>,
}

#[derive(Serialize)]
struct Grace {
    grace_until: Rfc3339,
}

#[derive(Serialize)]
struct Module<'a> {
    module: &'a str,
    on: bool,
}

#[derive(Serialize)]
struct Schedule<'a> {
    preset: Option<&'a str>,
}

#[derive(Serialize)]
struct Skipped {
    due_at: Rfc3339,
}

#[derive(Serialize)]
struct Refused<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    categories: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_allowed_at: Option<Rfc3339>,
}

#[derive(Serialize)]
struct Link<'a> {
    link: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Rfc3339>,
}

#[derive(Serialize)]
struct Download<'a> {
    representation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    partial: bool,
}

#[derive(Serialize)]
struct Ended {
    bytes: u64,
    complete: bool,
}

#[derive(Serialize)]
struct Read<'a> {
    format: &'a str,
    filters: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Repeated<'a> {
    of: &'a str,
    count: u64,
    from: Rfc3339,
    to: Rfc3339,
}
