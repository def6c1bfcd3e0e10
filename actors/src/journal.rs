//! Load, decide, append, evolve, reply: how every decision is made.
//!
//! A decision is proven by its append: it expects the stream to stand where the state was folded from. On a conflict the
//! new events are read and the decision is made again. Event ids are derived from the command's id, so that an append
//! whose answer was lost is repeated byte for byte until the answer is definite.

use std::sync::Arc;

use carnet_events::codec::{Context, DomainEvent, decode, encode};
use carnet_events::domain::{Decider, Decision, Timed, export, tenant};
use carnet_events::envelope::NewEvent;
use carnet_events::ids::TenantId;
use carnet_events::recent::Recent;
use carnet_events::store::{Expected, StoreError};
use carnet_events::stream::StreamName;
use uuid::Uuid;

use crate::api::Cause;
use crate::calls::Calls;
use crate::error::Error;
use crate::gate::Gate;
use crate::ports::Clock;

/// Conflicts after which a command is given up: each means that somebody else got on.
const MAX_CONFLICTS: usize = 64;

/// What is known of a stream at a revision.
#[derive(Debug)]
pub(crate) struct Fold<S> {
    pub(crate) state: Arc<S>,
    /// Of the newest event; `None` before the first.
    pub(crate) revision: Option<u64>,
    pub(crate) trail: Trail,
}

impl<S> Clone for Fold<S> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            revision: self.revision,
            trail: self.trail.clone(),
        }
    }
}

/// What a stream's events go back to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail {
    /// The request that the first event goes back to.
    origin: Option<Arc<Cause>>,
    /// Id of the newest event.
    last: Option<Uuid>,
}

impl Trail {
    /// The context of what the service does by itself: it follows from the newest event, and goes back to whatever the
    /// first one goes back to.
    pub(crate) fn context(&self, tenant: &TenantId) -> Context {
        let origin = self.origin.as_deref();
        Context {
            tenant: Some(tenant.clone()),
            causation: self.last,
            correlation: origin.and_then(|origin| origin.correlation),
            trace: origin.and_then(|origin| origin.trace.clone()),
            ..Context::default()
        }
    }

    fn append(&mut self, id: Uuid, correlation: Option<Uuid>, trace: Option<&String>) {
        self.last = Some(id);
        self.origin.get_or_insert_with(|| {
            Arc::new(Cause {
                correlation,
                trace: trace.cloned(),
            })
        });
    }
}

/// What the events of a command carry besides.
#[derive(Debug, Clone)]
pub(crate) enum Background {
    /// This.
    Given(Context),
    /// The service's own act for a tenant: what the stream goes back to; see [`Trail::context`].
    Own(TenantId),
}

/// A command on its way to a stream.
#[derive(Debug, Clone)]
pub(crate) struct Command<C> {
    /// Its events' ids are derived from it.
    pub(crate) id: Uuid,
    pub(crate) what: C,
    pub(crate) background: Background,
    /// Decide only while the stream's head is this.
    pub(crate) only_at: Option<u64>,
}

impl<C> Command<C> {
    pub(crate) fn new(id: Uuid, what: C, context: Context) -> Self {
        Self {
            id,
            what,
            background: Background::Given(context),
            only_at: None,
        }
    }

    /// A command that the service gives by itself.
    pub(crate) fn own(id: Uuid, what: C, tenant: &TenantId) -> Self {
        Self {
            id,
            what,
            background: Background::Own(tenant.clone()),
            only_at: None,
        }
    }
}

/// Why a command had no effect.
#[derive(Debug, Clone)]
pub(crate) enum CommandError<I> {
    /// The state doesn't allow it.
    Illegal(I),
    /// It could not be decided.
    Failed(Error),
}

impl<I> From<Error> for CommandError<I> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<CommandError<tenant::IllegalCommand>> for Error {
    fn from(error: CommandError<tenant::IllegalCommand>) -> Self {
        match error {
            CommandError::Illegal(illegal) => Self::illegal(illegal),
            CommandError::Failed(error) => error,
        }
    }
}

