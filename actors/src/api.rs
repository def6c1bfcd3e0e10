//! What goes in and out of the [`System`](crate::System).

use std::collections::BTreeMap;
use std::sync::Arc;

use carnet_events::codec::Context;
use carnet_events::domain::export::{Export, ExportEvent};
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::domain::request::Request;
use carnet_events::domain::tenant::window::Windows;
use carnet_events::domain::tenant::{CategoryCheck, IdempotencyKey, Limits, Refusal, Tenant};
use carnet_events::envelope::Metadata;
use carnet_events::ids::{Digest, ExportId, Incarnation, NodeId, PrincipalId, TenantId, Timestamp};
use carnet_events::stream::StreamName;
use tokio::sync::watch;
use uuid::Uuid;

/// What a command goes back to; it ends up in the metadata of the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// Shared by everything that goes back to one request.
    pub correlation: Option<Uuid>,
    /// The W3C trace id of that request.
    pub trace: Option<String>,
}

impl Cause {
    pub(crate) fn context(
        &self,
        tenant: &TenantId,
        principal: Option<&PrincipalId>,
        causation: Uuid,
    ) -> Context {
        Context {
            tenant: Some(tenant.clone()),
            principal: principal.cloned(),
            causation: Some(causation),
            correlation: self.correlation,
            trace: self.trace.clone(),
        }
    }
}

/// A request for an export, with everything its admission is decided from that the asker knows.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmitRequest {
    /// What is asked for; `policy_digests` are today's.
    pub request: Request,
    /// The categories, held against the catalog and the caller's permissions.
    pub categories: CategoryCheck,
    /// The caller's idempotency key.
    pub key: Option<IdempotencyKey>,
    /// The limits in force for this tenant.
    pub limits: Limits,
    /// The caller's reason in their own words; kept in the tenant's directory alone.
    pub reason: Option<String>,
}

/// The tenant's answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Let in: the export is queued, durably.
    Accepted {
        /// Its id.
        export: ExportId,
        /// The same request had been let in before, with the same idempotency key.
        repeated: bool,
    },
    /// Not let in; the refusal is recorded.
    Refused(Refusal),
}

/// An export at a revision of its stream.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportView {
    /// Its id.
    pub id: ExportId,
    /// The state.
    pub export: Arc<Export>,
    /// Revision of the newest event.
    pub revision: u64,
}

/// A tenant at a revision of its stream.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantView {
    /// The state. A tenant without events is one of which nothing is known.
    pub tenant: Arc<Tenant>,
    /// Revision of the newest event, if there is one.
    pub revision: Option<u64>,
}

/// How a person stands before asking for an export.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The tenant.
    pub view: TenantView,
    /// What is left of the limits, and when they open again.
    pub windows: Windows,
    /// What a request would be refused for now, categories and idempotency aside.
    pub blocked_by: Option<Refusal>,
    /// The active exports that were not settled at that same look, oldest id first.
    pub under_way: Vec<ExportView>,
}

/// One event of an export's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// Its place in the stream.
    pub revision: u64,
    /// Its id.
    pub id: Uuid,
    /// When, who, and what it goes back to.
    pub metadata: Metadata,
    /// What happened.
    pub event: ExportEvent,
    /// What was true after it.
    pub after: Arc<Export>,
}

/// What a queued export waits for, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuePosition {
    /// Exports that will be taken before it, as things stand.
    pub ahead: u64,
    /// What it waits for.
    pub reason: WaitReason,
}

/// Why an export is not running yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// All workers of the node are busy.
    FreeWorker,
    /// An attempt failed or was lost; the next one may begin then.
    Until(Timestamp),
    /// The node takes no work: it is being drained.
    Draining,
    /// The node decides nothing: its clock is wrong.
    ClockSkewed,
}

impl WaitReason {
    /// Its code on every surface.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::FreeWorker => "free_worker",
            Self::Until(_) => "retry_at",
            Self::Draining => "draining",
            Self::ClockSkewed => "clock_skewed",
        }
    }
}

/// Tells that an export may have changed, on whichever node. Read the export anew after each [`changed`](Self::changed).
#[derive(Debug)]
pub struct Changes {
    pub(crate) receiver: watch::Receiver<u64>,
}

impl Changes {
    /// Waits until something happened since the last call; `false` when nothing will any more, because the system
    /// has stopped. Cancel-safe.
    pub async fn changed(&mut self) -> bool {
        self.receiver.changed().await.is_ok()
    }
}

/// Who asks for an operator's act, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// The operator's pseudonym; see [`System::operator`](crate::System::operator).
    pub by: PrincipalId,
    /// Their reason in their own words; kept in a directory alone.
    pub reason: String,
    /// What the act goes back to.
    pub cause: Cause,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order")
            .field("by", &self.by)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

/// The event that an act was recorded with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it stands.
    pub stream: StreamName,
    /// Its place in the stream.
    pub revision: u64,
    /// Its id; the reason is found by it.
    pub id: Uuid,
    /// Its type.
    pub kind: String,
    /// When it was recorded.
    pub at: Timestamp,
}

/// Since when something is so, and by whose act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: PrincipalId,
}

/// A node that has served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNode {
    /// Its newest process.
    pub incarnation: Incarnation,
    /// When that was started.
    pub started_at: Timestamp,
    /// The program's version.
    pub version: String,
    /// Digest of the configuration that it serves with.
    pub configuration: Digest,
}

/// What the platform's stream says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlatformView {
    /// Revision of the newest event, if there is one.
    pub revision: Option<u64>,
    /// Time of the newest event.
    pub updated_at: Option<Timestamp>,
    /// No requests are taken, on any node.
    pub intake_paused: Option<Since>,
    /// Nodes that take no more work.
    pub draining: BTreeMap<NodeId, Since>,
    /// Nodes that have served, the latest ones.
    pub nodes: BTreeMap<NodeId, KnownNode>,
    /// The digest of each category's policy, as the configuration says that was applied last, on whichever node.
    pub policies: Arc<BTreeMap<String, Digest>>,
}

/// One event of the platform's stream.
#[derive(Debug, Clone, PartialEq)]
pub struct PlatformEntry {
    /// Its place in the stream.
    pub revision: u64,
    /// Its id; an operator's reason is found by it.
    pub id: Uuid,
    /// When, who, and what it goes back to.
    pub metadata: Metadata,
    /// What happened.
    pub event: PlatformEvent,
}
