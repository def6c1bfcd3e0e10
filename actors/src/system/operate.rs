//! What operators do. Each act has a reason, kept in a directory, and is an event that says who, when and what.
//!
//! The reason is written first, under the id that the event will have, so that no act is ever without one; a reason whose
//! act was refused after all says nothing to anybody. An act that would change nothing writes nothing.

use std::sync::{Arc, PoisonError};

use carnet_events::codec::decode;
use carnet_events::domain::directory::Directory;
use carnet_events::domain::export::{ExportCommand, ExportEvent};
use carnet_events::domain::tenant::TenantCommand;
use carnet_events::envelope::{Metadata, Recorded};
use carnet_events::ids::{ExportId, NodeId, PrincipalId, TenantId};
use carnet_events::stream::StreamName;
use uuid::Uuid;

use super::System;
use crate::api::{Cause, Order, PlatformEntry, PlatformView, Written};
use crate::directory::House;
use crate::dispatcher::{Fill, Forget, Offer};
use crate::error::Error;
use crate::journal::{Command, event_id};
use crate::tenant::CommandTenant;

/// The code of what an operator ended.
const CODE: &str = "operator";

impl System {
    /// The pseudonym of an operator, who is taken up in the operators' own directory when seen for the first time. It is
    /// the same whichever tenant they act on, and outlives all of them.
    ///
    /// # Errors
    /// When the directory can't be read or written.
    pub async fn operator(&self, subject: &str, cause: &Cause) -> Result<PrincipalId, Error> {
        let shared = self.shared();
        let (directory, house) = (&shared.directory, &House::Platform);
        directory.principal(shared, house, subject, cause).await
    }

