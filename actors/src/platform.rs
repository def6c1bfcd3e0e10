//! What concerns every tenant: the log's id, the policies, the configuration, and what operators switched.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carnet_events::codec::{Context, decode, encode};
use carnet_events::domain::Timed;
use carnet_events::domain::platform::{
    ConfigurationApplied, Drain, Intake, PlatformEvent, RebuildRequested,
};
use carnet_events::domain::policy::{PolicyEvent, PolicyPublished};
use carnet_events::envelope::Recorded;
use carnet_events::ids::{Digest, NodeId, PrincipalId};
use carnet_events::store::{Appended, Direction, Expected, ReadFrom, StoreError};
use carnet_events::stream::StreamName;
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use crate::api::{KnownNode, Order, PlatformEntry, PlatformView, Since};
use crate::calls::Calls;
use crate::dating;
use crate::directory::House;
use crate::error::Error;
use crate::options::Options;
use crate::shared::Shared;
use crate::system::Ports;

/// Conflicts after which a switch is given up.
const MAX_CONFLICTS: usize = 64;

/// Policies published at once.
const AT_ONCE: usize = 16;

/// Nodes remembered: those that were started last.
const MAX_NODES: usize = 1000;

/// The platform's stream, folded.
pub(crate) struct Platform {
    newest: Mutex<Arc<PlatformView>>,
    /// Where in the stream it stands that this process serves; [`NOWHERE`] before it does.
    applied: AtomicU64,
}

const NOWHERE: u64 = u64::MAX;

impl Default for Platform {
    fn default() -> Self {
        Self {
            newest: Mutex::default(),
            applied: AtomicU64::new(NOWHERE),
        }
    }
}

impl Platform {
    /// The platform as it is, linearizable.
    pub(crate) async fn refresh(&self, shared: &Shared) -> Result<Arc<PlatformView>, Error> {
        let known = Arc::clone(&self.lock());
        let stream = StreamName::platform();
        if shared.calls.head(&stream).await? == known.revision {
            return Ok(known);
        }
        let mut view = Arc::unwrap_or_clone(known);
        let mut events = shared.calls.read_after(&stream, view.revision);
        while let Some(recorded) = shared.calls.next(&mut events).await? {
            let (_, event) = decode::<PlatformEvent>(&recorded)?;
            evolve(&mut view, &event);
            view.revision = Some(recorded.revision);
            view.updated_at = view.updated_at.max(Some(event.at));
        }
        if self.is_superseded(shared, &view) {
            shared.gate.supersede();
        }
        let view = Arc::new(view);
        let mut newest = self.lock();
        if newest.revision < view.revision {
            newest.clone_from(&view);
        }
        Ok(view)
    }

    /// The platform as it was when last looked at.
    pub(crate) fn known(&self) -> Arc<PlatformView> {
        Arc::clone(&self.lock())
    }

    /// Whether a node was being drained when last looked.
    pub(crate) fn is_draining(&self, node: NodeId) -> bool {
        self.lock().draining.contains_key(&node)
    }

    /// Whether a process that began to serve after this one goes by this node's id: its data directory was copied. Each
    /// would take the other for its own past and take over what it runs, without end.
    fn is_superseded(&self, shared: &Shared, view: &PlatformView) -> bool {
        let applied = self.applied.load(Ordering::Acquire);
        let known = view.nodes.get(&shared.options.node);
        view.revision >= Some(applied)
            && known.is_some_and(|known| known.incarnation != shared.options.incarnation)
    }

    /// Records the configuration that this process serves with.
    pub(crate) async fn configuration_applied(
        &self,
        shared: &Shared,
        digest: Digest,
        version: &str,
        policies: &BTreeMap<String, Digest>,
    ) -> Result<(), Error> {
        let applied = PlatformEvent::ConfigurationApplied(ConfigurationApplied {
            node: shared.options.node,
            incarnation: shared.options.incarnation,
            digest,
            version: version.to_owned(),
            policies: policies.clone(),
        });
        let id = Uuid::new_v5(&shared.options.incarnation.as_uuid(), b"configuration");
        let none = Context::default();
        for _ in 0..MAX_CONFLICTS {
            let view = self.refresh(shared).await?;
            let revision = match append(shared, &view, id, &applied, &none).await? {
                // Somebody else's, or our own from before.
                Err(StoreError::Conflict { .. }) => {
                    let found = shared.calls.find(&StreamName::platform(), id).await?;
                    found.map(|own| own.revision)
                }
                appended => Some(appended?.last_revision),
            };
            if let Some(revision) = revision {
                self.applied.store(revision, Ordering::Release);
                return Ok(());
            }
        }
        Err(changed_too_often())
    }

