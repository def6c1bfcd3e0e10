//! What operators are shown of exports and nodes: ids, states and ages; nothing of a person, nothing of the data.

use carnet_actors::{PlatformView, Since};
use carnet_events::domain::export::Stage;
use carnet_events::ids::{NodeId, Timestamp};
use carnet_projections::exports::ExportRow;
use carnet_projections::operations::{NodeRow, Period};
use carnet_projections::worklist::{Queued, Running};
use serde::Serialize;

/// An export, across tenants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorExport)]
pub(crate) struct ExportView {
    id: String,
    tenant: String,
    /// `queued`, `running` or `failed`.
    status: &'static str,
    /// Since when it is so.
    since: String,
    /// How long that is.
    age_ms: u64,
    /// The newest attempt; 0 before the first.
    attempt: u32,
    /// Queued: not to be started before.
    not_before: Option<String>,
    /// Running: the node that has it.
    node: Option<String>,
    /// Running: the newest sign of life.
    alive_at: Option<String>,
    /// Running: how long ago that is.
    silent_ms: Option<u64>,
    /// Running: how long the claim holds without a sign of life.
    lease_ms: Option<u64>,
    /// Failed: why.
    code: Option<String>,
}

impl ExportView {
    fn new(id: String, tenant: String, status: &'static str, since: Timestamp) -> Self {
        Self {
            id,
            tenant,
            status,
            since: since.to_string(),
            age_ms: 0,
            attempt: 0,
            not_before: None,
            node: None,
            alive_at: None,
            silent_ms: None,
            lease_ms: None,
            code: None,
        }
    }

    pub(super) fn queued(queued: &Queued, now: Timestamp) -> Self {
        let (id, tenant) = (queued.mark.export.to_string(), queued.tenant.to_string());
        Self {
            age_ms: millis(now, queued.mark.at),
            attempt: queued.attempts,
            not_before: queued.not_before.map(|at| at.to_string()),
            ..Self::new(id, tenant, "queued", queued.mark.at)
        }
    }

    pub(super) fn running(running: &Running, now: Timestamp) -> Self {
        let (id, tenant) = (running.mark.export.to_string(), running.tenant.to_string());
        Self {
            age_ms: millis(now, running.mark.at),
            attempt: running.attempt,
            node: Some(running.node.to_string()),
            alive_at: Some(running.alive_at.to_string()),
            silent_ms: Some(millis(now, running.alive_at)),
            lease_ms: Some(running.lease_ms),
            ..Self::new(id, tenant, "running", running.mark.at)
        }
    }

    /// `None` of one that hasn't failed.
    pub(super) fn failed(row: &ExportRow, now: Timestamp) -> Option<Self> {
        let Stage::Failed(ending) = &row.export.stage else {
            return None;
        };
        let (id, tenant) = (row.id.to_string(), row.export.request.tenant.to_string());
        Some(Self {
            age_ms: millis(now, ending.at),
            attempt: row.export.attempt,
            code: Some(ending.code.clone()),
            ..Self::new(id, tenant, "failed", ending.at)
        })
    }
}

/// A node.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorNode)]
pub(crate) struct NodeView {
    id: String,
    /// Whether it is the one that answers.
    this: bool,
    version: Option<String>,
    started_at: Option<String>,
    /// The newest event that it wrote; an idle node writes none.
    alive_at: Option<String>,
    /// Exports that it runs.
    running: u64,
    /// Since when it takes no more work; none: it works.
    draining: Option<SinceView>,
}

impl NodeView {
    pub(super) fn of(row: &NodeRow, platform: &PlatformView, this: NodeId) -> Self {
        Self {
            id: row.node.to_string(),
            this: row.node == this,
            version: row.version.clone(),
            started_at: row.started_at.map(|at| at.to_string()),
            alive_at: row.alive_at.map(|at| at.to_string()),
            running: row.running,
            draining: platform.draining.get(&row.node).map(SinceView::of),
        }
    }
}

/// Since when something is so, and by whose act.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorSince)]
pub(crate) struct SinceView {
    at: String,
    /// The operator's pseudonym.
    by: String,
}

impl SinceView {
    pub(super) fn of(since: &Since) -> Self {
        Self {
            at: since.at.to_string(),
            by: since.by.to_string(),
        }
    }
}

/// What happened in a span of time.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorPeriod)]
pub(crate) struct PeriodView {
    /// Counts, by code where there are codes, and durations in milliseconds.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub(super) figures: Period,
}

/// Milliseconds from `then` to `now`, none if that is to come.
pub(super) fn millis(now: Timestamp, then: Timestamp) -> u64 {
    u64::try_from(now.since(then).as_millis()).unwrap_or(u64::MAX)
}
