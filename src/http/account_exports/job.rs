//! A job as the API shows it.

use std::collections::BTreeMap;

use carnet_actors::{ExportView, QueuePosition};
use carnet_events::domain::export::{Parameters, Progress, Stage, Status};
use carnet_events::domain::request::{ExportKind, Layer, Origin};
use carnet_events::domain::tenant::Tenant;
use carnet_events::ids::{ExportId, Timestamp};
use serde::Serialize;

use super::catalog::format_name;
use super::gate;
use super::rfc3339;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// One export.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Job {
    /// Its id, a UUID of version 7.
    id: String,
    /// `queued`, `running`, `completed`, `failed`, `cancelled` or `expired`.
    status: &'static str,
    /// Why it waits, failed or was cancelled.
    reason: Option<Reason>,
    /// `account`, `snapshot` or `subject`.
    kind: &'static str,
    /// `user`, `schedule` or `operator`.
    origin: &'static str,
    /// Pseudonym of whoever asked.
    requested_by: String,
    /// Ids of the categories, sorted.
    categories: Vec<String>,
    /// The file's format.
    format: &'static str,
    /// `gzip`, `zstd` or `none`.
    compression: &'static str,
    /// The part of the tenant it is limited to.
    scope: Option<String>,
    /// When it was accepted.
    created_at: String,
    /// When its first attempt began.
    started_at: Option<String>,
    /// When it completed, failed or was cancelled.
    finished_at: Option<String>,
    /// End of the download window.
    expires_at: Option<String>,
    /// Number of the newest attempt; 0 before the first.
    attempt: u32,
    /// How far a running attempt is.
    progress: Option<ProgressView>,
    /// Its place in the queue, from 1.
    queue_position: Option<u64>,
    /// The file, once it is published.
    artifact: Option<ArtifactView>,
    /// Grows with every event of the export.
    version: u64,
    /// What can be done with it now, and where.
    #[serde(rename = "_links")]
    links: BTreeMap<&'static str, String>,
}

/// Why an export waits, failed or was cancelled.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Reason {
    /// For programs.
    code: String,
    /// For people.
    detail: String,
}

/// How far a running attempt is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ProgressView {
    /// `preparing`, `reading` or `storing`.
    phase: String,
    /// The category being read.
    category: Option<String>,
    /// Rows written so far.
    rows: u64,
    /// Bytes of JSON written so far.
    bytes: u64,
}

/// A published file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ArtifactView {
    /// Size of the stored file.
    bytes: u64,
    /// SHA-256 of the stored file.
    sha256: String,
    /// Media type of the stored file.
    media_type: String,
    /// Size of the JSON document.
    json_bytes: u64,
    /// SHA-256 of the JSON document.
    json_sha256: String,
    /// The manifest's checksum.
    checksum: String,
    /// Rows per category.
    rows: BTreeMap<String, u64>,
}

impl Job {
    /// The export as `viewer` sees it now, with the newest progress and what it waits for.
    pub(super) async fn live(
        state: &AppState,
        viewer: &Viewer,
        found: &ExportView,
    ) -> Result<Self, Problem> {
        let tenant = state.system.tenant(&viewer.tenant).await?.tenant;
        let (waits, listed) = match found.export.status() {
            Status::Queued => match state.system.queue_position(found.id).await {
                None => (None, listed_position(state, found.id).await),
                waits => (waits, None),
            },
            Status::Running
            | Status::Completed
            | Status::Failed
            | Status::Cancelled
            | Status::Expired => (None, None),
        };
        let mut job = Self::new(state, viewer, &tenant, found).waiting(waits, listed);
        if let (Stage::Running(_), Some(progress)) =
            (&found.export.stage, state.system.live_progress(found.id))
        {
            job.progress = Some(progress_view(&progress.borrow()));
        }
        Ok(job)
    }

    /// The export as its events say.
    pub(super) fn new(
        state: &AppState,
        viewer: &Viewer,
        tenant: &Tenant,
        found: &ExportView,
    ) -> Self {
        let (id, export) = (found.id, &*found.export);
        let now = state.clock.now();
        let request = &export.request;
        Self {
            id: id.to_string(),
            status: export.status_at(now).as_str(),
            reason: reason(&export.stage),
            kind: kind(request.kind),
            origin: origin(request.origin),
            requested_by: request.principal.to_string(),
            categories: request.categories.clone(),
            format: format_name(request.format),
            compression: compression(&request.layers),
            scope: request.scope.as_ref().map(|scope| scope.id.clone()),
            created_at: rfc3339(export.created_at),
            started_at: export.started_at.map(rfc3339),
            finished_at: export.finished_at().map(rfc3339),
            expires_at: export
                .published()
                .and_then(|published| published.expires_at)
                .map(rfc3339),
            attempt: export.attempt,
            progress: export
                .running()
                .map(|attempt| progress_view(&attempt.progress)),
            queue_position: None,
            artifact: export.published().map(artifact),
            version: found.revision,
            links: links(state, viewer, tenant, found, now),
        }
    }

