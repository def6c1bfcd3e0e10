//! The handle through which everything else reaches the actors.

mod operate;
mod reads;
mod start;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::{self, ExportCommand, Progress};
use carnet_events::ids::{Digest, ExportId, PrincipalId, TenantId};
use carnet_events::recent::Recent;
use carnet_events::store::EventStore;
use tokio::sync::watch;

use crate::admission;
use crate::api::{Admission, AdmitRequest, Cause, Changes, ExportView, QueuePosition};
use crate::directory::House;
use crate::dispatcher::{Forget, WhereIs};
use crate::error::Error;
use crate::journal::Command;
use crate::ports::{Clock, Ids, Runner, Worklist};
use crate::shared::Shared;
use crate::thread::Home;

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
/// so none needs to exist, and one that exists is left alone; [`System::start_on`] is for who wants them on one that exists.
/// [`System::shutdown`] ends tasks and actors; dropping every handle without it leaves both running until the process ends.
#[derive(Clone)]
pub struct System {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    home: Home,
    /// Exports read lately, so that reading one that hasn't changed costs no more than asking for its head.
    views: Recent<ExportId, (carnet_events::stream::StreamName, ExportView)>,
}

impl System {
    /// Decides a request, and when it is let in queues the export; both are durable when this returns. Goes on even if
    /// the caller stops waiting. A refusal is recorded among the tenant's access records.
    ///
    /// # Errors
    /// When it could not be decided. After [`Error::Unknown`] or [`Error::Unavailable`] it may have been admitted: with
    /// an idempotency key, asking again tells.
    pub async fn admit(&self, request: AdmitRequest, cause: Cause) -> Result<Admission, Error> {
        let shared = Arc::clone(self.shared());
        self.outlive(async move { admission::admit(&shared, request, &cause).await })
            .await
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
        let command = ExportCommand::Cancel {
            principal: by.clone(),
            code: "requested".to_owned(),
        };
        let view = self.command(export, command, by, cause).await?;
        self.give_up(&view).await;
        Ok(view)
    }

    /// Ends the work on an export that was settled past its runner, and frees its slot.
    async fn give_up(&self, view: &ExportView) {
        let shared = self.shared();
        shared.live.cancel(view.id);
        if let Some(dispatcher) = shared.dispatcher.get() {
            dispatcher.do_send(Forget(view.id));
        }
        if let Some(outcome) = view.export.outcome() {
            let tenant = &view.export.request.tenant;
            shared.release(tenant, view.id, outcome).await;
        }
    }

    /// Tells of changes to an export, its live progress not included.
    #[must_use]
    pub fn watch(&self, export: ExportId) -> Changes {
        let receiver = self.shared().watchers.follow(export);
        Changes { receiver }
    }

    /// The progress of an attempt that runs on this node, newer than what the stream says.
    #[must_use]
    pub fn live_progress(&self, export: ExportId) -> Option<watch::Receiver<Progress>> {
        self.shared().live.progress(export)
    }

    /// What a queued export waits for; `None` when this node doesn't know it as waiting.
    pub async fn queue_position(&self, export: ExportId) -> Option<QueuePosition> {
        let dispatcher = self.shared().dispatcher.get()?;
        dispatcher.send(WhereIs(export)).await.ok().flatten()
    }

    /// Records an access. The first of a kind (tenant, principal, type, code, export) is durable when this returns, for
    /// whoever repeats it too; repetitions are counted and written once a minute. Ranges of one download are one record,
    /// links one each unless there is a flood of them.
    ///
    /// # Errors
    /// When the first of a kind could not be written.
    pub async fn record_access(
        &self,
        tenant: &TenantId,
        event: AccessEvent,
        cause: &Cause,
    ) -> Result<(), Error> {
        let shared = self.shared();
        shared.access.record(shared, tenant, event, cause).await
    }

    /// The pseudonym of `subject`, who is taken up in the tenant's directory when seen for the first time.
    ///
    /// # Errors
    /// When the directory can't be read or written, or was erased.
    pub async fn principal(
        &self,
        tenant: &TenantId,
        subject: &str,
        cause: &Cause,
    ) -> Result<PrincipalId, Error> {
        let shared = self.shared();
        let house = House::Tenant(tenant.clone());
        let directory = &shared.directory;
        directory.principal(shared, &house, subject, cause).await
    }

