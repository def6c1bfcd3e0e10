//! What operators do: a form that says what will happen and asks why, then the act, then the page of what was acted on,
//! with the event that records it. Works the same without scripts.

mod sheet;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::tenant::LimitKind;
use carnet_events::ids::{ExportId, NodeId, PrincipalId, TenantId};
use carnet_projections::ProjectionName;
use serde::Deserialize;
use uuid::Uuid;

use super::admit;
use super::parts::tenant_address;
use crate::http::audit_log::is_pseudonym;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::operator::access::Operator;
use crate::http::operator::actions::{self, Action, Done, Exempted, Exemption};
use crate::http::pages::form::Form;
use crate::http::pages::see_other;
use crate::http::pages::units::moment;
use crate::http::pages::words::operator::acts as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use sheet::Sheet;

/// What an act is done to; each takes one of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    node: Option<String>,
    export: Option<String>,
    tenant: Option<String>,
    module: Option<String>,
    projection: Option<String>,
    /// Whom an exemption is for, as the form begins.
    person: Option<String>,
}

/// An act as its address names it. What an exemption lets through, and how long a grace window is, stands in the form.
enum Act {
    Plain(Action),
    Exempt(TenantId),
    Cancel(TenantId),
}

impl Act {
    /// The act called `name`; what can't be done to anything isn't there.
    fn read(name: &str, subject: &Subject) -> Result<Self, Problem> {
        let node = || named::<NodeId>(subject.node.as_deref());
        let export = || named::<ExportId>(subject.export.as_deref());
        let tenant = || named::<TenantId>(subject.tenant.as_deref());
        let module = || subject.module.clone().ok_or(Code::NotFound);
        Ok(Self::Plain(match name {
            "pause_intake" => Action::PauseIntake,
            "resume_intake" => Action::ResumeIntake,
            "drain" => Action::Drain(node()?),
            "undrain" => Action::Undrain(node()?),
            "requeue" => Action::Requeue(export()?),
            "fail" => Action::Fail(export()?),
            "hold" => Action::Hold(export()?),
            "release_hold" => Action::ReleaseHold(export()?),
            "close" => Action::Close(tenant()?),
            "reopen" => Action::Reopen(tenant()?),
            "reactivate" => Action::Reactivate(tenant()?),
            "module_on" => Action::SwitchModule(tenant()?, module()?, true),
            "module_off" => Action::SwitchModule(tenant()?, module()?, false),
            "rebuild" => Action::Rebuild(named::<ProjectionName>(subject.projection.as_deref())?),
            "exempt" => return Ok(Self::Exempt(tenant()?)),
            "cancel_tenant" => return Ok(Self::Cancel(tenant()?)),
            _ => return Err(Code::NotFound.into()),
        }))
    }

    /// The act with what the form says.
    fn action(self, form: &Form) -> Result<Action, Problem> {
        match self {
            Self::Plain(action) => Ok(action),
            Self::Exempt(tenant) => Ok(Action::Exempt(tenant, exemption(form)?)),
            Self::Cancel(tenant) => Ok(Action::CancelTenant(tenant, grace(form)?)),
        }
    }

    /// What it is done to.
    fn on(&self) -> On<'_> {
        let action = match self {
            Self::Exempt(tenant) | Self::Cancel(tenant) => return On::Tenant(tenant),
            Self::Plain(action) => action,
        };
        match action {
            Action::PauseIntake | Action::ResumeIntake => On::Service,
            Action::Drain(node) | Action::Undrain(node) => On::Node(*node),
            Action::Rebuild(projection) => On::Projection(*projection),
            Action::Requeue(export)
            | Action::Fail(export)
            | Action::Hold(export)
            | Action::ReleaseHold(export) => On::Export(*export),
            Action::Close(tenant)
            | Action::Reopen(tenant)
            | Action::Reactivate(tenant)
            | Action::CancelTenant(tenant, _)
            | Action::Exempt(tenant, _) => On::Tenant(tenant),
            Action::SwitchModule(tenant, module, _) => On::Module(tenant, module),
        }
    }
}

