//! Downloads straight from the bucket (`artifacts.downloads = "presigned"`): after the same checks and the same record the answer is a short-lived
//! address of the object, signed by the service.
//!
//! It takes the bytes off the service, and this with them:
//! - rights, the tenant's state and the window are checked when the address is given out, and no more while it is good;
//! - no block is held against its digest on the way: the document's own checksum, or `carnet verify`, tells;
//! - when the download ended, and whether it was complete, isn't known: there is a `downloaded`, and no `download_ended`.
//!
//! What a bucket can't do goes through the service as ever: decoding for clients that don't take the stored coding, `HEAD`, and whatever is
//! stored in a directory.

use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse};
use carnet_events::domain::export::Published;
use carnet_events::ids::{ExportId, Timestamp};
use secrecy::ExposeSecret as _;

use super::download::{Downloader, Representation, record_start};
use crate::config::Downloads;
use crate::export::artifact::read::ArtifactReader;
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The way to the bucket, if this download goes there.
pub(super) async fn redirect(
    request: &HttpRequest,
    state: &AppState,
    downloader: &Downloader,
    id: ExportId,
    (reader, published): (&ArtifactReader, &Published),
    form: &Representation,
) -> Result<Option<HttpResponse>, Problem> {
    if state.config.artifacts.downloads != Downloads::Presigned
        || request.method() != Method::GET
        || !form.is_as_stored()
    {
        return Ok(None);
    }
    let valid = valid_for(
        state.config.artifacts.presigned_ttl.get(),
        published.expires_at,
        state.clock.now(),
    );
    let address = match reader.presign(valid, &form.answered_with(id)).await {
        Ok(Some(address)) => address,
        Ok(None) => return Ok(None),
        Err(error) => {
            tracing::error!(export_id = %id, %error, "no address of the artifact storage can be signed");
            return Err(Problem::from(Code::StorageUnavailable).retry_after(Duration::from_secs(5)));
        }
    };
    let name = match form.name() {
        "stored" => "presigned_stored",
        _ => "presigned_json",
    };
    // Whatever range was asked for: the address is one of the whole file, and each that is given out is on record.
    record_start(state, downloader, id, name, false).await?;
    let response = HttpResponse::TemporaryRedirect()
        .insert_header((header::LOCATION, address.expose_secret()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::VARY, "Accept-Encoding"))
        .finish();
    Ok(Some(response))
}

/// As long as configured, and never longer than the file may be downloaded.
fn valid_for(ttl: Duration, expires_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = expires_at.map_or(ttl, |end| {
        let millis = end.as_millis().saturating_sub(now.as_millis());
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    });
    // A signature counts whole seconds, and none of it would be refused.
    ttl.min(left).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_good_for_longer_than_the_file() {
        let minute = Duration::from_secs(60);
        let at = Timestamp::from_millis;
        for (expires_at, valid) in [
            (None, 60),
            (Some(at(1_000_000)), 60),
            (Some(at(131_000)), 31),
            (Some(at(100_100)), 1),
            (Some(at(90_000)), 1),
        ] {
            let found = valid_for(minute, expires_at, at(100_000));
            assert_eq!(found, Duration::from_secs(valid), "{expires_at:?}");
        }
    }
}
