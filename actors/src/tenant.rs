//! The actor of one tenant: who may export, and how often.
//!
//! Its state is the fold of the stream `tenant-{id}`. Before it refuses a request because an export is active, it reads
//! that export's *stream*: a settled one is released in the batch that admits, one whose stream is missing gets it first
//! and counts as active. It never asks an Export actor, and none ever waits for a tenant, so they can't wait for each other.
//!
//! Queue: unbounded by actix's nature; the system's semaphore bounds the commands in work on the whole node.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::{
    Actor, ActorFutureExt, AtomicResponse, Context, ContextFutureSpawner, Handler, Message,
    WrapFuture,
};
use carnet_events::domain::export::Outcome;
use carnet_events::domain::tenant::{Tenant, TenantCommand, TenantDecider};
use carnet_events::ids::{ExportId, TenantId};
use carnet_events::stream::StreamName;

use crate::admission;
use crate::error::Error;
use crate::journal::{Answer, Command, Fold, Journal};
use crate::registry::Entity;
use crate::shared::Shared;

/// One tenant.
pub(crate) struct TenantActor {
    id: TenantId,
    stream: StreamName,
    shared: Arc<Shared>,
    fold: Fold<Tenant>,
}

/// Carry out a command; the answer comes with the state after it.
#[derive(Message)]
#[rtype(result = "TenantAnswer")]
pub(crate) struct CommandTenant(pub(crate) Command<TenantCommand>);

/// What came of a command, and the state as it is now.
pub(crate) type TenantAnswer = (Answer<TenantDecider>, Fold<Tenant>);

impl Entity for TenantActor {
    type Key = TenantId;

    fn new(id: TenantId, shared: Arc<Shared>) -> Self {
        Self {
            stream: StreamName::tenant(&id),
            id,
            shared,
            fold: Journal::<TenantDecider>::initial(),
        }
    }
}

impl Actor for TenantActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (shared, stream) = (Arc::clone(&self.shared), self.stream.clone());
        let hydrate = async move { shared.tenants.load(&stream).await };
        let hydrate = hydrate.into_actor(self).map(|loaded, actor, _| {
            // What can't be read now is read, or reported, by the first command.
            if let Ok(fold) = loaded {
                actor.fold = fold;
            }
        });
        hydrate.wait(ctx);
    }
}

impl Handler<CommandTenant> for TenantActor {
    type Result = AtomicResponse<Self, TenantAnswer>;

    fn handle(&mut self, message: CommandTenant, _: &mut Context<Self>) -> Self::Result {
        let (shared, id) = (Arc::clone(&self.shared), self.id.clone());
        let (stream, mut fold) = (self.stream.clone(), self.fold.clone());
        let mut command = message.0;
        let work = async move {
            let answer = match add_evidence(&shared, &id, &mut fold, &mut command.what).await {
                Ok(()) => shared.tenants.execute(&stream, &mut fold, &command).await,
                Err(error) => Err(error.into()),
            };
            (answer, fold)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(
            |(answer, fold), actor, _| {
                actor.fold = fold.clone();
                (answer, fold)
            },
        )))
    }
}

/// Gives an admission what the active exports' own streams say. An export whose stream is missing gets it now.
async fn add_evidence(
    shared: &Arc<Shared>,
    id: &TenantId,
    fold: &mut Fold<Tenant>,
    command: &mut TenantCommand,
) -> Result<(), Error> {
    if let TenantCommand::Admit(admit) = command {
        *fold = shared.tenants.load(&StreamName::tenant(id)).await?;
        let evidence = evidence(shared, &fold.state).await?;
        for export in evidence.missing {
            admission::finish(shared, id, export, None).await?;
        }
        admit.settled = evidence.settled;
    }
    Ok(())
}

/// What the streams of a tenant's active exports say.
#[derive(Default)]
struct Evidence {
    /// Those that are settled, and how.
    settled: BTreeMap<ExportId, Outcome>,
    /// Those that have no stream yet.
    missing: Vec<ExportId>,
}

/// Reads the streams of the tenant's active exports; there are few, by the limits.
async fn evidence(shared: &Arc<Shared>, tenant: &Tenant) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    for export in tenant.active.keys() {
        let fold = shared.exports.load(&StreamName::export(*export)).await?;
        match fold.state.export() {
            Some(state) => {
                let outcome = state.outcome().map(|outcome| (*export, outcome));
                evidence.settled.extend(outcome);
            }
            None => evidence.missing.push(*export),
        }
    }
    Ok(evidence)
}
