//! What was asked for: the part of an export that is fixed at admission and never changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, ExportId, PrincipalId, TenantId};

/// Who set an export off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A person, through the portal or the API. Counts in the rolling windows.
    User,
    /// The tenant's schedule. Counts as active, not in the windows.
    Schedule,
    /// An operator on the tenant's behalf. Counts as active, not in the windows.
    Operator,
}

/// Which of the three kinds of job an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// Chosen categories of one account.
    Account,
    /// Everything an organisation may take along.
    Snapshot,
    /// One person's data.
    Subject,
}

/// The shape of the produced file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One RFC 8785 canonical JSON document.
    Json,
}

/// What is wrapped around the format, innermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// RFC 1952, one member.
    Gzip,
    /// RFC 8878, one frame.
    Zstd,
}

/// A part of the tenant that the export is limited to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The identifier of the part, bound to `:scope` in the categories' queries.
    pub id: String,
}

/// The whole request: everything the export is built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Whose data.
    pub tenant: TenantId,
    /// Who asked; a pseudonym that only the tenant's directory resolves.
    pub principal: PrincipalId,
    /// Who set it off.
    pub origin: Origin,
    /// Which kind of job.
    pub kind: ExportKind,
    /// Category ids, sorted and unique.
    pub categories: Vec<String>,
    /// The part of the tenant it is limited to, if any.
    pub scope: Option<Scope>,
    /// The file's format.
    pub format: Format,
    /// What is wrapped around it, innermost first.
    pub layers: Vec<Layer>,
    /// The policy that each category had when the request was admitted.
    pub policy_digests: BTreeMap<String, Digest>,
    /// The export that this one tries again, if any.
    pub retry_of: Option<ExportId>,
}