    /// With what it waits for: as this node knows, or its place as listed where only another node knows.
    pub(super) fn waiting(mut self, waits: Option<QueuePosition>, listed: Option<u64>) -> Self {
        self.queue_position = waits.map(|waits| waits.ahead + 1).or(listed);
        self.reason = self.reason.or(waits.map(|waits| waiting(&waits)));
        self
    }
}

/// The place in the queue as the read model has it. A status is told without it too, as while that is being filled.
async fn listed_position(state: &AppState, id: ExportId) -> Option<u64> {
    let exports = state.projections.exports();
    exports.queue_position(id).await.ok().flatten()
}

fn links(
    state: &AppState,
    viewer: &Viewer,
    tenant: &Tenant,
    found: &ExportView,
    now: Timestamp,
) -> BTreeMap<&'static str, String> {
    let (id, export) = (found.id, &*found.export);
    let own = format!("/api/account-exports/{id}");
    let mut links = BTreeMap::from([
        ("history", format!("{own}/history")),
        ("events", format!("{own}/events")),
    ]);
    if matches!(export.status(), Status::Queued | Status::Running) {
        links.insert("cancel", format!("{own}/cancel"));
    }
    if gate::offer(
        state,
        tenant,
        export,
        &gate::Holder::Caller(&viewer.caller),
        now,
    )
    .is_ok()
    {
        links.insert("download", format!("{own}/download"));
        if !export.revocations.is_final() {
            links.insert("download_link", format!("{own}/download-link"));
        }
    }
    links.insert("self", own);
    links
}

fn reason(stage: &Stage) -> Option<Reason> {
    match stage {
        Stage::Failed(ending) | Stage::Cancelled(ending) => Some(Reason {
            code: ending.code.clone(),
            detail: detail(&ending.code, &ending.parameters),
        }),
        Stage::Queued {
            last_failure: Some(code),
            ..
        } => Some(Reason {
            code: code.clone(),
            detail: detail(code, &Parameters::new()),
        }),
        Stage::Queued { .. } | Stage::Running(_) | Stage::Completed(_) | Stage::Expired(_) => None,
    }
}

pub(super) fn waiting(waits: &QueuePosition) -> Reason {
    let detail = match waits.reason {
        carnet_actors::WaitReason::FreeWorker => {
            format!("Waits for a free worker; {} before it.", waits.ahead)
        }
        carnet_actors::WaitReason::Until(at) => {
            format!("Will be tried again at {at}.")
        }
        carnet_actors::WaitReason::Draining => {
            "The service takes no work at the moment.".to_owned()
        }
        carnet_actors::WaitReason::ClockSkewed => {
            "The service's clock is wrong; it decides nothing until that is mended.".to_owned()
        }
    };
    Reason {
        code: waits.reason.code().to_owned(),
        detail,
    }
}

/// A failure in words: the code's own, and its parameters, which are names of ours and never exported values.
fn detail(code: &str, parameters: &Parameters) -> String {
    let mut text = code.replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let mut separator = ": ";
    for (name, value) in parameters {
        text.push_str(separator);
        text.push_str(&format!("{name} {value}"));
        separator = ", ";
    }
    text.push('.');
    text
}

pub(super) fn progress_view(progress: &Progress) -> ProgressView {
    let phase = match progress.phase {
        carnet_events::domain::export::Phase::Preparing => "preparing",
        carnet_events::domain::export::Phase::Reading => "reading",
        carnet_events::domain::export::Phase::Storing => "storing",
    };
    ProgressView {
        phase: phase.to_owned(),
        category: progress.category.clone(),
        rows: progress.rows,
        bytes: progress.bytes,
    }
}

fn artifact(published: &carnet_events::domain::export::Published) -> ArtifactView {
    let file = &published.artifact;
    ArtifactView {
        bytes: file.bytes,
        sha256: file.sha256.to_string(),
        media_type: file.media_type.clone(),
        json_bytes: file.json_bytes,
        json_sha256: file.json_sha256.to_string(),
        checksum: file.checksum.to_string(),
        rows: published
            .categories
            .iter()
            .map(|(id, result)| (id.clone(), result.rows))
            .collect(),
    }
}

fn kind(kind: ExportKind) -> &'static str {
    match kind {
        ExportKind::Account => "account",
        ExportKind::Snapshot => "snapshot",
        ExportKind::Subject => "subject",
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::User => "user",
        Origin::Schedule => "schedule",
        Origin::Operator => "operator",
    }
}

fn compression(layers: &[Layer]) -> &'static str {
    match layers {
        [Layer::Gzip, ..] => "gzip",
        [Layer::Zstd, ..] => "zstd",
        [] => "none",
    }
}