/// What an act is done to.
enum On<'a> {
    Service,
    Node(NodeId),
    Projection(ProjectionName),
    Export(ExportId),
    Tenant(&'a TenantId),
    Module(&'a TenantId, &'a str),
}

impl On<'_> {
    /// Its page.
    fn page(&self) -> String {
        match self {
            Self::Service | Self::Node(_) | Self::Projection(_) => "/operator".to_owned(),
            Self::Export(export) => export_address(*export),
            Self::Tenant(tenant) | Self::Module(tenant, _) => tenant_address(tenant),
        }
    }
}

fn export_address(export: ExportId) -> String {
    format!("/operator/exports/{export}")
}

fn named<T: std::str::FromStr>(text: Option<&str>) -> Result<T, Problem> {
    let read = text.and_then(|text| text.parse().ok());
    read.ok_or_else(|| Code::NotFound.into())
}

fn exemption(form: &Form) -> Result<Exemption, Problem> {
    let limit = match form.get("limit") {
        Some("user") => LimitKind::User,
        Some("tenant") => LimitKind::Tenant,
        _ => return Err(Problem::malformed(words::LIMIT_MISSING)),
    };
    let count = form.filled("count").and_then(|text| text.parse().ok());
    let until = form.filled("until").and_then(moment);
    let person = form
        .filled("person")
        .map(|text| match PrincipalId::new(text) {
            Ok(principal) if is_pseudonym(text) => Exempted::Principal(principal),
            _ => Exempted::User(text.to_owned()),
        });
    // Sent twice, a form is one exemption.
    let once = form
        .filled("once")
        .and_then(|text| Uuid::parse_str(text).ok());
    Ok(Exemption {
        id: once.map(|id| id.to_string()),
        limit,
        count: count.ok_or_else(|| Problem::malformed(words::COUNT_MISSING))?,
        until: until.ok_or_else(|| Problem::malformed(words::UNTIL_MISSING))?,
        person,
    })
}

fn grace(form: &Form) -> Result<Duration, Problem> {
    let days = form.filled("grace_days").and_then(|text| text.parse().ok());
    days.map(actions::grace_of)
        .ok_or_else(|| Problem::malformed(words::GRACE_MISSING))
}

pub(super) async fn ask(
    request: HttpRequest,
    caller: SignedIn,
    name: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    let subject: Subject = query(&request)?;
    let act = Act::read(&name, &subject)?;
    let sheet = Sheet {
        caller: &caller.0,
        act: &act,
        name: &name,
        form: None,
        problem: None,
        person: subject.person.as_deref(),
    };
    sheet.answer(&state, StatusCode::OK).await
}

pub(super) async fn carry_out(
    request: HttpRequest,
    caller: SignedIn,
    name: web::Path<String>,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let caller = caller.0;
    let operator = Operator::new(&state, caller.clone(), &request).await?;
    let form = Form::read(&request, payload, &caller).await?;
    let subject: Subject = query(&request)?;
    let act = Act::read(&name, &subject)?;
    let place = act.on().page();
    let outcome = match form.filled("reason") {
        None => Err(Problem::malformed(words::REASON_MISSING)),
        Some(reason) => match Act::read(&name, &subject)?.action(&form) {
            Ok(action) => actions::act(&state, &operator, action, reason).await,
            Err(problem) => Err(problem),
        },
    };
    match outcome {
        Ok(done) => Ok(see_other(&after(place, &done))),
        Err(problem) if problem.code() == Code::NotFound => Err(problem),
        Err(problem) => {
            let sheet = Sheet {
                caller: &caller,
                act: &act,
                name: &name,
                form: Some(&form),
                problem: Some(&problem),
                person: None,
            };
            let mut response = sheet.answer(&state, problem.code().status()).await?;
            problem.add_headers(&mut response);
            Ok(response)
        }
    }
}

/// Where the act's outcome is shown.
fn after(place: String, done: &Done) -> String {
    let place = done.export.map_or(place, export_address);
    match &done.written {
        Some(written) => format!("{place}?event={}", written.revision),
        None => format!("{place}?unchanged=true"),
    }
}
