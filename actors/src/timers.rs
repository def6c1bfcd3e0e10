//! What is done because its time has come: recording that a download window is over, and deleting files afterwards.
//!
//! The worklist says where to look; each act is decided from the stream. Deletion is three steps (`deletion_started`,
//! delete, `artifact_deleted`), each of which may be repeated, so a crash between any two is made up for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use carnet_events::domain::export::{Deletion, DeletionCause, Export, ExportCommand};
use carnet_events::ids::{ExportId, TenantId};
use carnet_events::stream::StreamName;
use futures::{StreamExt, stream};

use crate::error::Error;
use crate::journal::CommandError;
use crate::ports::{Due, DueAction};
use crate::rotation::Rotation;
use crate::shared::Shared;

/// Due acts in work at once: enough to hide the store's latency, few enough to leave it to others.
const AT_ONCE: usize = 8;

/// Pages of a list that are gone through in one round. One alone would let as many exports end per round as a page holds,
/// which is fewer than a busy node finishes.
const PAGES: usize = 16;

/// Where each of the lists is at.
#[derive(Default)]
pub(crate) struct Timers {
    expire: Rotation,
    delete: Rotation,
    finish: Rotation,
}

impl Timers {
    /// Does what is due now.
    pub(crate) async fn round(&mut self, shared: &Arc<Shared>) {
        if shared.gate.may_decide().is_err() {
            return;
        }
        let now = shared.ports.clock.now();
        let deletable = now.minus(shared.options.deletion_delay);
        for (list, action, ended_by) in [
            (&mut self.expire, DueAction::Expire, now),
            (&mut self.finish, DueAction::FinishDeleting, now),
            (&mut self.delete, DueAction::Delete, deletable),
        ] {
            for _ in 0..PAGES {
                let (worklist, limit) = (&shared.ports.worklist, shared.options.page);
                match worklist.due(action, ended_by, list.after(), limit).await {
                    Ok(page) => all(shared, action, list.turn(page)).await,
                    Err(error) => {
                        tracing::warn!(%error, ?action, "what is due can't be told");
                        break;
                    }
                }
                if list.after().is_none() {
                    break;
                }
            }
        }
    }
}

async fn all(shared: &Arc<Shared>, action: DueAction, due: Vec<Due>) {
    let (waiting, is_deletion) = (&AtomicUsize::new(0), action != DueAction::Expire);
    stream::iter(due)
        .for_each_concurrent(AT_ONCE, |due| async move {
            if is_deletion && !shared.ports.runner.storage_answers(&due.tenant) {
                waiting.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let done = match action {
                DueAction::Expire => {
                    command(shared, &due.tenant, due.export, ExportCommand::Expire).await
                }
                DueAction::Delete | DueAction::FinishDeleting => {
                    delete(shared, &due.tenant, due.export, DeletionCause::Expired).await
                }
            };
            if let Err(error) = done {
                tracing::warn!(export = %due.export, %error, ?action, "a due act failed");
            }
        })
        .await;
    let files = waiting.load(Ordering::Relaxed);
    if files > 0 {
        tracing::warn!(
            files,
            "due files are left until their storage answers again"
        );
    }
}

/// Deletes an export's file, if it may be deleted for this cause or its deletion was begun.
pub(crate) async fn delete(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    export: ExportId,
    cause: DeletionCause,
) -> Result<(), Error> {
    let stream = StreamName::export(export);
    let fold = shared.exports.load(&stream).await?;
    let Some(key) = fold
        .state
        .export()
        .and_then(|export| deletable(shared, export, cause))
    else {
        return Ok(());
    };
    // Told from memory. One storage that doesn't answer would keep everybody's files, a minute for each of its own.
    if !shared.ports.runner.storage_answers(tenant) {
        return Err(Error::unavailable("the artifact storage doesn't answer"));
    }
    let begin = ExportCommand::StartDeletion { cause };
    command(shared, tenant, export, begin).await?;
    // Only a durable `deletion_started` allows it: from then on a hold comes too late.
    let fold = shared.exports.load(&stream).await?;
    let begun = |export: &Export| matches!(export.deletion, Deletion::Started { .. });
    if !fold.state.export().is_some_and(begun) {
        return Ok(());
    }
    let deleted = shared.removed(shared.ports.runner.delete(&key));
    deleted
        .await
        .map_err(|failure| Error::unavailable(failure.reason))?;
    command(shared, tenant, export, ExportCommand::RecordDeletion).await
}

/// The key of the file, if its deletion is due or was begun.
fn deletable(shared: &Shared, export: &Export, cause: DeletionCause) -> Option<String> {
    let published = export.published()?;
    let now = shared.ports.clock.now();
    let over = match cause {
        DeletionCause::Expired => published
            .expires_at
            .is_some_and(|end| now >= end.plus(shared.options.deletion_delay)),
        DeletionCause::Purged | DeletionCause::Operator => true,
    };
    let due = match &export.deletion {
        Deletion::Kept => over && !export.held,
        Deletion::Started { .. } => true,
        Deletion::Done { .. } => false,
    };
    due.then(|| published.artifact.key.clone())
}

/// Carries the command out; that it isn't possible any more is as good.
async fn command(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    export: ExportId,
    what: ExportCommand,
) -> Result<(), Error> {
    let command = shared.own_command(tenant, what);
    match shared.command_export(export, command).await?.0 {
        Ok(_) => Ok(()),
        Err(CommandError::Illegal(illegal)) => {
            tracing::debug!(%export, %illegal, "the worklist was behind");
            Ok(())
        }
        Err(CommandError::Failed(error)) => Err(error),
    }
}