    /// Pauses or resumes the intake of requests on all nodes.
    pub(crate) async fn pause_intake(
        &self,
        shared: &Shared,
        paused: bool,
        order: &Order,
    ) -> Result<Option<Recorded>, Error> {
        let intake = Intake {
            principal: order.by.clone(),
        };
        let event = match paused {
            true => PlatformEvent::IntakePaused(intake),
            false => PlatformEvent::IntakeResumed(intake),
        };
        let is_so = |view: &PlatformView| Ok(view.intake_paused.is_some() == paused);
        self.order(shared, &event, order, is_so).await
    }

    /// Drains a node, or lets it work again.
    pub(crate) async fn drain(
        &self,
        shared: &Shared,
        node: NodeId,
        on: bool,
        order: &Order,
    ) -> Result<Option<Recorded>, Error> {
        let drain = Drain {
            node,
            principal: order.by.clone(),
        };
        let event = match on {
            true => PlatformEvent::DrainStarted(drain),
            false => PlatformEvent::DrainEnded(drain),
        };
        let is_so = |view: &PlatformView| {
            let known = node == shared.options.node || view.nodes.contains_key(&node);
            let draining = view.draining.contains_key(&node);
            if known || draining {
                Ok(draining == on)
            } else {
                Err(Error::NotFound)
            }
        };
        self.order(shared, &event, order, is_so).await
    }

    /// Records that a projection is filled anew on this node.
    pub(crate) async fn rebuild_requested(
        &self,
        shared: &Shared,
        projection: &str,
        order: &Order,
    ) -> Result<Option<Recorded>, Error> {
        let event = PlatformEvent::RebuildRequested(RebuildRequested {
            projection: projection.to_owned(),
            node: shared.options.node,
            principal: order.by.clone(),
        });
        self.order(shared, &event, order, |_| Ok(false)).await
    }

    /// Records an operator's act unless it is so already; the reason first, so that no act is without one.
    async fn order(
        &self,
        shared: &Shared,
        event: &PlatformEvent,
        order: &Order,
        is_so: impl Fn(&PlatformView) -> Result<bool, Error>,
    ) -> Result<Option<Recorded>, Error> {
        let id = shared.ports.ids.random();
        let stream = StreamName::platform();
        for _ in 0..MAX_CONFLICTS {
            let view = self.refresh(shared).await?;
            if is_so(&view)? {
                return Ok(None);
            }
            shared.gate.may_decide()?;
            let directory = &shared.directory;
            directory
                .keep_act(shared, &House::Platform, order, None, id)
                .await?;
            let context = Context {
                principal: Some(order.by.clone()),
                // No command leads to it, but the request itself.
                causation: order.cause.correlation,
                correlation: order.cause.correlation,
                trace: order.cause.trace.clone(),
                ..Context::default()
            };
            match append(shared, &view, id, event, &context).await? {
                Err(StoreError::Conflict { .. }) => {}
                appended => {
                    appended?;
                    self.refresh(shared).await?;
                    return shared.calls.find(&stream, id).await;
                }
            }
        }
        Err(changed_too_often())
    }

