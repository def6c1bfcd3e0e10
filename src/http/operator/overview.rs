//! `GET /api/operator/overview`: how the whole service stands.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_projections::{ProjectionStatus, RunState};
use serde::Serialize;

use super::access::Operator;
use super::views::{ExportView, NodeView, PeriodView, SinceView};
use crate::http::authenticate::SignedIn;
use crate::http::health;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Nodes, stuck exports, closed tenants and exemptions that are listed.
const LISTED: u32 = 100;

/// How the whole service stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct OperatorOverview {
    /// When this was so.
    at: String,
    /// Exports by status.
    statuses: BTreeMap<&'static str, u64>,
    /// The export that waits longest.
    oldest_queued: Option<ExportView>,
    /// The running ones, the one running longest first, at most 100.
    running: Vec<ExportView>,
    /// Running ones without a sign of life for longer than a lease.
    stuck: Stuck,
    last_hour: PeriodView,
    last_day: PeriodView,
    /// The nodes seen last.
    nodes: Vec<NodeView>,
    /// Since when no requests are taken; none: they are.
    intake_paused: Option<SinceView>,
    /// What the service can't do without: `ok`, or what is wrong.
    checks: BTreeMap<&'static str, String>,
    /// The event store's last position.
    last_position: Option<String>,
    projections: Vec<ProjectionView>,
    /// Tenants that are closed, those closed last first.
    closed_tenants: Vec<ClosedView>,
    /// Exemptions that are not over, newest first.
    exemptions: Vec<ExemptionView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorStuck)]
pub(crate) struct Stuck {
    total: u64,
    exports: Vec<ExportView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorClosed)]
pub(crate) struct ClosedView {
    tenant: String,
    at: String,
    by: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorExemption)]
pub(crate) struct ExemptionView {
    tenant: String,
    id: String,
    /// `user` or `tenant`.
    #[schema(value_type = String)]
    limit: carnet_events::domain::tenant::LimitKind,
    count: u32,
    used: u32,
    until: String,
    /// The pseudonym of the one person it is for.
    person: Option<String>,
    at: String,
    by: String,
}

/// How a projection stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OperatorProjection)]
pub(crate) struct ProjectionView {
    name: &'static str,
    /// `live`, `catching_up` or `stopped`.
    state: &'static str,
    /// Why it has stopped.
    reason: Option<String>,
    /// Everything up to here is in it.
    position: Option<String>,
    newest_event_at: Option<String>,
    events: u64,
    lag_events: Option<u64>,
    lag_ms: u64,
    generation: u32,
    /// Events that a rebuild under way has read.
    rebuilding: Option<u64>,
    /// Why the last rebuild came to nothing, until one succeeds.
    rebuild_failed: Option<String>,
}

/// How the whole service stands: exports, nodes, switches, checks, read models.
#[utoipa::path(get, path = "/api/operator/overview", operation_id = "getOverview", tag = "Operators", responses(
    (status = 200, description = "How it stands", body = OperatorOverview),
))]
pub(crate) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    Operator::new(&state, caller.0, &request).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(overview(&state).await?))
}

async fn overview(state: &AppState) -> Result<OperatorOverview, Problem> {
    let now = state.clock.now();
    let operations = state.projections.operations();
    let silent = state.config.workers.lease.get();
    let (figures, stuck, nodes, closed, exemptions) = futures::try_join!(
        operations.overview(now),
        operations.stuck(now, silent, LISTED),
        operations.nodes(LISTED),
        operations.closed_tenants(LISTED),
        operations.exemptions(Some(now), LISTED),
    )?;
    let platform = state.system.platform().await?;
    let projections = state.projections.status(now).await;
    let this = state.system.node();
    let checks = health::outcomes(state).await.into_iter();
    let statuses = figures.statuses.iter();
    let running = figures.running.iter();
    let oldest = figures.oldest_queued.as_ref();
    let silent = stuck.exports.iter();
    Ok(OperatorOverview {
        at: now.to_string(),
        statuses: statuses
            .map(|(status, count)| (status.as_str(), *count))
            .collect(),
        oldest_queued: oldest.map(|one| ExportView::queued(one, now)),
        running: running.map(|one| ExportView::running(one, now)).collect(),
        stuck: Stuck {
            total: stuck.total,
            exports: silent.map(|one| ExportView::running(one, now)).collect(),
        },
        last_hour: PeriodView {
            figures: figures.last_hour,
        },
        last_day: PeriodView {
            figures: figures.last_day,
        },
        nodes: nodes
            .iter()
            .map(|row| NodeView::of(row, &platform, this))
            .collect(),
        intake_paused: platform.intake_paused.as_ref().map(SinceView::of),
        checks: checks
            .map(|(name, outcome)| (name, outcome.err().unwrap_or_else(|| "ok".to_owned())))
            .collect(),
        last_position: projections.last_position.map(|last| last.to_string()),
        projections: projections
            .projections
            .iter()
            .map(ProjectionView::of)
            .collect(),
        closed_tenants: closed.iter().map(ClosedView::of).collect(),
        exemptions: exemptions.iter().map(ExemptionView::of).collect(),
    })
}

impl ClosedView {
    fn of(closed: &carnet_projections::operations::ClosedTenant) -> Self {
        Self {
            tenant: closed.tenant.to_string(),
            at: closed.at.to_string(),
            by: closed.by.to_string(),
        }
    }
}

impl ExemptionView {
    fn of(one: &carnet_projections::operations::Exemption) -> Self {
        Self {
            tenant: one.tenant.to_string(),
            id: one.id.clone(),
            limit: one.limit,
            count: one.count,
            used: one.used,
            until: one.until.to_string(),
            person: one.person.as_ref().map(ToString::to_string),
            at: one.at.to_string(),
            by: one.by.to_string(),
        }
    }
}

impl ProjectionView {
    fn of(one: &ProjectionStatus) -> Self {
        let (state, reason) = match &one.state {
            RunState::Live => ("live", None),
            RunState::CatchingUp => ("catching_up", None),
            RunState::Stopped { reason } => ("stopped", Some(reason.clone())),
        };
        Self {
            name: one.name.as_str(),
            state,
            reason,
            position: one.position.map(|position| position.to_string()),
            newest_event_at: one.newest_event_at.map(|at| at.to_string()),
            events: one.events,
            lag_events: one.lag_events,
            lag_ms: one.lag_ms,
            generation: one.generation,
            rebuilding: one.rebuilding.map(|rebuilding| rebuilding.events),
            rebuild_failed: one.rebuild_failed.clone(),
        }
    }
}
