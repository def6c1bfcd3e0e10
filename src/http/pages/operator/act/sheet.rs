//! The form of an act: what will happen, to what, and what has to be said for it.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use carnet_events::ids::Timestamp;
use maud::{Markup, html};
use uuid::Uuid;

use super::super::parts::{export_link, node_name, state as status, tenant_link};
use super::super::{Place, page_with};
use super::{Act, On};
use crate::auth::Caller;
use crate::http::codes::Code;
use crate::http::operator::actions::{GRACE_DAYS, MAX_GRACE_DAYS};
use crate::http::pages::form::{Form, csrf_field};
use crate::http::pages::words::operator::acts as words;
use crate::http::problem::Problem;
use crate::http::reason;
use crate::http::state::AppState;

/// How long an exemption holds, unless another time is chosen: a week.
const EXEMPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The form of an act.
pub(super) struct Sheet<'a> {
    pub(super) caller: &'a std::sync::Arc<Caller>,
    pub(super) act: &'a Act,
    pub(super) name: &'a str,
    /// What was sent, when it comes back.
    pub(super) form: Option<&'a Form>,
    pub(super) problem: Option<&'a Problem>,
    pub(super) person: Option<&'a str>,
}

impl Sheet<'_> {
    pub(super) async fn answer(
        &self,
        state: &AppState,
        status: StatusCode,
    ) -> Result<HttpResponse, Problem> {
        let subject = self.subject(state).await?;
        let text = words::of(self.name);
        let content = html! {
            h1 { (text.title) }
            @if let Some(problem) = self.problem {
                div.notice.bad role="alert" {
                    p { b { (words::NOTHING_DONE) } " " (problem.detail()) }
                }
            }
            div.card.sheet {
                @if let Some(subject) = subject { p.subject { (subject) } }
                p { b { (words::WHAT_HAPPENS) } }
                ul { @for line in text.consequences { li { (line) } } }
                form method="post" {
                    (csrf_field(self.caller))
                    @if let Some(fields) = self.fields(state.clock.now()) { (fields) }
                    div.field {
                        label for="reason" { (words::REASON) }
                        textarea #reason name="reason" rows="3" required maxlength=(reason::MAX_CHARACTERS) aria-describedby="reason-hint" { (self.sent("reason")) }
                        span.hint #reason-hint { (words::REASON_HINT) }
                    }
                    div.actions {
                        button.(if text.danger { "danger" } else { "primary" }) type="submit" { (text.button) }
                        a.button.quiet href=(self.act.on().page()) { (words::BACK) }
                    }
                }
            }
        };
        Ok(page_with(
            state,
            self.caller,
            (status, Place::Other),
            text.title,
            &content,
        ))
    }

    fn sent(&self, field: &str) -> &str {
        self.form.and_then(|form| form.get(field)).unwrap_or("")
    }

    /// What it is done to, as it stands.
    async fn subject(&self, state: &AppState) -> Result<Option<Markup>, Problem> {
        Ok(Some(match self.act.on() {
            On::Service => return Ok(None),
            On::Node(node) => html! { (words::NODE) " " (node_name(node)) },
            On::Projection(projection) => {
                html! { (words::PROJECTION) " " span.mono { (projection) } }
            }
            On::Export(id) => {
                let found = state.system.export(id).await?.ok_or(Code::NotFound)?;
                let now = found.export.status_at(state.clock.now());
                html! {
                    (words::EXPORT) " " (export_link(id)) " · " (tenant_link(&found.export.request.tenant)) " · "
                    (status(now.as_str(), crate::http::pages::words::operator::status(now)))
                }
            }
            On::Tenant(tenant) => html! { (words::TENANT) " " (tenant_link(tenant)) },
            On::Module(tenant, module) => {
                html! { (words::TENANT) " " (tenant_link(tenant)) " · " (words::MODULE) " " span.mono { (module) } }
            }
        }))
    }

    /// What has to be said besides the reason.
    fn fields(&self, now: Timestamp) -> Option<Markup> {
        match self.act {
            Act::Plain(_) => None,
            Act::Exempt(_) => Some(self.exemption(now)),
            Act::Cancel(_) => Some(self.grace()),
        }
    }

    fn grace(&self) -> Markup {
        let days = match self.sent("grace_days") {
            "" => GRACE_DAYS.to_string(),
            sent => sent.to_owned(),
        };
        html! {
            div.field {
                label for="grace-days" { (words::GRACE) }
                input #grace-days type="number" name="grace_days" min="0" max=(MAX_GRACE_DAYS) required value=(days) aria-describedby="grace-hint";
                span.hint #grace-hint { (words::GRACE_HINT) }
            }
        }
    }

    fn exemption(&self, now: Timestamp) -> Markup {
        let chosen = |value: &str| self.sent("limit") == value;
        let until = now.plus(EXEMPT_FOR).to_string();
        let until = match self.sent("until") {
            "" => until.get(..16).unwrap_or_default(),
            sent => sent,
        };
        let count = match self.sent("count") {
            "" => "1",
            sent => sent,
        };
        let once = match self.sent("once") {
            "" => Uuid::new_v4().to_string(),
            sent => sent.to_owned(),
        };
        let person = match self.sent("person") {
            "" => self.person.unwrap_or(""),
            sent => sent,
        };
        html! {
            input type="hidden" name="once" value=(once);
            div.fields {
                div.field {
                    label for="limit" { (words::LIMIT) }
                    select #limit name="limit" {
                        option value="tenant" selected[chosen("tenant")] { (words::LIMIT_TENANT) }
                        option value="user" selected[chosen("user") || !person.is_empty()] { (words::LIMIT_USER) }
                    }
                }
                div.field {
                    label for="count" { (words::COUNT) }
                    input #count type="number" name="count" min="1" max="1000" required value=(count);
                }
                div.field {
                    label for="until" { (words::UNTIL) }
                    input #until type="datetime-local" name="until" required value=(until);
                }
            }
            div.field {
                label for="person" { (words::PERSON) }
                input #person type="text" name="person" maxlength="256" autocomplete="off" value=(person) aria-describedby="person-hint";
                span.hint #person-hint { (words::PERSON_HINT) }
            }
        }
    }
}
