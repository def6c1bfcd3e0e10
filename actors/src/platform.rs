//! What concerns every tenant: the log's id, the policies, the configuration, and what operators switched.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use carnet_events::codec::{Context, DomainEvent, decode, encode};
use carnet_events::domain::platform::{ConfigurationApplied, Drain, Intake, PlatformEvent};
use carnet_events::domain::policy::{PolicyEvent, PolicyPublished};
use carnet_events::ids::{Digest, NodeId, PrincipalId};
use carnet_events::store::{Expected, StoreError};
use carnet_events::stream::StreamName;
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use crate::error::Error;
use crate::shared::Shared;

/// Conflicts after which a switch is given up.
const MAX_CONFLICTS: usize = 64;

/// Policies published at once.
const AT_ONCE: usize = 16;

/// What operators switched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switches {
    revision: Option<u64>,
    /// No requests are taken, on any node.
    pub(crate) intake_paused: bool,
    draining: BTreeSet<NodeId>,
}

/// The platform's stream, folded.
#[derive(Default)]
pub(crate) struct Platform {
    switches: Mutex<Switches>,
    /// Whether this node is being drained, as of the last look.
    draining: AtomicBool,
}

impl Platform {
    /// The switches as they are, linearizable.
    pub(crate) async fn refresh(&self, shared: &Shared) -> Result<Switches, Error> {
        let known = self.lock().clone();
        let stream = StreamName::platform();
        if shared.calls.head(&stream).await? == known.revision {
            return Ok(known);
        }
        let mut switches = known;
        let mut events = shared.calls.read_after(&stream, switches.revision);
        while let Some(recorded) = shared.calls.next(&mut events).await? {
            let (_, event) = decode::<PlatformEvent>(&recorded).map_err(Error::corrupt)?;
            switches = evolve(switches, &event.what);
            switches.revision = Some(recorded.revision);
        }
        let draining = switches.draining.contains(&shared.options.node);
        self.draining.store(draining, Ordering::Relaxed);
        let mut newest = self.lock();
        if newest.revision < switches.revision {
            newest.clone_from(&switches);
        }
        Ok(switches)
    }

    /// Whether this node was being drained when last looked.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Records the configuration that this process serves with.
    pub(crate) async fn configuration_applied(
        &self,
        shared: &Shared,
        digest: Digest,
        version: &str,
    ) -> Result<(), Error> {
        let applied = PlatformEvent::ConfigurationApplied(ConfigurationApplied {
            node: shared.options.node,
            incarnation: shared.options.incarnation,
            digest,
            version: version.to_owned(),
        });
        let id = Uuid::new_v5(&shared.options.incarnation.as_uuid(), b"configuration");
        let stream = StreamName::platform();
        let appended = append(shared, &stream, Expected::Exists, id, &applied).await?;
        Ok(appended?)
    }

    /// Pauses or resumes the intake of requests on all nodes.
    pub(crate) async fn pause_intake(
        &self,
        shared: &Shared,
        paused: bool,
        by: PrincipalId,
    ) -> Result<(), Error> {
        let intake = Intake { principal: by };
        let event = match paused {
            true => PlatformEvent::IntakePaused(intake),
            false => PlatformEvent::IntakeResumed(intake),
        };
        let is_so = |switches: &Switches| switches.intake_paused == paused;
        self.switch(shared, &event, is_so).await
    }

    /// Drains a node, or lets it work again.
    pub(crate) async fn drain(
        &self,
        shared: &Shared,
        node: NodeId,
        on: bool,
        by: PrincipalId,
    ) -> Result<(), Error> {
        let drain = Drain {
            node,
            principal: by,
        };
        let event = match on {
            true => PlatformEvent::DrainStarted(drain),
            false => PlatformEvent::DrainEnded(drain),
        };
        let is_so = |switches: &Switches| switches.draining.contains(&node) == on;
        self.switch(shared, &event, is_so).await
    }

    async fn switch(
        &self,
        shared: &Shared,
        event: &PlatformEvent,
        is_so: impl Fn(&Switches) -> bool,
    ) -> Result<(), Error> {
        let id = shared.ports.ids.random();
        for _ in 0..MAX_CONFLICTS {
            let switches = self.refresh(shared).await?;
            if is_so(&switches) {
                return Ok(());
            }
            shared.gate.may_decide()?;
            let expected = switches
                .revision
                .map_or(Expected::NoStream, Expected::Exact);
            match append(shared, &StreamName::platform(), expected, id, event).await? {
                Err(StoreError::Conflict { .. }) => {}
                appended => {
                    appended?;
                    return self.refresh(shared).await.map(|_| ());
                }
            }
        }
        Err(Error::unavailable(
            "the platform's stream changed too often",
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Switches> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn evolve(mut switches: Switches, event: &PlatformEvent) -> Switches {
    match event {
        PlatformEvent::LogCreated(_)
        | PlatformEvent::ConfigurationApplied(_)
        | PlatformEvent::RebuildRequested(_) => {}
        PlatformEvent::IntakePaused(_) => switches.intake_paused = true,
        PlatformEvent::IntakeResumed(_) => switches.intake_paused = false,
        PlatformEvent::DrainStarted(drain) => {
            switches.draining.insert(drain.node);
        }
        PlatformEvent::DrainEnded(drain) => {
            switches.draining.remove(&drain.node);
        }
    }
    switches
}

/// Publishes policies: digest, category, and the document that was digested.
pub(crate) async fn publish(
    shared: &Shared,
    policies: Vec<(Digest, String, String)>,
) -> Result<(), Error> {
    let publish_one = |(digest, category, document): (Digest, String, String)| async move {
        let published = PolicyEvent::Published(PolicyPublished {
            digest,
            category,
            document,
        });
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, digest.to_string().as_bytes());
        let stream = StreamName::policy(&digest);
        match append(shared, &stream, Expected::NoStream, id, &published).await? {
            // What stands there has the same digest, so it says the same.
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    };
    stream::iter(policies.into_iter().map(publish_one))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn append<E: DomainEvent>(
    shared: &Shared,
    stream: &StreamName,
    expected: Expected,
    id: Uuid,
    event: &E,
) -> Result<Result<(), StoreError>, Error> {
    let now = shared.ports.clock.now();
    let event = encode(id, now, event, &Context::default()).map_err(Error::corrupt)?;
    let appended = shared.calls.record(stream, expected, vec![event]).await;
    Ok(appended.map(|_| ()))
}
