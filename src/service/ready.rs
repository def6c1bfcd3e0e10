//! What `/readyz` asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use carnet_actors::System;
use carnet_actors::ports::Clock;
use carnet_events::store::EventStore;
use carnet_projections::{Projections, RunState};
use tokio::sync::Mutex;

use super::kept::Kept;
use crate::auth::Verifier;
use crate::export::Storages;
use crate::http::ReadyCheck;

/// All checks of the service.
pub(super) fn checks(
    kept: &Kept,
    system: &System,
    projections: &Projections,
    verifier: &Arc<Verifier>,
) -> Vec<Arc<dyn ReadyCheck>> {
    vec![
        Arc::new(Store {
            store: Arc::clone(&kept.store),
            newest: Mutex::default(),
        }),
        Arc::new(Artifacts(Arc::clone(&kept.storages))),
        Arc::new(Clocks(system.clone())),
        Arc::new(Identity(system.clone())),
        Arc::new(ReadModels(projections.clone(), Arc::clone(&kept.clock))),
        Arc::new(TokenKeys(Arc::clone(verifier))),
    ]
}

/// How long an answer of the event store is good for: asking it writes.
const STORE_ANSWER: Duration = Duration::from_secs(1);

/// The event store can be written.
struct Store {
    store: Arc<dyn EventStore>,
    newest: Mutex<Option<(Instant, Result<(), String>)>>,
}

#[async_trait]
impl ReadyCheck for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    async fn check(&self) -> Result<(), String> {
        // Held while the store is asked: those who ask meanwhile get the same answer.
        let mut newest = self.newest.lock().await;
        if let Some((at, answer)) = &*newest
            && at.elapsed() < STORE_ANSWER
        {
            return answer.clone();
        }
        let answer = self.store.probe().await;
        let answer = answer.map(|_| ()).map_err(|error| error.to_string());
        *newest = Some((Instant::now(), answer.clone()));
        answer
    }
}

/// The common artifact storage works.
struct Artifacts(Arc<Storages>);

#[async_trait]
impl ReadyCheck for Artifacts {
    fn name(&self) -> &'static str {
        "artifacts"
    }

    async fn check(&self) -> Result<(), String> {
        self.0.ready().await.map_err(ToOwned::to_owned)
    }
}

/// This node's clock agrees with the store's.
struct Clocks(System);

#[async_trait]
impl ReadyCheck for Clocks {
    fn name(&self) -> &'static str {
        "clock"
    }

    async fn check(&self) -> Result<(), String> {
        match self.0.clock_skew() {
            None => Ok(()),
            Some(skew_ms) => Err(format!("{skew_ms} ms ahead of the store's")),
        }
    }
}

/// No other process serves as this node.
struct Identity(System);

#[async_trait]
impl ReadyCheck for Identity {
    fn name(&self) -> &'static str {
        "node"
    }

    async fn check(&self) -> Result<(), String> {
        match self.0.is_superseded() {
            false => Ok(()),
            true => Err("another process serves as this node".to_owned()),
        }
    }
}

/// No read model has stopped.
struct ReadModels(Projections, Arc<dyn Clock>);

#[async_trait]
impl ReadyCheck for ReadModels {
    fn name(&self) -> &'static str {
        "projections"
    }

    async fn check(&self) -> Result<(), String> {
        let status = self.0.status(self.1.now()).await;
        let stopped: Vec<String> = status
            .projections
            .iter()
            .filter(|one| matches!(one.state, RunState::Stopped { .. }))
            .map(|one| one.name.as_str().to_owned())
            .collect();
        if stopped.is_empty() {
            Ok(())
        } else {
            Err(stopped.join(", "))
        }
    }
}

/// The issuer's keys are known.
struct TokenKeys(Arc<Verifier>);

#[async_trait]
impl ReadyCheck for TokenKeys {
    fn name(&self) -> &'static str {
        "token_keys"
    }

    async fn check(&self) -> Result<(), String> {
        self.0.problem().map_or(Ok(()), Err)
    }
}
