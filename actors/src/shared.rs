//! What all parts of one system have in common.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Addr, ArbiterHandle};
use carnet_events::domain::export::{ExportCommand, ExportDecider, Outcome};
use carnet_events::domain::tenant::{TenantCommand, TenantDecider};
use carnet_events::ids::{ExportId, TenantId};
use carnet_events::stream::StreamName;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::access::AccessRecorder;
use crate::calls::Calls;
use crate::changes::Watchers;
use crate::directory::Directories;
use crate::dispatcher::{Dispatcher, Offer};
use crate::error::Error;
use crate::export::{CommandExport, ExportActor, ExportAnswer};
use crate::gate::Gate;
use crate::journal::{Command, Journal};
use crate::live::Live;
use crate::options::Options;
use crate::platform::Platform;
use crate::ports::ObjectFailure;
use crate::registry::Registry;
use crate::system::Ports;
use crate::tenant::{CommandTenant, TenantActor};

/// The longest that the removal of one object is waited for.
const REMOVAL: Duration = Duration::from_secs(60);

/// Everything the parts of one system reach each other through.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) ports: Ports,
    pub(crate) calls: Calls,
    pub(crate) gate: Arc<Gate>,
    pub(crate) exports: Journal<ExportDecider>,
    pub(crate) tenants: Journal<TenantDecider>,
    pub(crate) export_actors: Registry<ExportActor>,
    pub(crate) tenant_actors: Registry<TenantActor>,
    pub(crate) dispatcher: OnceCell<Addr<Dispatcher>>,
    pub(crate) live: Live,
    pub(crate) watchers: Watchers,
    pub(crate) access: AccessRecorder,
    pub(crate) directory: Directories,
    pub(crate) platform: Platform,
    /// Where everything runs that is not an actor.
    pub(crate) runtime: Handle,
    /// Bounds the commands in work, for actix mailboxes bound nothing.
    pub(crate) permits: Arc<Semaphore>,
    /// Commands in work, which outlive whoever asked.
    pub(crate) commands: TaskTracker,
    /// Attempts in work.
    pub(crate) attempts: TaskTracker,
    /// Rounds and subscriptions.
    pub(crate) rounds: TaskTracker,
    /// The worklist had more waiting exports than fitted on a page.
    pub(crate) backlog: AtomicBool,
    /// Told when the worklist should be looked at before its time.
    pub(crate) rescan: Notify,
    /// Tenants whose purge may go on, for a hold was released since it was last looked at.
    pub(crate) unheld: Mutex<HashSet<TenantId>>,
    /// Cancelled when rounds and subscriptions are to end.
    pub(crate) stop_rounds: CancellationToken,
    /// Cancelled when running attempts are to be handed back.
    pub(crate) hand_back: CancellationToken,
    /// Cancelled when even reports that wait for the store are to be given up.
    pub(crate) abandon: CancellationToken,
}

impl Shared {
    pub(crate) fn new(options: Options, ports: Ports, arbiter: &ArbiterHandle) -> Self {
        let clock = Arc::clone(&ports.clock);
        let gate = Arc::new(Gate::new(clock, options.max_clock_skew));
        let calls = Calls::new(Arc::clone(&ports.store), &options);
        let kept = options.max_live;
        Self {
            exports: Journal::new(
                calls.clone(),
                Arc::clone(&ports.clock),
                Arc::clone(&gate),
                kept,
            ),
            tenants: Journal::new(
                calls.clone(),
                Arc::clone(&ports.clock),
                Arc::clone(&gate),
                kept,
            ),
            export_actors: Registry::new(arbiter.clone(), options.max_live),
            tenant_actors: Registry::new(arbiter.clone(), options.max_live),
            dispatcher: OnceCell::new(),
            live: Live::default(),
            watchers: Watchers::default(),
            access: AccessRecorder::new(options.fold_records),
            directory: Directories::new(kept),
            platform: Platform::default(),
            runtime: Handle::current(),
            permits: Arc::new(Semaphore::new(options.max_commands)),
            commands: TaskTracker::new(),
            attempts: TaskTracker::new(),
            rounds: TaskTracker::new(),
            backlog: AtomicBool::new(false),
            rescan: Notify::new(),
            unheld: Mutex::default(),
            stop_rounds: CancellationToken::new(),
            hand_back: CancellationToken::new(),
            abandon: CancellationToken::new(),
            calls,
            gate,
            options,
            ports,
        }
    }

    /// Waits for the removal of an object, but not without end: a storage that never answers must not keep a worker or a round.
    pub(crate) async fn removed(
        &self,
        removal: impl Future<Output = Result<(), ObjectFailure>>,
    ) -> Result<(), ObjectFailure> {
        let in_time = tokio::time::timeout(REMOVAL, removal).await;
        in_time.unwrap_or_else(|_| {
            Err(ObjectFailure {
                reason: "it did not answer in time".to_owned(),
            })
        })
    }

    /// Tells the dispatcher of an export that may be run.
    pub(crate) fn offer(&self, offer: Offer) {
        if let Some(dispatcher) = self.dispatcher.get() {
            dispatcher.do_send(offer);
        }
    }

    /// Has an export's actor carry a command out.
    pub(crate) async fn command_export(
        self: &Arc<Self>,
        export: ExportId,
        command: Command<ExportCommand>,
    ) -> Result<ExportAnswer, Error> {
        let message = CommandExport(command);
        self.export_actors.ask(self, &export, message).await
    }

    /// A command of the service itself to one of a tenant's exports; its events go back to the export's request.
    pub(crate) fn own_command(
        &self,
        tenant: &TenantId,
        what: ExportCommand,
    ) -> Command<ExportCommand> {
        let id = self.ports.ids.random();
        Command::own(id, what, tenant)
    }

    /// Frees the slot of a settled export. Best effort: the reconciler repeats it, and the tenant's next admission
    /// does it by itself.
    pub(crate) async fn release(
        self: &Arc<Self>,
        tenant: &TenantId,
        export: ExportId,
        outcome: Outcome,
    ) {
        let id = Uuid::new_v5(&export.as_uuid(), b"release");
        let settled = match self.exports.known(&StreamName::export(export)).await {
            Ok(settled) => settled,
            Err(error) => {
                tracing::warn!(%export, %error, "the slot of a settled export is not released yet");
                return;
            }
        };
        let context = settled.trail.context(tenant);
        let command = Command::new(id, TenantCommand::Release { export, outcome }, context);
        let answer = self
            .tenant_actors
            .ask(self, tenant, CommandTenant(command))
            .await;
        if let Ok((Err(error), _)) = answer {
            tracing::warn!(%export, ?error, "the slot of a settled export is not released yet");
        }
    }
}