    /// At most `max` events before revision `before`, newest first.
    pub(crate) async fn log(
        &self,
        shared: &Shared,
        before: Option<u64>,
        max: usize,
    ) -> Result<Vec<PlatformEntry>, Error> {
        let from = match before {
            None => ReadFrom::End,
            Some(0) => return Ok(Vec::new()),
            Some(before) => ReadFrom::Revision(before - 1),
        };
        let stream = StreamName::platform();
        let store = &shared.ports.store;
        let mut events = store.read(&stream, from, Direction::Backwards, max);
        let mut entries = Vec::new();
        while let Some(recorded) = shared.calls.next(&mut events).await? {
            let (metadata, event) = decode::<PlatformEvent>(&recorded)?;
            entries.push(PlatformEntry {
                revision: recorded.revision,
                id: recorded.id,
                metadata,
                event: event.what,
            });
        }
        Ok(entries)
    }

    fn lock(&self) -> MutexGuard<'_, Arc<PlatformView>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn evolve(view: &mut PlatformView, event: &Timed<PlatformEvent>) {
    let since = |by: &PrincipalId| Since {
        at: event.at,
        by: by.clone(),
    };
    match &event.what {
        PlatformEvent::LogCreated(_)
        | PlatformEvent::KeysApplied(_)
        | PlatformEvent::StoragesUsed(_)
        | PlatformEvent::RebuildRequested(_)
        | PlatformEvent::CopyAbandoned(_) => {}
        PlatformEvent::ConfigurationApplied(applied) => {
            let node = KnownNode {
                incarnation: applied.incarnation,
                started_at: event.at,
                version: applied.version.clone(),
                configuration: applied.digest,
            };
            view.nodes.insert(applied.node, node);
            // Who says nothing of policies, as nodes of earlier releases, says nothing against those that were told before.
            if !applied.policies.is_empty() {
                view.policies = Arc::new(applied.policies.clone());
            }
            forget_oldest(view);
        }
        PlatformEvent::IntakePaused(intake) => view.intake_paused = Some(since(&intake.principal)),
        PlatformEvent::IntakeResumed(_) => view.intake_paused = None,
        PlatformEvent::DrainStarted(drain) => {
            view.draining.insert(drain.node, since(&drain.principal));
        }
        PlatformEvent::DrainEnded(drain) => {
            view.draining.remove(&drain.node);
        }
    }
}

fn forget_oldest(view: &mut PlatformView) {
    if view.nodes.len() > MAX_NODES {
        let oldest = view.nodes.iter().min_by_key(|(_, node)| node.started_at);
        if let Some(oldest) = oldest.map(|(id, _)| *id) {
            view.nodes.remove(&oldest);
            view.draining.remove(&oldest);
        }
    }
}

/// Publishes policies (digest, category, canonical JSON), each to its own stream, once and for all; before the actors
/// start, for a claim may name them at once. Repeating it is harmless.
///
/// # Errors
/// When the store can't be written.
pub async fn publish_policies(
    options: &Options,
    ports: &Ports,
    policies: Vec<(Digest, String, String)>,
) -> Result<(), Error> {
    let calls = &Calls::new(Arc::clone(&ports.store), options);
    let publish_one = |(digest, category, document): (Digest, String, String)| async move {
        let published = PolicyEvent::Published(PolicyPublished {
            digest,
            category,
            document,
        });
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, digest.to_string().as_bytes());
        let stream = StreamName::policy(&digest);
        let event = encode(id, ports.clock.now(), &published, &Context::default());
        let event = event.map_err(Error::corrupt)?;
        match calls.record(&stream, Expected::NoStream, vec![event]).await {
            // What stands there has the same digest, so it says the same.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    };
    stream::iter(policies.into_iter().map(publish_one))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Appends to the platform's stream where `view` was folded from, and dates it by the store's clock, no earlier than what stands there.
async fn append(
    shared: &Shared,
    view: &PlatformView,
    id: Uuid,
    event: &PlatformEvent,
    context: &Context,
) -> Result<Result<Appended, StoreError>, Error> {
    let health = shared.calls.probe().await?;
    let at = dating::at(health, shared.ports.clock.now(), view.updated_at);
    let event = encode(id, at, event, context).map_err(Error::corrupt)?;
    let expected = view.revision.map_or(Expected::NoStream, Expected::Exact);
    let stream = StreamName::platform();
    Ok(shared.calls.record(&stream, expected, vec![event]).await)
}

fn changed_too_often() -> Error {
    Error::unavailable("the platform's stream changed too often")
}
