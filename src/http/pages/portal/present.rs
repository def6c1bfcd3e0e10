//! How things stand at this moment: limits, what is under way, and whether an export can be started.

use std::sync::Arc;

use carnet_actors::{ExportView, QueuePosition, Standing};
use carnet_events::domain::export::{Export, Progress, Status};
use carnet_events::domain::request::Request;
use carnet_events::domain::tenant::Refusal;
use carnet_events::ids::{ExportId, Timestamp};

use super::people::People;
use crate::http::account_exports::catalog;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// The most exports under way that a page shows; more than one is rare.
const MOST: usize = 20;

/// What the changing part of the page is rendered from.
pub(super) struct Present {
    pub(super) now: Timestamp,
    /// The tenant's name.
    pub(super) tenant: String,
    pub(super) standing: Standing,
    pub(super) active: Vec<Active>,
    /// There is something that the viewer may export.
    pub(super) has_categories: bool,
}

/// An export under way.
pub(super) enum Active {
    /// One of those the viewer may see.
    Shown(Box<Shown>),
    /// Somebody else's, of which only that it is there is told.
    Hidden,
}

pub(super) struct Shown {
    pub(super) id: ExportId,
    pub(super) export: Arc<Export>,
    /// Newer than what the export's events say.
    pub(super) progress: Option<Progress>,
    /// The rows that its categories had last time, when that is known of all of them.
    pub(super) expected: Option<u64>,
    pub(super) waits: Option<QueuePosition>,
    pub(super) who: String,
    /// Titles of its categories.
    pub(super) titles: Vec<String>,
    /// The title of the one being read.
    pub(super) reading: Option<String>,
}

impl Present {
    /// Looks at how things stand.
    pub(super) async fn look(state: &AppState, viewer: &Viewer) -> Result<Self, Problem> {
        let limits = state.config.limits.for_domain();
        let system = &state.system;
        let standing = system
            .standing(&viewer.tenant, &viewer.principal, &limits)
            .await?;
        let tenant = &standing.view.tenant;
        let mut people = People::new(state, viewer);
        let mut active = Vec::new();
        for found in standing.under_way.iter().take(MOST) {
            active.push(under_way(state, viewer, &mut people, found).await?);
        }
        let has_categories = catalog::open_to(state, viewer, tenant).next().is_some();
        Ok(Self {
            now: state.clock.now(),
            tenant: viewer.tenant.to_string(),
            has_categories,
            active,
            standing,
        })
    }

    /// Why no export can be started now.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        self.standing.blocked_by.as_ref()
    }

    /// The exports under way that the viewer may see.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Shown> {
        self.active.iter().filter_map(|active| match active {
            Active::Shown(shown) => Some(&**shown),
            Active::Hidden => None,
        })
    }
}

async fn under_way(
    state: &AppState,
    viewer: &Viewer,
    people: &mut People<'_>,
    found: &ExportView,
) -> Result<Active, Problem> {
    let ExportView { id, export, .. } = found.clone();
    if !viewer.may_see(&export) {
        return Ok(Active::Hidden);
    }
    let progress = state.system.live_progress(id);
    let progress = progress.map(|progress| progress.borrow().clone());
    let progress = progress.or_else(|| Some(export.running()?.progress.clone()));
    let waits = match export.status() {
        Status::Queued => state.system.queue_position(id).await,
        _ => None,
    };
    let request = &export.request;
    let expected = match export.status() {
        Status::Running => expected(state, request).await?,
        _ => None,
    };
    let reading = progress.as_ref().and_then(|p| p.category.as_deref());
    Ok(Active::Shown(Box::new(Shown {
        id,
        who: people.asker(request.origin, &request.principal).await?,
        titles: titles(state, &request.categories),
        reading: reading.map(|id| title(state, id)),
        progress,
        expected,
        waits,
        export,
    })))
}

/// The rows an export will have, if it has as many as last time. A part of the tenant has fewer, nobody knows how many.
async fn expected(state: &AppState, request: &Request) -> Result<Option<u64>, Problem> {
    if request.scope.is_some() {
        return Ok(None);
    }
    let exports = state.projections.exports();
    let last = exports.last_rows(request.tenant.clone()).await?;
    let rows = request.categories.iter().map(|id| Some(last.get(id)?.rows));
    Ok(rows.sum())
}

/// What people call a category.
pub(super) fn title(state: &AppState, id: &str) -> String {
    let category = state.catalog.get(id);
    category.map_or_else(|| id.to_owned(), |category| category.title.clone())
}

/// What people call categories.
pub(super) fn titles(state: &AppState, ids: &[String]) -> Vec<String> {
    ids.iter().map(|id| title(state, id)).collect()
}
