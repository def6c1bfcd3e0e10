//! `GET /api/account-exports/catalog`

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::request::Format;
use carnet_events::domain::tenant::window::Window;
use carnet_events::domain::tenant::{Refusal, Tenant};
use serde::Serialize;

use super::{gate, rfc3339};
use crate::export::catalog::{Category, Rule};
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

/// What a file's format may be.
pub(in crate::http) const FORMATS: [&str; 1] = ["json"];
/// What may be wrapped around it.
pub(in crate::http) const COMPRESSIONS: [&str; 3] = ["gzip", "zstd", "none"];

/// A format's name in requests and answers.
pub(in crate::http) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Json => "json",
    }
}

/// What the caller may export, and the limits with what is left of them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CatalogView {
    categories: Vec<CategoryView>,
    formats: Vec<&'static str>,
    compressions: Vec<&'static str>,
    limits: LimitsView,
    /// Whether a request would be accepted now.
    can_request: bool,
    /// The code it would be refused with, if not.
    blocked_by: Option<&'static str>,
    /// When the tenant's newest export was accepted.
    last_export_at: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CategoryView {
    id: String,
    title: String,
    module: Option<String>,
    /// Whether it can be limited to a part of the tenant.
    scoped: bool,
    /// What its policy leaves out or changes.
    policy: PolicyView,
}

/// Columns by what happens to them; those in none of these lists are exported as they are.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct PolicyView {
    /// Left out.
    dropped: Vec<String>,
    /// Made unreadable, but perhaps for their last characters.
    masked: Vec<String>,
    /// Replaced by a code that is the same for the same value.
    hashed: Vec<String>,
    /// Cleaned of secrets and phone numbers.
    scanned: Vec<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LimitsView {
    per_user: WindowView,
    per_tenant: WindowView,
    active_per_user: u32,
    active_per_tenant: u32,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct WindowView {
    /// Exports that may be accepted in the window.
    limit: u32,
    /// Exports accepted in it so far.
    accepted: u32,
    /// What is left, exemptions included.
    remaining: u32,
    /// The window's length in seconds.
    window_seconds: u64,
    /// When the next request fits, if none does now.
    next_allowed_at: Option<String>,
}

/// What the caller may export, and what is left of the limits.
#[utoipa::path(get, path = "/api/account-exports/catalog", operation_id = "getCatalog", tag = "Account exports", responses(
    (status = 200, description = "Categories, formats and limits", body = CatalogView),
))]
pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export)
        .await?
        .admit(&state, "catalog")
        .await?;
    let limits = state.config.limits.for_domain();
    let system = &state.system;
    let standing = system
        .standing(&viewer.tenant, &viewer.principal, &limits)
        .await?;
    let (tenant, windows) = (&standing.view.tenant, &standing.windows);
    let categories: Vec<CategoryView> = open_to(&state, &viewer, tenant)
        .map(|category| CategoryView {
            id: category.id().to_owned(),
            title: category.title.clone(),
            module: category.module.clone(),
            scoped: category.rules.binds_scope,
            policy: policy(category),
        })
        .collect();
    let blocked = blocked_by(standing.blocked_by.as_ref(), categories.is_empty());
    let view = CatalogView {
        categories,
        formats: FORMATS.to_vec(),
        compressions: COMPRESSIONS.to_vec(),
        limits: LimitsView {
            per_user: window(&windows.user, limits.per_user.window_ms),
            per_tenant: window(&windows.tenant, limits.per_tenant.window_ms),
            active_per_user: limits.active_per_user,
            active_per_tenant: limits.active_per_tenant,
        },
        can_request: blocked.is_none(),
        blocked_by: blocked,
        last_export_at: tenant.last_admitted.as_ref().map(|last| rfc3339(last.at)),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(view))
}

/// The column that proves whose rows they are is left out of this as it is of the file: it tells nothing.
fn policy(category: &Category) -> PolicyView {
    let rules = &category.rules;
    let identity = [&rules.tenant_column, &rules.subject_column];
    let mut view = PolicyView::default();
    for column in &rules.columns {
        let list = match column.rule {
            Rule::Keep => continue,
            Rule::Drop if identity.contains(&&Some(column.name.clone())) => continue,
            Rule::Drop => &mut view.dropped,
            Rule::Mask { .. } => &mut view.masked,
            Rule::Hash => &mut view.hashed,
            Rule::Scan { .. } => &mut view.scanned,
        };
        list.push(column.name.clone());
    }
    view
}

/// The code that a request would be refused with. Who may export nothing is told so where a request's categories would be
/// looked at: after what the tenant and the service have against it, and before limits.
fn blocked_by(refusal: Option<&Refusal>, nothing: bool) -> Option<&'static str> {
    match refusal {
        Some(
            Refusal::IdempotencyMismatch
            | Refusal::TenantClosed
            | Refusal::IntakePaused
            | Refusal::StorageUnverified
            | Refusal::UnknownCategories { .. }
            | Refusal::ScopeUnsupported,
        ) => refusal.map(Refusal::code),
        Some(Refusal::InProgress { .. } | Refusal::LimitReached { .. }) | None if nothing => {
            Some(Code::UnknownCategory.as_str())
        }
        Some(Refusal::InProgress { .. } | Refusal::LimitReached { .. }) => {
            refusal.map(Refusal::code)
        }
        None => None,
    }
}

/// The categories that are there for the viewer: permitted, and of a module that is on.
pub(in crate::http) fn open_to<'a>(
    state: &'a AppState,
    viewer: &'a Viewer,
    tenant: &'a Tenant,
) -> impl Iterator<Item = &'a Arc<Category>> {
    state.catalog.categories().filter(move |category| {
        gate::may_export(&viewer.caller, category)
            && gate::is_on(state, tenant, &viewer.tenant, category)
    })
}

fn window(window: &Window, window_ms: u64) -> WindowView {
    WindowView {
        limit: window.limit,
        accepted: window.accepted,
        remaining: window.remaining(),
        window_seconds: window_ms / 1000,
        next_allowed_at: window.next_allowed_at.map(rfc3339),
    }
}
