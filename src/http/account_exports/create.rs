//! `POST /api/account-exports`

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::{Admission, AdmitRequest};
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request, Scope};
use carnet_events::domain::tenant::IdempotencyKey;
use carnet_events::ids::{Digest, ExportId};
use serde::{Deserialize, Serialize};

use super::catalog::format_name;
use super::gate;
use super::job::Job;
use crate::config::Compression;
use crate::http::admission::{check_categories, refused};
use crate::http::authenticate::SignedIn;
use crate::http::body;
use crate::http::codes::Code;
use crate::http::conditional::single;
use crate::http::csrf;
use crate::http::problem::Problem;
use crate::http::reason;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_KEY_BYTES: usize = 255;
/// More categories than any catalog has.
const MAX_CATEGORIES: usize = 256;
const MAX_NAME_BYTES: usize = 128;

/// What is asked for.
#[derive(Debug, Clone, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewExport {
    /// Ids of the categories, at least one.
    pub(in crate::http) categories: Vec<String>,
    /// `json`; the service's default otherwise.
    pub(in crate::http) format: Option<String>,
    /// `gzip`, `zstd` or `none`; the service's default otherwise.
    pub(in crate::http) compression: Option<String>,
    /// The part of the tenant to limit the export to.
    pub(in crate::http) scope: Option<String>,
    /// Why, in the caller's own words; kept apart from the audit log, and erased when the tenant is purged.
    pub(in crate::http) reason: Option<String>,
    /// The export that this one is to make up for; pages know it.
    #[serde(skip)]
    pub(in crate::http) retry_of: Option<ExportId>,
}

/// Asks for an export. Durable before it is answered; goes on if the client doesn't wait.
#[utoipa::path(post, path = "/api/account-exports", operation_id = "createExport", tag = "Account exports", params(
    ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key and request within 24 h give the same job"),
), request_body = NewExport, responses(
    (status = 202, description = "Accepted; `Location` names the job", body = Job),
    (status = 403, description = "tenant_closed"),
    (status = 409, description = "export_in_progress, with `active_export_id`"),
    (status = 413, description = "body_too_large"),
    (status = 422, description = "unknown_category, unsupported_option or idempotency_mismatch"),
    (status = 429, description = "limit_user or limit_tenant, with `next_allowed_at` and Retry-After"),
    (status = 503, description = "storage_unverified, intake_paused, store_unavailable or overloaded, with Retry-After"),
))]
pub(super) async fn post(
    request: HttpRequest,
    caller: SignedIn,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export)
        .await?
        .admit(&state, "exports")
        .await?;
    csrf::check(&request, &viewer.caller)?;
    let key = idempotency_key(&request)?;
    let asked: NewExport = body::json(&request, payload).await?;
    let export = ask(&state, &viewer, asked, key).await?;
    accepted(&state, &viewer, export).await
}

/// Asks for an export on behalf of someone admitted, who sent the request as JSON or as a page's form.
///
/// # Errors
/// Why it wasn't accepted.
pub(in crate::http) async fn ask(
    state: &AppState,
    viewer: &Viewer,
    asked: NewExport,
    key: Option<String>,
) -> Result<ExportId, Problem> {
    let admit = admission(state, viewer, asked, key).await?;
    match state.system.admit(admit, viewer.cause.clone()).await? {
        Admission::Accepted { export, .. } => Ok(export),
        Admission::Refused(refusal) => Err(refused(state.clock.now(), &refusal, |whose| {
            viewer.is_theirs(whose)
        })),
    }
}

async fn accepted(
    state: &AppState,
    viewer: &Viewer,
    export: ExportId,
) -> Result<HttpResponse, Problem> {
    let found = state.system.export(export).await?.ok_or(Code::Internal)?;
    let job = Job::live(state, viewer, &found).await?;
    Ok(HttpResponse::Accepted()
        .insert_header((header::LOCATION, format!("/api/account-exports/{export}")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(job))
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    if !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return Ok(None);
    }
    let key = single(request.headers(), &IDEMPOTENCY_KEY).unwrap_or_default();
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::malformed(
            "`Idempotency-Key` must be one value of 1 to 255 visible ASCII characters.",
        ));
    }
    Ok(Some(key.to_owned()))
}

