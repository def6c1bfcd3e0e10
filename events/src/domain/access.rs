//! Access records: what was refused, downloaded, blocked and read. They decide nothing.
//!
//! Stream `access-{tenant}-{yyyy-mm}`, appended without an expectation and deduplicated by event id, so that
//! a flood of them neither slows nor conflicts with a decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{ExportId, PrincipalId, Timestamp};

/// A request that was not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRefused {
    /// Who asked.
    pub principal: PrincipalId,
    /// Why not, as a code.
    pub code: String,
    /// Categories that the caller may not export, if that is why. Ids of the catalog only.
    pub categories: Vec<String>,
    /// When the limit opens again, if that is why.
    pub next_allowed_at: Option<Timestamp>,
}

/// Somebody asked for something that is not there for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessDenied {
    /// Who asked.
    pub principal: PrincipalId,
    /// For what, as the name of a route.
    pub route: String,
}

/// A short-lived link was handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkIssued {
    /// To whom.
    pub principal: PrincipalId,
    /// For which export.
    pub export: ExportId,
    /// The link's id; not the link.
    pub link: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// A link was taken back. Not written any more, but read for ever: whether a link works is a decision, and stands in the
/// export's own stream as `links_revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRevoked {
    /// By whom.
    pub principal: PrincipalId,
    /// For which export.
    pub export: ExportId,
    /// The link's id.
    pub link: String,
}

/// A download is about to begin; written before the first byte is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downloaded {
    /// By whom.
    pub principal: PrincipalId,
    /// Of which export.
    pub export: ExportId,
    /// `json` or `stored`; `presigned_json` or `presigned_stored` where an address of the file was given out instead of its bytes: whether and how
    /// often it was used isn't known, and no end of it is recorded.
    pub representation: String,
    /// The link it came through, if any.
    pub link: Option<String>,
    /// Whether only a part was asked for; all parts of one download are one record.
    pub partial: bool,
}

/// A download ended; best effort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadEnded {
    /// By whom.
    pub principal: PrincipalId,
    /// Of which export.
    pub export: ExportId,
    /// Bytes handed to the connection.
    pub bytes: u64,
    /// Whether all that was asked for went out.
    pub complete: bool,
}

/// A download was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadBlocked {
    /// To whom.
    pub principal: PrincipalId,
    /// Of which export.
    pub export: ExportId,
    /// Why, as a code.
    pub code: String,
    /// Categories whose policy or permission changed, if that is why.
    pub categories: Vec<String>,
}

/// Somebody read the audit log or a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRead {
    /// Who.
    pub principal: PrincipalId,
    /// Which export's history; `None`: the tenant's log.
    pub export: Option<ExportId>,
    /// `html`, `json`, `csv` or `ndjson`.
    pub format: String,
    /// The filters that were applied.
    pub filters: BTreeMap<String, String>,
}

/// The same record again, several times: counted instead of written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// Whose.
    pub principal: PrincipalId,
    /// Type of the records that were counted.
    pub of: String,
    /// Their code, if they have one.
    pub code: Option<String>,
    /// The export they speak of, if all speak of one.
    pub export: Option<ExportId>,
    /// How many, the first one not included.
    pub count: u64,
    /// Time of the first that was counted.
    pub from: Timestamp,
    /// Time of the last.
    pub to: Timestamp,
}

crate::codec::events! {
    /// Everything that is recorded about access.
    AccessEvent in Access {
        /// A request was not let in.
        ExportRefused(ExportRefused) = "export_refused", 1;
        /// Something was asked for that is not there for the asker.
        AccessDenied(AccessDenied) = "access_denied", 1;
        /// A link was handed out.
        LinkIssued(LinkIssued) = "link_issued", 1;
        /// A link was taken back.
        LinkRevoked(LinkRevoked) = "link_revoked", 1;
        /// A download is about to begin.
        Downloaded(Downloaded) = "downloaded", 1;
        /// A download ended.
        DownloadEnded(DownloadEnded) = "download_ended", 1;
        /// A download was refused.
        DownloadBlocked(DownloadBlocked) = "download_blocked", 1;
        /// The audit log or a history was read.
        AuditRead(AuditRead) = "audit_read", 1;
        /// The same record again, counted.
        Repeated(Repeated) = "repeated", 1;
    }
}

impl AccessEvent {
    /// Who did it.
    pub fn principal(&self) -> &PrincipalId {
        match self {
            Self::ExportRefused(record) => &record.principal,
            Self::AccessDenied(record) => &record.principal,
            Self::LinkIssued(record) => &record.principal,
            Self::LinkRevoked(record) => &record.principal,
            Self::Downloaded(record) => &record.principal,
            Self::DownloadEnded(record) => &record.principal,
            Self::DownloadBlocked(record) => &record.principal,
            Self::AuditRead(record) => &record.principal,
            Self::Repeated(record) => &record.principal,
        }
    }

    /// The export it speaks of, if any.
    pub fn export(&self) -> Option<ExportId> {
        match self {
            Self::ExportRefused(_) | Self::AccessDenied(_) => None,
            Self::LinkIssued(record) => Some(record.export),
            Self::LinkRevoked(record) => Some(record.export),
            Self::Downloaded(record) => Some(record.export),
            Self::DownloadEnded(record) => Some(record.export),
            Self::DownloadBlocked(record) => Some(record.export),
            Self::AuditRead(record) => record.export,
            Self::Repeated(record) => record.export,
        }
    }

    /// Its code, if it has one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::ExportRefused(record) => Some(&record.code),
            Self::DownloadBlocked(record) => Some(&record.code),
            Self::AccessDenied(record) => Some(&record.route),
            Self::Repeated(record) => record.code.as_deref(),
            Self::LinkIssued(_)
            | Self::LinkRevoked(_)
            | Self::Downloaded(_)
            | Self::DownloadEnded(_)
            | Self::AuditRead(_) => None,
        }
    }
}
