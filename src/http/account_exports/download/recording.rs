//! What the log is told of a download: that it began, how it ended, that it was refused.

use actix_web::web;
use carnet_events::domain::access::{AccessEvent, DownloadBlocked, DownloadEnded, Downloaded};
use carnet_events::ids::ExportId;

use super::Downloader;
use crate::export::artifact::read::{Damage, End, Ended, OnEnd};
use crate::http::account_exports::gate::Blocked;
use crate::http::problem::Problem;
use crate::http::state::AppState;

pub(in crate::http::account_exports) async fn record_start(
    state: &AppState,
    downloader: &Downloader,
    id: ExportId,
    representation: &str,
    partial: bool,
) -> Result<(), Problem> {
    let event = Downloaded {
        principal: downloader.principal.clone(),
        export: id,
        representation: representation.to_owned(),
        link: downloader.link.clone(),
        partial,
    };
    Ok(state
        .system
        .record_access(
            &downloader.tenant,
            AccessEvent::Downloaded(event),
            &downloader.cause,
        )
        .await?)
}

/// Told when the stream ends or is dropped, from wherever that happens: what it has to say is said by a task of its own.
pub(super) fn record_end(
    state: web::Data<AppState>,
    downloader: Downloader,
    id: ExportId,
    length: u64,
) -> OnEnd {
    let runtime = tokio::runtime::Handle::try_current();
    Box::new(move |ended: Ended| {
        if let Ok(runtime) = runtime {
            runtime.spawn(async move { ended_as(&state, downloader, id, length, ended).await });
        }
    })
}

async fn ended_as(
    state: &AppState,
    downloader: Downloader,
    id: ExportId,
    length: u64,
    ended: Ended,
) {
    let complete = ended.end == End::Complete && ended.bytes == length;
    if let End::Damaged(damage) = &ended.end {
        tracing::error!(export_id = %id, damage = %damage, "an artifact is damaged; a download was broken off");
        if let Err(error) = state
            .system
            .record_damage(
                id,
                damage.block(),
                *damage == Damage::Document,
                downloader.cause.clone(),
            )
            .await
        {
            tracing::warn!(export_id = %id, error = %error, "the damage couldn't be recorded");
        }
    }
    if let End::Failed(reason) = &ended.end {
        tracing::error!(export_id = %id, reason, "a download was broken off");
    }
    let event = DownloadEnded {
        principal: downloader.principal,
        export: id,
        bytes: ended.bytes,
        complete,
    };
    if let Err(error) = state
        .system
        .record_access(
            &downloader.tenant,
            AccessEvent::DownloadEnded(event),
            &downloader.cause,
        )
        .await
    {
        tracing::debug!(export_id = %id, error = %error, "the end of a download couldn't be recorded");
    }
}

/// Records that a download was refused, and gives the answer.
pub(in crate::http::account_exports) async fn refuse(
    state: &AppState,
    downloader: &Downloader,
    id: ExportId,
    blocked: Blocked,
) -> Problem {
    let event = DownloadBlocked {
        principal: downloader.principal.clone(),
        export: id,
        code: blocked.code.as_str().to_owned(),
        categories: blocked.categories,
    };
    match state
        .system
        .record_access(
            &downloader.tenant,
            AccessEvent::DownloadBlocked(event),
            &downloader.cause,
        )
        .await
    {
        Ok(()) => blocked.code.into(),
        Err(error) => error.into(),
    }
}
