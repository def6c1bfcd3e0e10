//! What every request can reach.

use std::sync::Arc;

use std::time::Duration;

use async_trait::async_trait;
use carnet_actors::System;
use carnet_actors::ports::Clock;
use carnet_events::ids::PrincipalId;
use carnet_events::store::EventStore;
use carnet_projections::{ProjectionName, Projections};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::account_exports::Documents;
use super::codes::Code;
use super::health::Failing;
use super::problem::Problem;
use super::streams::{StreamPermit, Streams};
use crate::auth::{Caller, Sessions, Verifier};
use crate::config::Config;
use crate::export::Storages;
use crate::export::catalog::Catalog;
use crate::keys::KeyRing;

/// How soon a full or catching-up service is worth trying again.
const SOON: Duration = Duration::from_secs(1);

/// One thing the service can't do without; `/readyz` asks all of them.
#[async_trait]
pub trait ReadyCheck: Send + Sync {
    /// A short name, as in `store`.
    fn name(&self) -> &'static str;

    /// Whether it works now. The reason of a failure is for the log, not for the answer.
    async fn check(&self) -> Result<(), String>;
}

/// Shared by all HTTP threads.
pub struct AppState {
    /// The configuration in effect.
    pub config: Arc<Config>,
    /// Verifies bearer tokens.
    pub verifier: Arc<Verifier>,
    /// Sessions of people who signed in with a browser.
    pub sessions: Arc<Sessions>,
    /// The keys of links.
    pub keys: Arc<KeyRing>,
    /// What can be exported.
    pub catalog: Arc<Catalog>,
    /// The actors.
    pub system: System,
    /// The read models.
    pub projections: Projections,
    /// The events, for what is read and recorded past the actors.
    pub store: Arc<dyn EventStore>,
    /// The storages of artifacts.
    pub storages: Arc<Storages>,
    /// The clock everything decides by; tests move it.
    pub clock: Arc<dyn Clock>,
    /// One permit per request that may be handled at once.
    pub requests: Arc<Semaphore>,
    /// One permit: projections are filled anew one at a time.
    pub rebuilds: Arc<Semaphore>,
    /// Documents that were found damaged, and are looked at again.
    pub documents: Documents,
    /// Permits for downloads and event streams.
    pub streams: Streams,
    /// Cancelled when the service is to stop; long streams end then.
    pub stopping: CancellationToken,
    /// What `/readyz` asks.
    pub ready: Vec<Arc<dyn ReadyCheck>>,
    /// What of it failed the last time.
    pub failing: Failing,
    /// Renders `/metrics`.
    pub metrics: Option<PrometheusHandle>,
}

impl AppState {
    /// One of the permits for long-lived responses; it belongs into the stream it is for.
    pub(super) fn stream_permit(&self, who: &PrincipalId) -> Result<StreamPermit, Problem> {
        let permit = self.streams.permit(who);
        permit.ok_or_else(|| Problem::from(Code::Overloaded).retry_after(SOON))
    }

    /// Whether a long answer to `caller` must end: their token or session is over, or what is known of them too old.
    pub(super) async fn is_signed_out(&self, caller: &Caller) -> bool {
        let is_over = match caller.session {
            // What can't be told now is asked again by the browser that comes back.
            Some(session) => self.sessions.is_over(session).await.unwrap_or(true),
            None => false,
        };
        is_over || self.clock.now() >= caller.believed_until
    }

    /// Waits until a read model has everything that was acknowledged before: so a client sees what it has just done.
    pub(super) async fn wait_for(
        &self,
        projection: ProjectionName,
        patience: Duration,
    ) -> Result<(), Problem> {
        let Some(last) = self.store.last_position().await? else {
            return Ok(());
        };
        self.projections
            .wait_for(projection, last, patience)
            .await
            .map_err(|behind| {
                tracing::warn!(error = %behind, "a read model is behind");
                Problem::from(Code::CatchingUp).retry_after(SOON)
            })
    }
}
