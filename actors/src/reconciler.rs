//! Makes up for what a crash left out between the two streams of an admission: a missing `requested`, a missing
//! `export_released`.

use std::sync::Arc;

use carnet_events::stream::StreamName;

use crate::admission;
use crate::error::Error;
use crate::ports::Unreleased;
use crate::rotation::Rotation;
use crate::shared::Shared;

/// Where each of the lists is at.
#[derive(Default)]
pub(crate) struct Reconciler {
    open: Rotation,
    unreleased: Rotation,
}

impl Reconciler {
    /// Repeats the steps that are missing.
    pub(crate) async fn round(&mut self, shared: &Arc<Shared>) {
        if shared.gate.may_decide().is_err() {
            return;
        }
        let (worklist, limit) = (&shared.ports.worklist, shared.options.page);
        match worklist.open_admissions(self.open.after(), limit).await {
            Ok(page) => {
                for one in self.open.turn(page) {
                    if let Err(error) =
                        admission::finish(shared, &one.tenant, one.export, None).await
                    {
                        tracing::warn!(export = %one.export, %error, "an admitted export is not queued yet");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "open admissions can't be told"),
        }
        match worklist.unreleased(self.unreleased.after(), limit).await {
            Ok(page) => {
                for one in self.unreleased.turn(page) {
                    if let Err(error) = release(shared, &one).await {
                        tracing::warn!(export = %one.export, %error, "a settled export can't be read");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "unreleased exports can't be told"),
        }
    }
}

async fn release(shared: &Arc<Shared>, one: &Unreleased) -> Result<(), Error> {
    let fold = shared.exports.load(&StreamName::export(one.export)).await?;
    if let Some(outcome) = fold.state.export().and_then(|export| export.outcome()) {
        shared.release(&one.tenant, one.export, outcome).await;
    }
    Ok(())
}
