//! What operators can do, in one place for the API and for pages: the bounds of each act, and what came of it.

use std::time::Duration;

use carnet_actors::{Error as ActorError, Order, Written};
use carnet_events::domain::export::Stage;
use carnet_events::domain::tenant::{LimitKind, TenantCommand};
use carnet_events::ids::{ExportId, NodeId, PrincipalId, TenantId, Timestamp};
use carnet_projections::{ProjectionName, RunState};

use super::access::Operator;
use super::again;
use crate::http::codes::Code;
use crate::http::problem::Problem;
use crate::http::reason;
use crate::http::state::AppState;

/// More requests than anybody is let through beyond a limit at once.
const MAX_EXEMPTED: u32 = 1_000;
/// An exemption that holds for longer is a limit to be configured.
const LONGEST_EXEMPTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Days of grace after a cancellation, unless another number is asked for.
pub(in crate::http) const GRACE_DAYS: u16 = 30;
/// Longest grace window after a cancellation.
pub(in crate::http) const MAX_GRACE_DAYS: u16 = 366;

/// A grace window of so many days.
pub(in crate::http) fn grace_of(days: u16) -> Duration {
    Duration::from_secs(24 * 60 * 60) * u32::from(days)
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Action {
    /// Take no more requests, on any node.
    PauseIntake,
    /// Take requests again.
    ResumeIntake,
    /// Have a node finish its work and take no more.
    Drain(NodeId),
    /// Have it work again.
    Undrain(NodeId),
    /// Start a running or waiting export anew; for a failed one, admit another like it.
    Requeue(ExportId),
    /// Fail a queued or running export.
    Fail(ExportId),
    /// Keep an export's file from being deleted.
    Hold(ExportId),
    /// End that.
    ReleaseHold(ExportId),
    /// Let more requests of a tenant through than a limit.
    Exempt(TenantId, Exemption),
    /// Stop a tenant's exports and downloads.
    Close(TenantId),
    /// Allow them again.
    Reopen(TenantId),
    /// End a tenant's subscription; its exports go on for the grace window.
    CancelTenant(TenantId, Duration),
    /// Take that back.
    Reactivate(TenantId),
    /// Switch a module of a tenant on or off.
    SwitchModule(TenantId, String, bool),
    /// Fill a projection of the node that answers anew.
    Rebuild(ProjectionName),
}

/// What an exemption lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Exemption {
    /// Tells a repetition from another exemption; the request's own id where none is given.
    pub(in crate::http) id: Option<String>,
    pub(in crate::http) limit: LimitKind,
    pub(in crate::http) count: u32,
    pub(in crate::http) until: Timestamp,
    /// For the person's limit: whom it is for; `None`: whoever of the tenant needs it first.
    pub(in crate::http) person: Option<Exempted>,
}

/// One of a tenant's people, as an operator knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Exempted {
    /// By the user's name in their tokens.
    User(String),
    /// By the pseudonym that stands in the audit log.
    Principal(PrincipalId),
}

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Done {
    /// The event that records it; `None`: it was so already, and nothing was written.
    pub(in crate::http) written: Option<Written>,
    /// The export that was admitted in place of a failed one.
    pub(in crate::http) export: Option<ExportId>,
}

impl Action {
    /// Its name on every surface.
    pub(in crate::http) fn name(&self) -> &'static str {
        match self {
            Self::PauseIntake => "pause_intake",
            Self::ResumeIntake => "resume_intake",
            Self::Drain(_) => "drain",
            Self::Undrain(_) => "undrain",
            Self::Requeue(_) => "requeue",
            Self::Fail(_) => "fail",
            Self::Hold(_) => "hold",
            Self::ReleaseHold(_) => "release_hold",
            Self::Exempt(..) => "exempt",
            Self::Close(_) => "close",
            Self::Reopen(_) => "reopen",
            Self::CancelTenant(..) => "cancel_tenant",
            Self::Reactivate(_) => "reactivate",
            Self::SwitchModule(..) => "switch_module",
            Self::Rebuild(_) => "rebuild",
        }
    }
}

