//! Composition: the one place that knows every concrete part, puts them together, and takes them apart in order.

mod kept;
mod log;
mod node;
mod ready;
mod storage;
mod worklist;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use carnet_actors::ports::{Clock, Ids, RandomIds, SystemClock};
use carnet_actors::{Options, Ports, Retry, System};
use carnet_events::ids::{Digest, Incarnation, NodeId};
use carnet_events::store::{self, StoreError};
use carnet_projections::Projections;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::auth::{Provider, Sessions, Verifier, Way};
use crate::config::{Config, ConfigError, Inspection};
use crate::export::catalog::Catalog;
use crate::export::{Exporter, Parts, StoragesError};
use crate::http::{AppState, Server, ServerError, Streams};
use crate::keys::KeyError;

use kept::Kept;
pub use log::open_log;
use node::Node;
pub use node::NodeError;

/// Why the service doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something about the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key file.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The source of token keys.
    #[error("`[auth]`: {0}")]
    Auth(String),
    /// The event store.
    #[error("the event store `store.url` can't be opened: {0}")]
    Store(#[from] StoreError),
    /// The node's id.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The keys of another service, or fresh ones.
    #[error(
        "the key file {} has none of the keys this log was used with; restore it from its copy or another node's. If they are lost for good, start once with `--replace-keys`: sessions and links end, and columns with `rule = \"hash\"` no longer match those of earlier exports", .0.display()
    )]
    ForeignKeys(PathBuf),
    /// An artifact storage.
    #[error(transparent)]
    Storage(#[from] StoragesError),
    /// A source.
    #[error("`[[source]]`: {0}")]
    Source(#[from] crate::export::error::ExportError),
    /// The read models.
    #[error("the read models `projections.path` can't be used: {0}")]
    Projections(#[from] carnet_projections::Error),
    /// The actors.
    #[error(transparent)]
    Actors(#[from] carnet_actors::StartError),
    /// A first record.
    #[error("the service's start can't be recorded: {0}")]
    Record(#[from] carnet_actors::Error),
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ServerError),
    /// The configuration can't be shown, and so not digested.
    #[error("the configuration can't be written as JSON: {0}")]
    Digest(#[from] serde_json::Error),
}

/// What a service is put together with besides its configuration.
pub struct Around {
    /// The clock everything decides by.
    pub clock: Arc<dyn Clock>,
    /// Where ids and secrets come from.
    pub ids: Arc<dyn Ids>,
    /// Renders `/metrics`.
    pub metrics: Option<PrometheusHandle>,
    /// Whether it is the demo, in which people are chosen instead of signing in. No configuration can say so.
    pub demo: bool,
    /// Keys are taken though the log was used with others, which are lost.
    pub replace_keys: bool,
    /// Storages are taken though they are empty and the log was used with them: what they held is lost.
    pub replace_storages: bool,
}

impl Default for Around {
    /// The machine's clock and randomness, without metrics, in earnest.
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            ids: Arc::new(RandomIds),
            metrics: None,
            demo: false,
            replace_keys: false,
            replace_storages: false,
        }
    }
}

/// The service, complete and bound to its address, but not serving yet.
pub struct Service {
    server: Server,
    address: SocketAddr,
    state: Arc<AppState>,
    verifying: tokio::task::JoinHandle<()>,
    /// Held until the end: no other process is this node meanwhile.
    _node: Node,
}

impl Service {
    /// Puts the service together.
    ///
    /// # Errors
    /// Whatever keeps it from working, with what to do about it.
    pub async fn start(mut config: Config, around: Around) -> Result<Self, StartError> {
        // What can be refused without touching anything comes first, and the address before anything is written, so that
        // a second process on the same configuration changes nothing.
        refuse_unfit(&config).await?;
        let catalog = Arc::new(config.catalog()?);
        let verifier = Verifier::new(&config.auth).map_err(StartError::Auth)?;
        let way_in = way_in(&config, around.demo)?;
        let server = Server::bind(&config.server)?;
        let address = server.address().map_err(ServerError::Serve)?;
        let kept = Kept::open(&config, &around).await?;
        let projections = carnet_projections::Options::new(config.projections.path.clone())
            .of_store(store::identity(&config.store.url));
        let projections = Projections::start(Arc::clone(&kept.store), projections).await?;
        let system = start_actors(&config, &kept, &catalog, &projections).await?;
        record_start(&system, &config, &catalog).await?;
        verifier.warm_up().await;
        let verifier = Arc::new(verifier);
        let ready = ready::checks(&kept, &system, &projections, &verifier);
        let Kept {
            store,
            keys,
            node,
            storages,
            claims,
            clock,
            ..
        } = kept;
        let (session, open) = (config.auth.session, Arc::clone(&store));
        let sessions = Sessions::new(Arc::clone(&keys), open, session, way_in);
        // A port that the system chose is known only now; links name it.
        config.server.listen = address;
        let state = Arc::new(AppState {
            sessions: Arc::new(sessions),
            ready,
            failing: Default::default(),
            verifier,
            keys,
            catalog,
            system,
            projections,
            store,
            storages: Arc::clone(&storages),
            clock: Arc::clone(&clock),
            requests: Arc::new(Semaphore::new(config.server.max_requests as usize)),
            rebuilds: Arc::new(Semaphore::new(1)),
            documents: Default::default(),
            streams: Streams::new(config.server.max_streams as usize),
            stopping: CancellationToken::new(),
            metrics: around.metrics,
            config: Arc::new(config),
        });
        let verifying = tokio::spawn(storage::keep_verifying(storages, clock, claims));
        Ok(Self {
            server,
            address,
            state,
            verifying,
            _node: node,
        })
    }

    /// Where it listens; the port is the real one when port 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its routes work with.
    #[must_use]
    pub fn state(&self) -> &Arc<AppState> {
        &self.state
    }

    /// Serves until `stop` is done, then stops in good order: no new requests, running ones and running exports end or are
    /// handed back within `server.shutdown_grace`, what was counted is written.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let grace = self.state.config.server.shutdown_grace.get();
        let stopping = self.state.stopping.clone();
        let serving = self.server.run(Arc::clone(&self.state));
        let stop = async {
            stop.await;
            tracing::info!(grace_s = grace.as_secs(), "stopping");
            stopping.cancel();
            Instant::now()
        };
        tokio::pin!(serving);
        let (served, stopped_at) = tokio::select! {
            served = &mut serving => (served, Instant::now()),
            stopped_at = stop => (serving.await, stopped_at),
        };
        self.verifying.abort();
        // One grace for both: what running requests took of it is not there for running exports.
        self.state
            .system
            .shutdown(grace.saturating_sub(stopped_at.elapsed()))
            .await;
        self.state.projections.shutdown().await;
        tracing::info!("stopped");
        served
    }
}

/// Refuses what an inspection finds wrong.
async fn refuse_unfit(config: &Config) -> Result<(), ConfigError> {
    let inspected = config.clone();
    let found = tokio::task::spawn_blocking(move || inspected.inspect()).await;
    let found = found.unwrap_or_else(|error| broken_off(config, &error));
    for warning in &found.warnings {
        tracing::warn!(%warning, "configuration");
    }
    if found.errors.is_empty() {
        Ok(())
    } else {
        Err(ConfigError {
            complaints: found.errors,
        })
    }
}

/// An inspection that came to no end has not found that all is well.
fn broken_off(config: &Config, error: &JoinError) -> Inspection {
    let complaint = config.complaint(
        "configuration",
        format!("inspecting it broke off: {error}"),
        "report this, with the lines before it on standard error",
    );
    Inspection {
        errors: vec![complaint],
        ..Inspection::default()
    }
}

/// Starts the actors, and with them the runner of exports. Claims are made at once.
async fn start_actors(
    config: &Config,
    kept: &Kept,
    catalog: &Arc<Catalog>,
    projections: &Projections,
) -> Result<System, StartError> {
    let parts = Parts {
        storages: Arc::clone(&kept.storages),
        keys: Arc::clone(&kept.keys),
        clock: Arc::clone(&kept.clock),
        compress_threads: compress_threads(config.workers.max_running),
    };
    let worklist = worklist::Projected::new(projections.worklist(), Arc::clone(&kept.clock));
    let ports = Ports {
        store: Arc::clone(&kept.store),
        clock: Arc::clone(&kept.clock),
        ids: Arc::clone(&kept.ids),
        runner: Arc::new(Exporter::new(Arc::clone(catalog), parts)?),
        worklist: Arc::new(worklist),
    };
    let options = options(config, kept.node.id, ports.ids.as_ref());
    // Claims name policies.
    carnet_actors::publish_policies(&options, &ports, policies(catalog)).await?;
    Ok(System::start(options, ports).await?)
}

/// How people sign in.
fn way_in(config: &Config, demo: bool) -> Result<Way, StartError> {
    Ok(match &config.auth.oidc {
        _ if demo => Way::Demo,
        Some(oidc) => {
            let public_url = config.server.public_url();
            let provider = Provider::new(oidc.clone(), &config.auth, public_url);
            Way::Oidc(Box::new(provider.map_err(StartError::Auth)?))
        }
        None => Way::Closed,
    })
}

/// The actors' settings as configured.
fn options(config: &Config, node: NodeId, ids: &dyn Ids) -> Options {
    let incarnation = Incarnation::from_uuid(ids.random());
    let defaults = Options::new(node, incarnation);
    Options {
        max_running: config.workers.max_running as usize,
        lease: config.workers.lease.get(),
        stall_after: config.workers.stall_after.get(),
        retry: Retry {
            max_attempts: config.workers.max_attempts,
            ..defaults.retry
        },
        ttl: Some(config.artifacts.ttl.get()),
        deletion_delay: config.artifacts.delete_after.get(),
        sweep_after: config.artifacts.sweep_after.get(),
        ..defaults
    }
}

/// The processors, shared out among the exports that may run at once; each export also reads and encodes on one.
fn compress_threads(max_running: u32) -> NonZeroUsize {
    let processors = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let share = processors.div_ceil(max_running.max(1) as usize).clamp(1, 4);
    NonZeroUsize::new(share).unwrap_or(NonZeroUsize::MIN)
}

/// The policies that this process serves with: digest, category, canonical JSON.
fn policies(catalog: &Catalog) -> Vec<(Digest, String, String)> {
    catalog
        .categories()
        .map(|category| {
            let policy = &category.policy;
            (
                policy.digest(),
                category.id().to_owned(),
                policy.document().to_owned(),
            )
        })
        .collect()
}

/// Records the configuration that this process serves with.
async fn record_start(
    system: &System,
    config: &Config,
    catalog: &Catalog,
) -> Result<(), StartError> {
    let shown = serde_json::to_vec(&config.shown()?)?;
    let policies = catalog.categories();
    let policies = policies.map(|category| (category.id().to_owned(), category.policy.digest()));
    let (digest, version) = (Digest::of(&shown), env!("CARGO_PKG_VERSION"));
    system
        .configuration_applied(digest, version, &policies.collect())
        .await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_inspection_that_breaks_off_keeps_the_service_from_starting() {
        let inspecting = tokio::task::spawn_blocking(|| -> Inspection { panic!("planned") });
        let config = Config::default();
        let found = inspecting
            .await
            .unwrap_or_else(|error| broken_off(&config, &error));
        assert_eq!(found.errors.len(), 1, "{found:?}");
    }
}
