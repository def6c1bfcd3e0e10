//! Purging: when the grace window of a tenant that has cancelled is over, what it left here goes.
//!
//! Steps, each of which may be repeated, by any node: `purge_started`, from which on nothing is admitted, served or taken
//! back; every export is brought to an end and its file deleted; the directory, the one place that knows persons, is
//! erased; `purged`. A hold keeps its file, and with it the directory, until it is released. A crash between any two
//! steps is made up for by whoever looks next.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use carnet_events::codec::{Context, decode};
use carnet_events::domain::export::{Deletion, DeletionCause, Export, ExportCommand, Outcome};
use carnet_events::domain::tenant::{Lifecycle, Reply, TenantCommand, TenantEvent};
use carnet_events::ids::{ExportId, TenantId};
use carnet_events::stream::StreamName;
use futures::{StreamExt, stream};

use crate::admission;
use crate::directory::House;
use crate::dispatcher::Forget;
use crate::error::Error;
use crate::journal::{Command, CommandError};
use crate::shared::Shared;
use crate::tenant::CommandTenant;
use crate::timers;

/// Exports in work at once: enough to hide the store's latency, few enough to leave it to others.
const AT_ONCE: usize = 8;

/// The wait before a tenant is looked at again that could not be purged: a hold lasts for months, and looking means
/// looking at every export it ever had. The node at which a hold is released doesn't wait.
const LATER: Duration = Duration::from_secs(10 * 60);

/// Where the list of tenants is at, and those to be left alone for a while, by the monotonic clock.
#[derive(Default)]
pub(crate) struct Purges {
    after: Option<TenantId>,
    later: HashMap<TenantId, Duration>,
}

impl Purges {
    /// Purges tenants whose grace window is over.
    pub(crate) async fn round(&mut self, shared: &Arc<Shared>) {
        let (now, limit) = (shared.ports.clock.now(), shared.options.page);
        let ending = shared.ports.worklist.ending(now, self.after.take(), limit);
        let tenants = match ending.await {
            Ok(tenants) => tenants,
            Err(error) => {
                tracing::warn!(%error, "tenants to be purged can't be told");
                return;
            }
        };
        if tenants.len() >= limit {
            self.after = tenants.last().cloned();
        }
        let tick = shared.ports.clock.monotonic();
        let unheld = {
            let mut unheld = shared.unheld.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *unheld)
        };
        self.later
            .retain(|tenant, until| tick < *until && !unheld.contains(tenant));
        for tenant in tenants {
            if self.later.contains_key(&tenant) || shared.gate.may_decide().is_err() {
                continue;
            }
            match purge(shared, &tenant).await {
                Ok(Purge::Done) => tracing::info!(%tenant, "a tenant was purged"),
                Ok(Purge::Nothing) => {}
                Ok(Purge::Kept(files)) => {
                    tracing::warn!(%tenant, files, "holds, or files that can't be deleted, keep a tenant from being purged");
                    self.later.insert(tenant, tick + LATER);
                }
                Err(error) => {
                    tracing::warn!(%tenant, %error, "a tenant is not purged yet");
                    self.later.insert(tenant, tick + LATER);
                }
            }
        }
    }
}

/// What came of looking at a tenant.
enum Purge {
    /// Nothing of it is left.
    Done,
    /// There was nothing to do: it came back in time, or somebody else was faster.
    Nothing,
    /// So many files are kept by holds, or could not be deleted.
    Kept(usize),
}

async fn purge(shared: &Arc<Shared>, tenant: &TenantId) -> Result<Purge, Error> {
    let fold = shared.tenants.load(&StreamName::tenant(tenant)).await?;
    match fold.state.lifecycle {
        Lifecycle::Cancelled { .. } | Lifecycle::Purging => {}
        Lifecycle::Active | Lifecycle::Purged => return Ok(Purge::Nothing),
    }
    let context = cancellation(shared, tenant).await?;
    if command(shared, tenant, TenantCommand::StartPurge, &context)
        .await?
        .is_none()
    {
        return Ok(Purge::Nothing);
    }
    // Read after `purge_started` is durable: no export comes after these.
    match exports(shared, tenant).await? {
        0 => {}
        kept => return Ok(Purge::Kept(kept)),
    }
    let directory = StreamName::directory(tenant);
    shared.calls.erase(&directory).await?;
    shared.directory.forget(&House::Tenant(tenant.clone()));
    let finished = command(shared, tenant, TenantCommand::FinishPurge, &context).await?;
    Ok(match finished {
        Some(Reply::Done) => Purge::Done,
        _ => Purge::Nothing,
    })
}

