//! Makes up for what a crash left out between the two streams of an admission: a missing `requested`, a missing
//! `export_released`.

use std::sync::Arc;

use carnet_events::stream::StreamName;

use crate::admission;
use crate::error::Error;
use crate::ports::Unreleased;
use crate::rounds::PAGE;
use crate::shared::Shared;

/// Repeats the steps that are missing.
pub(crate) async fn round(shared: &Arc<Shared>) {
    if shared.gate.may_decide().is_err() {
        return;
    }
    match shared.ports.worklist.open_admissions(PAGE).await {
        Ok(open) => {
            for one in open {
                if let Err(error) = admission::finish(shared, &one.tenant, one.export, None).await {
                    tracing::warn!(export = %one.export, %error, "an admitted export is not queued yet");
                }
            }
        }
        Err(error) => tracing::warn!(%error, "open admissions can't be told"),
    }
    match shared.ports.worklist.unreleased(PAGE).await {
        Ok(unreleased) => {
            for one in unreleased {
                if let Err(error) = release(shared, &one).await {
                    tracing::warn!(export = %one.export, %error, "a settled export can't be read");
                }
            }
        }
        Err(error) => tracing::warn!(%error, "unreleased exports can't be told"),
    }
}

async fn release(shared: &Arc<Shared>, one: &Unreleased) -> Result<(), Error> {
    let fold = shared.exports.load(&StreamName::export(one.export)).await?;
    if let Some(outcome) = fold.state.export().and_then(|export| export.outcome()) {
        shared.release(&one.tenant, one.export, outcome).await;
    }
    Ok(())
}
