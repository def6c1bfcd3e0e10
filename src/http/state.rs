//! What every request can reach.

use std::sync::Arc;

use async_trait::async_trait;
use carnet_events::ids::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::Verifier;
use crate::config::Config;

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
    /// The clock everything decides by; tests move it.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// One permit per request that may be handled at once.
    pub requests: Arc<Semaphore>,
    /// One permit per download or event stream that may be open at once.
    pub streams: Arc<Semaphore>,
    /// Cancelled when the service is to stop; long streams end then.
    pub stopping: CancellationToken,
    /// What `/readyz` asks.
    pub ready: Vec<Arc<dyn ReadyCheck>>,
    /// Renders `/metrics`.
    pub metrics: Option<PrometheusHandle>,
}

impl AppState {
    /// The present by the service's clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