/// The cancellation that the purge follows from.
async fn cancellation(shared: &Shared, tenant: &TenantId) -> Result<Context, Error> {
    let mut events = shared.calls.read_back(&StreamName::tenant(tenant));
    let mut context = Context {
        tenant: Some(tenant.clone()),
        ..Context::default()
    };
    while let Some(recorded) = shared.calls.next(&mut events).await? {
        let (metadata, event) = decode::<TenantEvent>(&recorded)?;
        if let TenantEvent::Cancelled(_) = event.what {
            context.causation = Some(recorded.id);
            context.correlation = metadata.correlation;
            context.trace = metadata.trace;
            break;
        }
    }
    Ok(context)
}

/// Carries the command out; `None` when the state doesn't allow it, as when the tenant came back in time.
async fn command(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    what: TenantCommand,
    context: &Context,
) -> Result<Option<Reply>, Error> {
    let command = Command::new(shared.ports.ids.random(), what, context.clone());
    let asked = shared
        .tenant_actors
        .ask(shared, tenant, CommandTenant(command));
    match asked.await?.0 {
        Ok(reply) => Ok(Some(reply)),
        Err(CommandError::Illegal(illegal)) => {
            tracing::debug!(%tenant, %illegal, "the worklist was behind");
            Ok(None)
        }
        Err(CommandError::Failed(error)) => Err(error),
    }
}

/// Ends all exports the tenant ever had and deletes their files; gives the number of files that are kept.
async fn exports(shared: &Arc<Shared>, tenant: &TenantId) -> Result<usize, Error> {
    let mut admitted = shared.calls.read_after(&StreamName::tenant(tenant), None);
    let mut ids = Vec::new();
    while let Some(recorded) = shared.calls.next(&mut admitted).await? {
        if let TenantEvent::ExportAdmitted(one) = decode::<TenantEvent>(&recorded)?.1.what {
            ids.push(one.export);
        }
    }
    let cleared = stream::iter(ids).map(|export| async move {
        let cleared = clear(shared, tenant, export).await;
        if let Err(error) = &cleared {
            tracing::warn!(%export, %error, "an export of a tenant that is purged can't be cleared yet");
        }
        cleared.unwrap_or(false)
    });
    let is_kept = |gone: &bool| std::future::ready(!gone);
    let kept = cleared.buffer_unordered(AT_ONCE).filter(is_kept);
    Ok(kept.count().await)
}

/// Ends an export and deletes its file; `false` when a hold keeps that.
async fn clear(shared: &Arc<Shared>, tenant: &TenantId, export: ExportId) -> Result<bool, Error> {
    let stream = StreamName::export(export);
    let mut fold = shared.exports.load(&stream).await?;
    if fold.state.export().is_none() {
        admission::finish(shared, tenant, export, None).await?;
        fold = shared.exports.load(&stream).await?;
    }
    if fold.state.export().is_some_and(is_gone) {
        return Ok(true);
    }
    if fold
        .state
        .export()
        .is_some_and(|one| one.outcome().is_none())
    {
        end(shared, tenant, export).await?;
    }
    timers::delete(shared, tenant, export, DeletionCause::Purged).await?;
    let fold = shared.exports.load(&stream).await?;
    Ok(fold.state.export().is_some_and(is_gone))
}

/// Ends an export that waits or runs; its runner, wherever it is, is fenced and leaves nothing behind.
async fn end(shared: &Arc<Shared>, tenant: &TenantId, export: ExportId) -> Result<(), Error> {
    let abort = ExportCommand::Abort {
        code: "tenant_purged".to_owned(),
        parameters: Default::default(),
        principal: None,
    };
    let command = shared.own_command(tenant, abort);
    match shared.command_export(export, command).await?.0 {
        Ok(_) => {
            shared.live.cancel(export);
            if let Some(dispatcher) = shared.dispatcher.get() {
                dispatcher.do_send(Forget(export));
            }
            shared.release(tenant, export, Outcome::Failed).await;
            Ok(())
        }
        // It was settled at the last moment.
        Err(CommandError::Illegal(_)) => Ok(()),
        Err(CommandError::Failed(error)) => Err(error),
    }
}

fn is_gone(export: &Export) -> bool {
    let deleted = matches!(export.deletion, Deletion::Done { .. });
    export.outcome().is_some() && (export.published().is_none() || deleted)
}
