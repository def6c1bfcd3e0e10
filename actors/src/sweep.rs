//! What may become of stored objects that belong to no published artifact.

use std::sync::Arc;

use async_trait::async_trait;
use carnet_events::domain::export::{Deletion, Export, Stage};
use carnet_events::ids::ExportId;
use carnet_events::stream::StreamName;

use crate::attempt::is_void;
use crate::ports::{SweepJudge, Verdict};
use crate::shared::Shared;

/// Has the storage swept.
pub(crate) async fn round(shared: &Arc<Shared>) {
    // Younger objects are left alone: whoever made them may be about to publish them.
    let before = shared.ports.clock.now().minus(shared.options.sweep_after);
    let judge = Arc::new(Judge(Arc::clone(shared)));
    match shared.ports.runner.sweep(before, judge).await {
        Ok(report) => {
            let (removed, kept, unknown) = (report.removed, report.kept, report.unknown);
            tracing::info!(removed, kept, unknown, "storage swept");
        }
        Err(error) => tracing::warn!(%error, "the storage was not swept"),
    }
}

struct Judge(Arc<Shared>);

#[async_trait]
impl SweepJudge for Judge {
    async fn judge(&self, export: ExportId, attempt: u32, key: &str) -> Verdict {
        match self.0.exports.load(&StreamName::export(export)).await {
            Ok(fold) => match fold.state.export() {
                Some(export) => verdict(export, attempt, key),
                None => Verdict::Unknown,
            },
            Err(_) => Verdict::Keep,
        }
    }
}

fn verdict(export: &Export, attempt: u32, key: &str) -> Verdict {
    let deleted = matches!(export.deletion, Deletion::Done { .. });
    // Nobody runs it, and whoever runs it next has a higher number.
    let given_up = matches!(export.stage, Stage::Queued { .. }) && attempt <= export.attempt;
    let published = export
        .published()
        .is_some_and(|published| published.artifact.key == key);
    if is_void(export, attempt, key) || given_up || (published && deleted) {
        Verdict::Remove
    } else {
        Verdict::Keep
    }
}