    /// The operator behind a pseudonym.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub async fn operator_subject(&self, by: &PrincipalId) -> Result<Option<String>, Error> {
        let shared = self.shared();
        let directory = &shared.directory;
        directory.subject(shared, &House::Platform, by).await
    }

    /// The operators' directory, to look up many of them and of their reasons.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub async fn operators(&self) -> Result<Arc<Directory>, Error> {
        let shared = self.shared();
        shared.directory.load(shared, &House::Platform).await
    }

    /// The pseudonym of one of a tenant's people, if they have been seen; nobody is taken up by asking.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub async fn person(
        &self,
        tenant: &TenantId,
        subject: &str,
    ) -> Result<Option<PrincipalId>, Error> {
        let shared = self.shared();
        let house = House::Tenant(tenant.clone());
        shared.directory.person(shared, &house, subject).await
    }

    /// Why an operator did what the event `event` records; `tenant` says whom it concerned, `None`: the whole platform.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub async fn act_reason(
        &self,
        tenant: Option<&TenantId>,
        event: Uuid,
    ) -> Result<Option<String>, Error> {
        let shared = self.shared();
        let house = tenant.map_or(House::Platform, |tenant| House::Tenant(tenant.clone()));
        shared.directory.act(shared, &house, event).await
    }

    /// Whether anything is known of a tenant: nothing is of one that was only misspelt.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn knows_tenant(&self, tenant: &TenantId) -> Result<bool, Error> {
        let calls = &self.shared().calls;
        Ok(calls.head(&StreamName::tenant(tenant)).await?.is_some()
            || calls.head(&StreamName::directory(tenant)).await?.is_some())
    }

    /// What the platform's stream says, linearizable: what operators switched, and which nodes have served.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn platform(&self) -> Result<Arc<PlatformView>, Error> {
        let shared = self.shared();
        shared.platform.refresh(shared).await
    }

    /// The same as it was when this node last looked: for what is only offered, and looked at again when it is taken.
    #[must_use]
    pub fn platform_known(&self) -> Arc<PlatformView> {
        self.shared().platform.known()
    }

    /// At most `max` events of the platform before revision `before`, newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn platform_log(
        &self,
        before: Option<u64>,
        max: usize,
    ) -> Result<Vec<PlatformEntry>, Error> {
        let shared = self.shared();
        shared.platform.log(shared, before, max).await
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.shared().options.node
    }

    /// Stops (`true`) or allows the intake of requests, on all nodes. `None`: it was so already.
    ///
    /// # Errors
    /// When it could not be decided.
    pub async fn pause_intake(&self, paused: bool, order: Order) -> Result<Option<Written>, Error> {
        let shared = Arc::clone(self.shared());
        self.outlive(async move {
            let platform = &shared.platform;
            written(platform.pause_intake(&shared, paused, &order).await?)
        })
        .await
    }

    /// Asks a node to finish its work and take no more (`true`), or to work again. `None`: it was so already.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no such node has served, or when it could not be decided.
    pub async fn drain(
        &self,
        node: NodeId,
        on: bool,
        order: Order,
    ) -> Result<Option<Written>, Error> {
        let shared = Arc::clone(self.shared());
        self.outlive(async move {
            let recorded = shared.platform.drain(&shared, node, on, &order).await?;
            if let Some(dispatcher) = shared.dispatcher.get() {
                dispatcher.do_send(Fill);
            }
            written(recorded)
        })
        .await
    }

    /// Records that an operator has a projection filled anew on this node.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn rebuild_requested(
        &self,
        projection: &str,
        order: Order,
    ) -> Result<Option<Written>, Error> {
        let (shared, projection) = (Arc::clone(self.shared()), projection.to_owned());
        self.outlive(async move {
            let platform = &shared.platform;
            let recorded = platform.rebuild_requested(&shared, &projection, &order);
            written(recorded.await?)
        })
        .await
    }

    /// Sends an export back to the queue, to be started at once: a running attempt ends, and whatever its runner still
    /// reports is refused; a wait for the next attempt is over. `None`: it is in line already.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Illegal`] when it is settled, or when it could not be decided.
    pub async fn requeue(&self, export: ExportId, order: Order) -> Result<Option<Written>, Error> {
        let principal = order.by.clone();
        let command = ExportCommand::Requeue { principal };
        let recorded = self.act_on_export(export, command, order).await?;
        let shared = self.shared();
        if let Some(recorded) = &recorded
            && let Some(view) = self.export(export).await?
            && let (_, event) = decode::<ExportEvent>(recorded)?
            && let ExportEvent::Requeued(requeued) = event.what
        {
            shared.live.cancel_up_to(export, requeued.attempt);
            if let Some(dispatcher) = shared.dispatcher.get() {
                dispatcher.do_send(Forget(export));
            }
            let tenant = view.export.request.tenant.clone();
            shared.offer(Offer::fresh(tenant, export, None));
        }
        written(recorded)
    }

    /// Fails a queued or running export with the code `operator`. `None`: it has failed so already.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Illegal`] when it was settled another way, or when it could not be decided.
    pub async fn fail(&self, export: ExportId, order: Order) -> Result<Option<Written>, Error> {
        let command = ExportCommand::Abort {
            code: CODE.to_owned(),
            parameters: Default::default(),
            principal: Some(order.by.clone()),
        };
        let recorded = self.act_on_export(export, command, order).await?;
        if let Some(view) = self.export(export).await? {
            self.give_up(&view).await;
        }
        written(recorded)
    }

    /// Puts a legal hold on an export's artifact (`on`), or ends it. `None`: it was so already.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Illegal`] once deletion has begun, or when it could not be decided.
    pub async fn hold(
        &self,
        export: ExportId,
        on: bool,
        order: Order,
    ) -> Result<Option<Written>, Error> {
        let principal = order.by.clone();
        let command = match on {
            true => ExportCommand::Hold { principal },
            false => ExportCommand::ReleaseHold { principal },
        };
        let recorded = self.act_on_export(export, command, order).await?;
        // The act stands, whatever stops this: the purge then goes on a little later.
        if !on && let Ok(Some(view)) = self.export(export).await {
            let unheld = &self.shared().unheld;
            let mut unheld = unheld.lock().unwrap_or_else(PoisonError::into_inner);
            unheld.insert(view.export.request.tenant.clone());
        }
        written(recorded)
    }

    /// Carries out an operator's command on a tenant: closing, exemptions, modules and the like. `None`: it was so already.
    ///
    /// # Errors
    /// [`Error::Illegal`] when the tenant's state doesn't allow it, or when it could not be decided.
    pub async fn act_on_tenant(
        &self,
        tenant: &TenantId,
        command: TenantCommand,
        order: Order,
    ) -> Result<Option<Written>, Error> {
        let (shared, tenant) = (Arc::clone(self.shared()), tenant.clone());
        self.outlive(async move {
            let stream = StreamName::tenant(&tenant);
            let tenants = &shared.tenants;
            if !tenants.would_change(&stream, command.clone()).await? {
                return Ok(None);
            }
            let id = shared.ports.ids.random();
            let (event, house) = (event_id(id, 0), House::Tenant(tenant.clone()));
            let directory = &shared.directory;
            directory
                .keep_act(&shared, &house, &order, None, event)
                .await?;
            let context = order.cause.context(&tenant, Some(&order.by), id);
            let command = CommandTenant(Command::new(id, command, context));
            shared
                .tenant_actors
                .ask(&shared, &tenant, command)
                .await?
                .0?;
            written(shared.calls.find(&stream, event).await?)
        })
        .await
    }

    async fn act_on_export(
        &self,
        export: ExportId,
        command: ExportCommand,
        order: Order,
    ) -> Result<Option<Recorded>, Error> {
        let view = self.export(export).await?.ok_or(Error::NotFound)?;
        let shared = Arc::clone(self.shared());
        self.outlive(async move {
            let stream = StreamName::export(export);
            let exports = &shared.exports;
            if !exports.would_change(&stream, command.clone()).await? {
                return Ok(None);
            }
            let tenant = &view.export.request.tenant;
            let id = shared.ports.ids.random();
            let (event, house) = (event_id(id, 0), House::Tenant(tenant.clone()));
            let directory = &shared.directory;
            directory
                .keep_act(&shared, &house, &order, Some(export), event)
                .await?;
            let context = order.cause.context(tenant, Some(&order.by), id);
            let command = Command::new(id, command, context);
            shared.command_export(export, command).await?.0?;
            shared.calls.find(&stream, event).await
        })
        .await
    }
}

fn written(recorded: Option<Recorded>) -> Result<Option<Written>, Error> {
    let Some(recorded) = recorded else {
        return Ok(None);
    };
    let metadata = Metadata::from_bytes(&recorded.metadata).map_err(Error::corrupt)?;
    Ok(Some(Written {
        stream: recorded.stream,
        revision: recorded.revision,
        id: recorded.id,
        kind: recorded.kind.to_string(),
        at: metadata.recorded_at,
    }))
}
