//! `GET /api/account-exports/{id}`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest;

use super::job::Job;
use crate::http::authenticate::SignedIn;
use crate::http::conditional::none_match_fails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

/// One export, as its events say at this moment.
#[utoipa::path(get, path = "/api/account-exports/{id}", operation_id = "getExport", tag = "Account exports", params(("id" = String, Path, description = "The export's id"),
    ("If-None-Match" = Option<String>, Header, description = "An earlier ETag"),
), responses(
    (status = 200, description = "The job, with an ETag", body = Job),
    (status = 304, description = "Unchanged"),
))]
pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "export").await?;
    let job = Job::live(&state, &viewer, &found).await?;
    let body = serde_json::to_vec(&job)
        .map_err(|error| Problem::internal("a job can't be written", &error))?;
    let tag = digest::digest(&digest::SHA256, &body);
    let etag = format!(
        "\"{}\"",
        hex::encode(tag.as_ref().get(..16).unwrap_or_default())
    );
    let unchanged = none_match_fails(request.headers(), &etag);
    let mut response = if unchanged {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((header::ETAG, etag))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if unchanged {
        // Nothing may follow its headers: a body would be read as the beginning of the next answer.
        return Ok(response.finish());
    }
    Ok(response.content_type("application/json").body(body))
}