/// Carries out what an operator asks for. Goes on if nobody waits; repeating it changes nothing.
///
/// # Errors
/// A reason that is none, something that isn't there, or a state that doesn't allow it.
pub(in crate::http) async fn act(
    state: &AppState,
    operator: &Operator,
    action: Action,
    reason: &str,
) -> Result<Done, Problem> {
    let order = operator.order(checked(reason)?);
    let system = &state.system;
    let written = match action {
        Action::PauseIntake => system.pause_intake(true, order).await,
        Action::ResumeIntake => system.pause_intake(false, order).await,
        Action::Drain(node) => system.drain(node, true, order).await,
        Action::Undrain(node) => system.drain(node, false, order).await,
        Action::Requeue(export) => return requeue(state, export, order).await,
        Action::Fail(export) => system.fail(export, order).await,
        Action::Hold(export) => system.hold(export, true, order).await,
        Action::ReleaseHold(export) => system.hold(export, false, order).await,
        Action::Rebuild(projection) => return rebuild(state, projection, order).await,
        Action::Exempt(tenant, exemption) => {
            let command = exempt(state, &tenant, exemption, &order).await?;
            return on_tenant(state, &tenant, command, order).await;
        }
        Action::Close(tenant) => {
            let principal = order.by.clone();
            let command = TenantCommand::Close { principal };
            return on_tenant(state, &tenant, command, order).await;
        }
        Action::Reopen(tenant) => {
            let principal = order.by.clone();
            let command = TenantCommand::Reopen { principal };
            return on_tenant(state, &tenant, command, order).await;
        }
        Action::CancelTenant(tenant, grace) => {
            if grace > grace_of(MAX_GRACE_DAYS) {
                return Err(Problem::malformed(format!(
                    "The grace window has at most {MAX_GRACE_DAYS} days."
                )));
            }
            let principal = order.by.clone();
            let command = TenantCommand::Cancel { grace, principal };
            return on_tenant(state, &tenant, command, order).await;
        }
        Action::Reactivate(tenant) => {
            let principal = order.by.clone();
            let command = TenantCommand::Reactivate { principal };
            return on_tenant(state, &tenant, command, order).await;
        }
        Action::SwitchModule(tenant, module, on) => {
            let mut categories = state.catalog.categories();
            if !categories.any(|category| category.module.as_deref() == Some(module.as_str())) {
                return Err(Code::NotFound.into());
            }
            let command = TenantCommand::SwitchModule {
                module,
                on,
                principal: order.by.clone(),
            };
            return on_tenant(state, &tenant, command, order).await;
        }
    };
    done(written)
}

fn done(written: Result<Option<Written>, ActorError>) -> Result<Done, Problem> {
    Ok(Done {
        written: written.map_err(refused)?,
        export: None,
    })
}

/// What the actors' errors are to an operator: they are told what stands in the way.
fn refused(error: ActorError) -> Problem {
    match error {
        ActorError::Illegal { reason } => {
            let mut letters = reason.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            let first = first.map(String::from).unwrap_or_default();
            Problem::new(Code::NotPossible, format!("{first}{}.", letters.as_str()))
        }
        other => other.into(),
    }
}

/// The reason, if it is one.
fn checked(reason: &str) -> Result<&str, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || !reason::fits(reason) {
        return Err(Problem::malformed(format!(
            "`reason` must have 1 to {} characters.",
            reason::MAX_CHARACTERS
        )));
    }
    Ok(reason)
}

/// A settled export stays what it is; a failed one is tried again as another.
async fn requeue(state: &AppState, export: ExportId, order: Order) -> Result<Done, Problem> {
    let view = state.system.export(export).await?.ok_or(Code::NotFound)?;
    match view.export.stage {
        Stage::Failed(_) => again::admit(state, &view, order).await,
        Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Completed(_)
        | Stage::Expired(_)
        | Stage::Cancelled(_) => done(state.system.requeue(export, order).await),
    }
}

