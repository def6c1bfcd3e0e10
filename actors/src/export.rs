//! The actor of one export.
//!
//! Its state is the fold of the stream `export-{id}`, and it is the one in this process that decides on it. Commands are
//! carried out one after the other ([`AtomicResponse`]), so they rarely conflict with each other.
//!
//! Queue: unbounded by actix's nature, bounded by who asks. For one export these are a runner's reports (one at a time),
//! a round of the timers and commands from outside, which the system's semaphore bounds.

use std::sync::Arc;

use actix::{
    Actor, ActorFutureExt, AtomicResponse, Context, ContextFutureSpawner, Handler, Message,
    WrapFuture,
};
use carnet_events::domain::export::{ExportCommand, ExportDecider, ExportState};
use carnet_events::ids::ExportId;
use carnet_events::stream::StreamName;

use crate::journal::{Answer, Command, Fold, Journal};
use crate::registry::Entity;
use crate::shared::Shared;

/// One export.
pub(crate) struct ExportActor {
    stream: StreamName,
    shared: Arc<Shared>,
    fold: Fold<ExportState>,
}

/// Carry out a command; the answer comes with the state after it.
#[derive(Message)]
#[rtype(result = "ExportAnswer")]
pub(crate) struct CommandExport(pub(crate) Command<ExportCommand>);

/// What came of a command, and the state as it is now.
pub(crate) type ExportAnswer = (Answer<ExportDecider>, Fold<ExportState>);

impl Entity for ExportActor {
    type Key = ExportId;

    fn new(id: ExportId, shared: Arc<Shared>) -> Self {
        Self {
            stream: StreamName::export(id),
            shared,
            fold: Journal::<ExportDecider>::initial(),
        }
    }
}

impl Actor for ExportActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (shared, stream) = (Arc::clone(&self.shared), self.stream.clone());
        let hydrate = async move { shared.exports.load(&stream).await };
        let hydrate = hydrate.into_actor(self).map(|loaded, actor, _| {
            // What can't be read now is read, or reported, by the first command.
            if let Ok(fold) = loaded {
                actor.fold = fold;
            }
        });
        hydrate.wait(ctx);
    }
}

impl Handler<CommandExport> for ExportActor {
    type Result = AtomicResponse<Self, ExportAnswer>;

    fn handle(&mut self, message: CommandExport, _: &mut Context<Self>) -> Self::Result {
        let (shared, stream) = (Arc::clone(&self.shared), self.stream.clone());
        let mut fold = self.fold.clone();
        let work = async move {
            let answer = shared.exports.execute(&stream, &mut fold, &message.0).await;
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
