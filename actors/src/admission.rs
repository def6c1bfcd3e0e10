//! Admission: two streams, no transaction across them.
//!
//! First the tenant's `export_admitted`, which holds the whole request; then the export's `requested`, built from it and
//! nothing else. Whatever a crash leaves out is made up for by whoever comes across it: the next admission of the tenant,
//! a repeated request, or the reconciler. Ids are derived, so doing it twice does nothing.

use std::sync::Arc;

use carnet_events::codec::{Context, decode};
use carnet_events::domain::access::{AccessEvent, ExportRefused};
use carnet_events::domain::export::{self, ExportCommand, ExportDecider};
use carnet_events::domain::request::Request;
use carnet_events::domain::tenant::{Admit, Refusal, Reply, TenantCommand, TenantEvent};
use carnet_events::ids::{ExportId, PrincipalId, TenantId};
use carnet_events::store::{Direction, ReadFrom};
use carnet_events::stream::StreamName;
use uuid::Uuid;

use crate::api::{Admission, AdmitRequest, Cause};
use crate::directory::House;
use crate::dispatcher::Offer;
use crate::error::Error;
use crate::journal::{Command, CommandError, Journal};
use crate::shared::Shared;
use crate::tenant::CommandTenant;

/// Decides a request and queues the export that it becomes.
pub(crate) async fn admit(
    shared: &Arc<Shared>,
    asked: AdmitRequest,
    cause: &Cause,
) -> Result<Admission, Error> {
    let tenant = asked.request.tenant.clone();
    let principal = asked.request.principal.clone();
    let export = shared.ports.ids.export(shared.ports.clock.now());
    let reply = ask_tenant(shared, export, &asked, cause).await?;
    match reply {
        Reply::Admitted {
            export: admitted,
            repeated,
        } => {
            let request = (admitted == export).then_some(asked.request);
            finish(
                shared,
                &tenant,
                admitted,
                request.map(|request| (request, cause.clone())),
            )
            .await?;
            if let Some(reason) = asked.reason.filter(|_| !repeated) {
                keep_reason(shared, &tenant, (&principal, cause), admitted, reason).await;
            }
            Ok(Admission::Accepted {
                export: admitted,
                repeated,
            })
        }
        Reply::Refused(refusal) => {
            let refused = refusal_record(&asked, &refusal);
            shared
                .access
                .record(shared, &tenant, refused, cause)
                .await?;
            Ok(Admission::Refused(refusal))
        }
        Reply::Done | Reply::Unchanged => Err(Error::corrupt("an admission was not answered")),
    }
}

async fn ask_tenant(
    shared: &Arc<Shared>,
    export: ExportId,
    asked: &AdmitRequest,
    cause: &Cause,
) -> Result<Reply, Error> {
    let tenant = &asked.request.tenant;
    let admit = Admit {
        export,
        request: asked.request.clone(),
        categories: asked.categories.clone(),
        key: asked.key.clone(),
        limits: asked.limits,
        // As it is now; what is let in until a pause is seen stays let in.
        intake_paused: shared
            .platform
            .refresh(shared)
            .await?
            .intake_paused
            .is_some(),
        storage_verified: shared.ports.runner.storage_verified(tenant).await,
        settled: Default::default(),
    };
    let id = Uuid::new_v5(&export.as_uuid(), b"admit");
    let context = cause.context(tenant, Some(&asked.request.principal), id);
    let command = Command::new(id, TenantCommand::Admit(Box::new(admit)), context);
    let answer = shared
        .tenant_actors
        .ask(shared, tenant, CommandTenant(command));
    Ok(answer.await?.0?)
}

/// Does the second step of an admission, if it isn't done: queues `export` as it was admitted. `request` is what was
/// admitted, where that is at hand; else it is read from the tenant's stream.
pub(crate) async fn finish(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    export: ExportId,
    request: Option<(Request, Cause)>,
) -> Result<(), Error> {
    let stream = StreamName::export(export);
    let id = Uuid::new_v5(&export.as_uuid(), b"request");
    let (request, context, mut fold) = match request {
        Some((request, cause)) => {
            let context = cause.context(tenant, Some(&request.principal), id);
            (request, context, Journal::<ExportDecider>::initial())
        }
        None => {
            let fold = shared.exports.load(&stream).await?;
            if fold.state.export().is_some() {
                return Ok(());
            }
            let (request, context) = admitted(shared, tenant, export, id).await?;
            (request, context, fold)
        }
    };
    let command = Command::new(id, ExportCommand::Request(request), context);
    match shared.exports.execute(&stream, &mut fold, &command).await {
        Ok(_) => {
            shared.offer(Offer::fresh(tenant.clone(), export, None));
            Ok(())
        }
        Err(CommandError::Illegal(illegal)) => {
            let export::IllegalCommand::AlreadyRequested = illegal else {
                return Err(Error::corrupt(illegal));
            };
            Err(Error::corrupt(format!("{stream} and its admission differ")))
        }
        Err(CommandError::Failed(error)) => Err(error),
    }
}

/// What was admitted as `export`, from the tenant's stream; newest first, for it is a recent one.
async fn admitted(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    export: ExportId,
    causation: Uuid,
) -> Result<(Request, Context), Error> {
    let stream = StreamName::tenant(tenant);
    let store = &shared.ports.store;
    let mut events = store.read(&stream, ReadFrom::End, Direction::Backwards, usize::MAX);
    while let Some(recorded) = shared.calls.next(&mut events).await? {
        let (metadata, event) = decode::<TenantEvent>(&recorded)?;
        if let TenantEvent::ExportAdmitted(admitted) = event.what
            && admitted.export == export
        {
            let context = Context {
                tenant: Some(tenant.clone()),
                principal: metadata.principal,
                causation: Some(causation),
                correlation: metadata.correlation,
                trace: metadata.trace,
            };
            return Ok((admitted.request, context));
        }
    }
    Err(Error::NotFound)
}

fn refusal_record(asked: &AdmitRequest, refusal: &Refusal) -> AccessEvent {
    let check = &asked.categories;
    let (categories, next_allowed_at) = match refusal {
        // Whatever else was asked for may be anything a client sent; only ids of the catalog are recorded.
        Refusal::UnknownCategories { ids, .. } => {
            let known =
                |id: &&String| check.forbidden.contains(*id) || check.modules.contains_key(*id);
            (ids.iter().filter(known).cloned().collect(), None)
        }
        Refusal::LimitReached {
            next_allowed_at, ..
        } => (Vec::new(), *next_allowed_at),
        Refusal::IdempotencyMismatch
        | Refusal::IntakePaused
        | Refusal::TenantClosed
        | Refusal::StorageUnverified
        | Refusal::ScopeUnsupported
        | Refusal::InProgress { .. } => (Vec::new(), None),
    };
    AccessEvent::ExportRefused(ExportRefused {
        principal: asked.request.principal.clone(),
        code: refusal.code().to_owned(),
        categories,
        next_allowed_at,
    })
}

/// The export is accepted whether or not the reason can be kept.
async fn keep_reason(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    (principal, cause): (&PrincipalId, &Cause),
    export: ExportId,
    reason: String,
) {
    let house = House::Tenant(tenant.clone());
    let kept = shared
        .directory
        .keep_reason(shared, &house, principal, export, reason, cause);
    if let Err(error) = kept.await {
        tracing::warn!(%export, %error, "the reason given for an export was not kept");
    }
}