async fn on_tenant(
    state: &AppState,
    tenant: &TenantId,
    command: TenantCommand,
    order: Order,
) -> Result<Done, Problem> {
    must_know(state, tenant).await?;
    done(state.system.act_on_tenant(tenant, command, order).await)
}

/// Nothing is done to a tenant that nobody has heard of: it was misspelt.
pub(super) async fn must_know(state: &AppState, tenant: &TenantId) -> Result<(), Problem> {
    let configured = state.config.tenants.contains_key(tenant.as_str());
    if configured || state.system.knows_tenant(tenant).await? {
        Ok(())
    } else {
        Err(Code::NotFound.into())
    }
}

async fn exempt(
    state: &AppState,
    tenant: &TenantId,
    exemption: Exemption,
    order: &Order,
) -> Result<TenantCommand, Problem> {
    if !(1..=MAX_EXEMPTED).contains(&exemption.count) {
        return Err(Problem::malformed(format!(
            "`count` lies between 1 and {MAX_EXEMPTED}."
        )));
    }
    let now = state.clock.now();
    if exemption.until <= now || exemption.until > now.plus(LONGEST_EXEMPTION) {
        return Err(Problem::malformed(
            "`until` lies in the future, and at most 366 days ahead.",
        ));
    }
    if exemption.person.is_some() && exemption.limit == LimitKind::Tenant {
        return Err(Problem::malformed(
            "Only the limit `user` can be one person's.",
        ));
    }
    let person = match exemption.person {
        None => None,
        Some(person) => {
            let known = known(state, tenant, person).await?;
            let unknown = || Problem::malformed("This person has not been seen in the tenant.");
            Some(known.ok_or_else(unknown)?)
        }
    };
    let own = order.cause.correlation.unwrap_or_default();
    Ok(TenantCommand::GrantExemption {
        id: exemption.id.unwrap_or_else(|| own.to_string()),
        limit: exemption.limit,
        count: exemption.count,
        until: exemption.until,
        person,
        principal: order.by.clone(),
    })
}

/// The person's pseudonym, if the tenant has seen them.
async fn known(
    state: &AppState,
    tenant: &TenantId,
    person: Exempted,
) -> Result<Option<PrincipalId>, Problem> {
    match person {
        Exempted::User(subject) => Ok(state.system.person(tenant, &subject).await?),
        Exempted::Principal(principal) => {
            let subject = state.system.subject(tenant, &principal).await?;
            Ok(subject.map(|_| principal))
        }
    }
}

/// How long it may take until a rebuild that was asked for shows among the projections.
const REBUILD_BEGINS: Duration = Duration::from_secs(30);

/// Begins to fill a projection anew; reads go on. One at a time.
async fn rebuild(
    state: &AppState,
    projection: ProjectionName,
    order: Order,
) -> Result<Done, Problem> {
    let under_way = || Problem::new(Code::NotPossible, "A rebuild is under way already.");
    let permit = std::sync::Arc::clone(&state.rebuilds)
        .try_acquire_owned()
        .map_err(|_| under_way())?;
    let status = state.projections.status(state.clock.now()).await;
    let busy = status.projections.iter().any(|one| {
        one.rebuilding.is_some() || (one.name == projection && one.state == RunState::CatchingUp)
    });
    if busy {
        return Err(under_way());
    }
    let name = projection.as_str();
    let written = state.system.rebuild_requested(name, order).await;
    let projections = state.projections.clone();
    let written = done(written)?;
    tokio::spawn(async move {
        let wanted = [projection];
        let rebuild = projections.rebuild(&wanted);
        tokio::pin!(rebuild);
        // By then it is under way, and its progress says so to the next who asks; however long it takes, or if it never ends.
        let begun = tokio::time::timeout(REBUILD_BEGINS, &mut rebuild).await;
        drop(permit);
        let rebuilt = match begun {
            Ok(rebuilt) => rebuilt,
            Err(_) => rebuild.await,
        };
        if let Err(error) = rebuilt {
            tracing::error!(%projection, %error, "a projection was not filled anew");
        }
    });
    Ok(written)
}