    /// A digest of `content` that nobody can confirm a guess with who doesn't have the tenant's directory: keyed as its
    /// pseudonyms are, so the same on every node, and meaningless once the directory is erased.
    ///
    /// # Errors
    /// When the directory can't be read or written, or was erased.
    pub async fn keyed_digest(&self, tenant: &TenantId, content: &[u8]) -> Result<Digest, Error> {
        let shared = self.shared();
        let house = House::Tenant(tenant.clone());
        shared.directory.digest(shared, &house, content).await
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
        let shared = self.shared();
        let house = House::Tenant(tenant.clone());
        shared.directory.subject(shared, &house, principal).await
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
        let shared = self.shared();
        let house = House::Tenant(tenant.clone());
        shared.directory.reason(shared, &house, export).await
    }

    /// Records that a stored artifact is not what was published: one of its blocks, the document in blocks that are whole, or
    /// else the file itself. Repeating it is harmless.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Illegal`] when there is no artifact, or when it could not be decided.
    pub async fn record_damage(
        &self,
        export: ExportId,
        block: Option<u64>,
        document: bool,
        cause: Cause,
    ) -> Result<(), Error> {
        let command = ExportCommand::RecordDamage { block, document };
        self.send(export, command, None, cause).await.map(|_| ())
    }

    /// Records that a stored artifact, which had been found damaged, is what was published again. Repeating it is harmless.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Illegal`] when there is no artifact, or when it could not be decided.
    pub async fn record_restoration(&self, export: ExportId, cause: Cause) -> Result<(), Error> {
        let command = ExportCommand::RecordRestoration;
        self.send(export, command, None, cause).await.map(|_| ())
    }

    /// Ends the download links that were handed out until now: those of `of`, or everybody's.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when it could not be decided.
    pub async fn revoke_links(
        &self,
        export: ExportId,
        of: Option<PrincipalId>,
        by: PrincipalId,
        cause: Cause,
    ) -> Result<(), Error> {
        let principal = by.clone();
        let command = ExportCommand::RevokeLinks { principal, of };
        self.send(export, command, Some(by), cause)
            .await
            .map(|_| ())
    }

    /// Records the configuration that this process serves with, and the digest of each category's policy in it.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn configuration_applied(
        &self,
        digest: Digest,
        version: &str,
        policies: &BTreeMap<String, Digest>,
    ) -> Result<(), Error> {
        let shared = self.shared();
        let platform = &shared.platform;
        platform
            .configuration_applied(shared, digest, version, policies)
            .await
    }

    /// The difference to the store's clock that keeps this node from deciding, in milliseconds; for `/readyz`.
    #[must_use]
    pub fn clock_skew(&self) -> Option<i64> {
        self.shared().gate.skew()
    }

    /// Whether another process serves as this node, so that this one decides nothing; for `/readyz`.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.shared().gate.is_superseded()
    }

    /// Stops in good order: takes no more commands and claims, lets running exports finish for `grace`, hands the rest
    /// back, writes what was counted, ends the actors. Calling it again does nothing.
    pub async fn shutdown(&self, grace: Duration) {
        start::shutdown(&self.inner, grace).await;
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    async fn command(
        &self,
        export: ExportId,
        command: ExportCommand,
        by: PrincipalId,
        cause: Cause,
    ) -> Result<ExportView, Error> {
        self.send(export, command, Some(by), cause).await?;
        self.export(export).await?.ok_or(Error::NotFound)
    }

    /// Has an export's actor carry out a command from outside.
    async fn send(
        &self,
        export: ExportId,
        command: ExportCommand,
        by: Option<PrincipalId>,
        cause: Cause,
    ) -> Result<export::Reply, Error> {
        let view = self.export(export).await?.ok_or(Error::NotFound)?;
        let shared = Arc::clone(self.shared());
        self.outlive(async move {
            let id = shared.ports.ids.random();
            let context = cause.context(&view.export.request.tenant, by.as_ref(), id);
            let command = Command::new(id, command, context);
            let (answer, _) = shared.command_export(export, command).await?;
            Ok(answer?)
        })
        .await
    }

    /// Runs a command so that it comes to its end whether or not the caller waits for it, if there is room for one more.
    async fn outlive<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = self.shared();
        if shared.gate.is_stopping() {
            return Err(Error::Stopping);
        }
        let permit = Arc::clone(&shared.permits)
            .try_acquire_owned()
            .map_err(|_| Error::Overloaded)?;
        let work = async move {
            let _permit = permit;
            work.await
        };
        let done = shared.commands.spawn_on(work, &shared.runtime);
        done.await
            .unwrap_or_else(|_| Err(Error::unavailable("the command was given up")))
    }
}