async fn admission(
    state: &AppState,
    viewer: &Viewer,
    mut asked: NewExport,
    key: Option<String>,
) -> Result<AdmitRequest, Problem> {
    check_form(&asked)?;
    asked.categories.sort_unstable();
    asked.categories.dedup();
    let key = match key {
        Some(key) => Some(remembered(state, viewer, &key, &asked).await?),
        None => None,
    };
    let format = format(state, asked.format.as_deref())?;
    let layers = layers(state, asked.compression.as_deref())?;
    let (categories, policy_digests) = check_categories(
        state,
        &viewer.tenant,
        (&asked.categories, asked.scope.is_some()),
        |category| gate::may_export(&viewer.caller, category),
    );
    Ok(AdmitRequest {
        request: Request {
            tenant: viewer.tenant.clone(),
            principal: viewer.principal.clone(),
            origin: Origin::User,
            kind: ExportKind::Account,
            categories: asked.categories,
            scope: asked.scope.map(|id| Scope { id }),
            format,
            layers,
            policy_digests,
            retry_of: asked.retry_of,
        },
        categories,
        key,
        limits: state.config.limits.for_domain(),
        reason: asked.reason,
    })
}

/// What the log remembers of a key and the request that came with it. People wrote both; so their digests are keyed, for a
/// plain one would let a guess be confirmed for ever.
async fn remembered(
    state: &AppState,
    viewer: &Viewer,
    key: &str,
    asked: &NewExport,
) -> Result<IdempotencyKey, Problem> {
    let key = format!("{}\0POST /api/account-exports\0{key}", viewer.principal);
    let (system, tenant) = (&state.system, &viewer.tenant);
    let fingerprint = async |asked: &NewExport| {
        let request = serde_json::to_vec(asked)
            .map_err(|error| Problem::internal("a request can't be written", &error))?;
        Ok::<Digest, Problem>(system.keyed_digest(tenant, &request).await?)
    };
    let mut alike = Vec::new();
    for asked in spellings(state, asked) {
        alike.push(fingerprint(&asked).await?);
    }
    Ok(IdempotencyKey {
        key: system.keyed_digest(tenant, key.as_bytes()).await?,
        fingerprint: fingerprint(asked).await?,
        alike,
    })
}

/// A request in every way to spell it: a default means the same written as left out. What is written now may have been left
/// out before, when it was the default; whether it was is told by what was made of it.
fn spellings(state: &AppState, asked: &NewExport) -> Vec<NewExport> {
    let artifacts = &state.config.artifacts;
    let both = |asked: &Option<String>, default: &str| match asked.as_deref() {
        None => vec![None, Some(default.to_owned())],
        Some(_) => vec![asked.clone(), None],
    };
    let formats = both(&asked.format, format_name(artifacts.format));
    let compressions = both(&asked.compression, compression_name(artifacts.compression));
    let mut all = Vec::new();
    for format in &formats {
        for compression in &compressions {
            all.push(NewExport {
                format: format.clone(),
                compression: compression.clone(),
                ..asked.clone()
            });
        }
    }
    all
}

fn check_form(asked: &NewExport) -> Result<(), Problem> {
    let name = |text: &String| {
        (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
    };
    if asked.categories.is_empty()
        || asked.categories.len() > MAX_CATEGORIES
        || !asked.categories.iter().all(name)
    {
        return Err(Problem::malformed(format!(
            "`categories` must name 1 to {MAX_CATEGORIES} categories."
        )));
    }
    if asked.scope.as_ref().is_some_and(|scope| !name(scope)) {
        return Err(Problem::malformed("`scope` must have 1 to 128 bytes."));
    }
    let reason = asked.reason.as_deref();
    if reason.is_some_and(|reason| !reason::fits(reason)) {
        return Err(Problem::malformed(format!(
            "`reason` may have {} characters.",
            reason::MAX_CHARACTERS
        )));
    }
    Ok(())
}

fn format(state: &AppState, asked: Option<&str>) -> Result<Format, Problem> {
    match asked {
        None => Ok(state.config.artifacts.format),
        Some("json") => Ok(Format::Json),
        Some(_) => Err(Problem::new(
            Code::UnsupportedOption,
            "`format` must be json.",
        )),
    }
}

fn layers(state: &AppState, asked: Option<&str>) -> Result<Vec<Layer>, Problem> {
    let compression = match asked {
        None => state.config.artifacts.compression,
        Some("gzip") => Compression::Gzip,
        Some("zstd") => Compression::Zstd,
        Some("none") => Compression::None,
        Some(_) => {
            return Err(Problem::new(
                Code::UnsupportedOption,
                "`compression` must be gzip, zstd or none.",
            ));
        }
    };
    Ok(match compression {
        Compression::Gzip => vec![Layer::Gzip],
        Compression::Zstd => vec![Layer::Zstd],
        Compression::None => Vec::new(),
    })
}

fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::None => "none",
    }
}