impl From<CommandError<export::IllegalCommand>> for Error {
    fn from(error: CommandError<export::IllegalCommand>) -> Self {
        match error {
            CommandError::Illegal(export::IllegalCommand::Missing) => Self::NotFound,
            CommandError::Illegal(export::IllegalCommand::NotCancellable { status }) => {
                Self::NotCancellable { status }
            }
            CommandError::Illegal(illegal) => Self::illegal(illegal),
            CommandError::Failed(error) => error,
        }
    }
}

/// A command's answer.
pub(crate) type Answer<D> = Result<<D as Decider>::Reply, CommandError<<D as Decider>::Illegal>>;

/// The streams of one kind, and the folds of those used lately.
pub(crate) struct Journal<D: Decider> {
    calls: Calls,
    clock: Arc<dyn Clock>,
    gate: Arc<Gate>,
    folds: Recent<StreamName, Fold<D::State>>,
}

impl<D: Decider> Journal<D>
where
    D::Event: DomainEvent,
    D::Command: Clone,
{
    pub(crate) fn new(
        calls: Calls,
        clock: Arc<dyn Clock>,
        gate: Arc<Gate>,
        max_kept: usize,
    ) -> Self {
        Self {
            calls,
            clock,
            gate,
            folds: Recent::new(max_kept),
        }
    }

    /// The state before any event.
    pub(crate) fn initial() -> Fold<D::State> {
        Fold {
            state: Arc::new(D::initial()),
            revision: None,
            trail: Trail::default(),
        }
    }

    /// The state of `stream` as it was when last looked, if that was lately; else linearizable.
    pub(crate) async fn known(&self, stream: &StreamName) -> Result<Fold<D::State>, Error> {
        match self.folds.get(stream) {
            Some(known) => Ok(known),
            None => self.load(stream).await,
        }
    }

    /// The state of `stream`, linearizable.
    pub(crate) async fn load(&self, stream: &StreamName) -> Result<Fold<D::State>, Error> {
        let known = self.folds.get(stream).unwrap_or_else(Self::initial);
        self.refresh(stream, known, None)
            .await
            .map(|(fold, _)| fold)
    }

    /// Whether `command` would change anything on `stream` as it stands. Nothing is written.
    pub(crate) async fn would_change(
        &self,
        stream: &StreamName,
        command: D::Command,
    ) -> Result<bool, CommandError<D::Illegal>> {
        let fold = self.load(stream).await?;
        let asked = Timed::new(self.clock.now(), command);
        let decision = D::decide(&fold.state, &asked).map_err(CommandError::Illegal)?;
        Ok(!decision.events.is_empty())
    }

    /// Lets go of what has not been used for a while.
    pub(crate) fn age(&self) {
        self.folds.age();
    }

    /// Carries `command` out on `stream`, of which `fold` is known, and brings `fold` up to date.
    pub(crate) async fn execute(
        &self,
        stream: &StreamName,
        fold: &mut Fold<D::State>,
        command: &Command<D::Command>,
    ) -> Answer<D> {
        let deadline = self.calls.deadline();
        let first_id = event_id(command.id, 0);
        let mut lost_answer: Option<D::Reply> = None;
        for _ in 0..MAX_CONFLICTS {
            let looked_for = lost_answer.is_some().then_some(first_id);
            let (fresh, found) = self.refresh(stream, fold.clone(), looked_for).await?;
            *fold = fresh;
            if let Some(reply) = lost_answer.take().filter(|_| found) {
                return Ok(reply);
            }
            if command
                .only_at
                .is_some_and(|head| fold.revision != Some(head))
            {
                return Err(Error::unavailable("the stream has moved on").into());
            }
            self.gate.may_decide()?;
            let asked = Timed::new(self.clock.now(), command.what.clone());
            let decision = D::decide(&fold.state, &asked).map_err(CommandError::Illegal)?;
            if decision.events.is_empty() {
                return Ok(decision.reply);
            }
            let context = match &command.background {
                Background::Given(context) => context.clone(),
                Background::Own(tenant) => fold.trail.context(tenant),
            };
            let batch = batch(command.id, &context, &decision)?;
            let ids: Vec<Uuid> = batch.iter().map(|event| event.id).collect();
            let expected = fold.revision.map_or(Expected::NoStream, Expected::Exact);
            match self.calls.append(stream, expected, batch, deadline).await {
                // It was written by an earlier try, perhaps at another time of a clock: what stands there counts.
                Ok(appended) if appended.replayed => {
                    *fold = self.refresh(stream, fold.clone(), None).await?.0;
                    return Ok(decision.reply);
                }
                Ok(appended) => {
                    let mut trail = fold.trail.clone();
                    for id in ids {
                        trail.append(id, context.correlation, context.trace.as_ref());
                    }
                    *fold = Fold {
                        state: Arc::new(evolved::<D>(&fold.state, &decision)),
                        revision: Some(appended.last_revision),
                        trail,
                    };
                    self.keep(stream, fold);
                    return Ok(decision.reply);
                }
                Err(StoreError::Conflict { .. }) => lost_answer = Some(decision.reply),
                Err(error) => return Err(Error::from(error).into()),
            }
        }
        Err(Error::unavailable(format!("{stream} changed too often")).into())
    }

    /// `fold` and the events after it; and whether one of these has the id `looked_for`.
    async fn refresh(
        &self,
        stream: &StreamName,
        fold: Fold<D::State>,
        looked_for: Option<Uuid>,
    ) -> Result<(Fold<D::State>, bool), Error> {
        let head = self.calls.head(stream).await?;
        if head == fold.revision {
            return Ok((fold, false));
        }
        let mut found = false;
        let Fold {
            mut revision,
            mut trail,
            state,
        } = fold;
        let mut state = Arc::unwrap_or_clone(state);
        let mut events = self.calls.read_after(stream, revision);
        while let Some(recorded) = self.calls.next(&mut events).await? {
            found |= looked_for == Some(recorded.id);
            revision = Some(recorded.revision);
            let (metadata, event) = decode::<D::Event>(&recorded)?;
            trail.append(recorded.id, metadata.correlation, metadata.trace.as_ref());
            state = D::evolve(state, &event);
        }
        let fold = Fold {
            state: Arc::new(state),
            revision,
            trail,
        };
        self.keep(stream, &fold);
        Ok((fold, found))
    }

    fn keep(&self, stream: &StreamName, fold: &Fold<D::State>) {
        let revision = fold.revision;
        self.folds
            .put_unless(stream.clone(), fold.clone(), |known| {
                known.revision > revision
            });
    }
}

fn batch<E: DomainEvent, R>(
    command: Uuid,
    context: &Context,
    decision: &Decision<E, R>,
) -> Result<Vec<NewEvent>, Error> {
    let events = decision.events.iter().enumerate();
    events
        .map(|(index, event)| encode(event_id(command, index), decision.at, event, context))
        .collect::<Result<_, _>>()
        .map_err(Error::corrupt)
}

/// The id of a command's event: the same whenever the command is repeated (RFC 9562, version 5).
pub(crate) fn event_id(command: Uuid, index: usize) -> Uuid {
    Uuid::new_v5(&command, &(index as u64).to_be_bytes())
}

fn evolved<D: Decider>(state: &Arc<D::State>, decision: &Decision<D::Event, D::Reply>) -> D::State {
    let timed = |event: &D::Event| Timed::new(decision.at, event.clone());
    let events = decision.events.iter().map(timed);
    events.fold(D::State::clone(state), |state, event| {
        D::evolve(state, &event)
    })
}
