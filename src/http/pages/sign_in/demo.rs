//! `/demo/sign-in`: choosing a person instead of signing in. Only in the demo; elsewhere the address is one that no page has.

use actix_web::guard::{self, Guard, GuardContext};
use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::session::SignInBy;
use carnet_events::ids::TenantId;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Wanted, complete, return_to};
use crate::auth::{Identity, Way};
use crate::demo::{PEOPLE, Person};
use crate::http::pages::form::Form;
use crate::http::pages::frame::bare;
use crate::http::pages::problems::as_pages;
use crate::http::pages::words::sign_in as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

const ADDRESS: &str = "/demo/sign-in";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        readable!("/demo/sign-in", page)
            .route(web::post().to(post))
            .guard(in_the_demo())
            .wrap(from_fn(as_pages)),
    );
}

fn in_the_demo() -> impl Guard {
    guard::fn_guard(|context: &GuardContext<'_>| {
        let state = context.app_data::<web::Data<AppState>>();
        state.is_some_and(|state| matches!(state.sessions.way(), Way::Demo))
    })
}

/// Where a person is chosen, to go on to the page that is wanted.
pub(super) fn address(wanted: Option<&str>) -> String {
    match wanted {
        Some(wanted) => {
            let wanted = utf8_percent_encode(wanted, NON_ALPHANUMERIC);
            format!("{ADDRESS}?return_to={wanted}")
        }
        None => ADDRESS.to_owned(),
    }
}

async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let wanted: Wanted = query(&request)?;
    let wanted = wanted.return_to.as_deref().and_then(return_to::checked);
    Ok(bare(
        StatusCode::OK,
        words::CHOOSE,
        &html! {
            h1 { (words::CHOOSE) }
            p.muted { (words::DEMO) }
            form method="post" action=(ADDRESS) {
                @if let Some(wanted) = wanted {
                    input type="hidden" name="return_to" value=(wanted);
                }
                @for tenant in tenants() {
                    h2 { (tenant.unwrap_or(words::PLATFORM)) }
                    ul.people {
                        @for person in PEOPLE.iter().filter(|person| person.tenant == tenant) {
                            (card(person))
                        }
                    }
                }
            }
        },
    ))
}

fn card(person: &Person) -> Markup {
    html! {
        li.card {
            h3 { (words::role(person.role)) " " span.muted { (person.user) } }
            p { (words::may(person.role)) }
            button.primary type="submit" name="as" value=(person.name()) {
                (words::SIGN_IN_AS) " " (person.user)
            }
        }
    }
}

/// The tenants of the demo's people, each once.
fn tenants() -> Vec<Option<&'static str>> {
    let mut tenants: Vec<_> = PEOPLE.iter().map(|person| person.tenant).collect();
    tenants.dedup();
    tenants
}

async fn post(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let form = Form::read_from_stranger(&request, payload).await?;
    let chosen = form.get("as").unwrap_or_default();
    let person = PEOPLE
        .iter()
        .find(|person| person.name() == chosen)
        .ok_or_else(|| Problem::malformed("There is no such person here."))?;
    let wanted = form.get("return_to").and_then(return_to::checked);
    let who = identity(person)?;
    complete(&request, &state, SignInBy::Demo, who, None, wanted).await
}

fn identity(person: &Person) -> Result<Identity, Problem> {
    let tenant = person.tenant.map(TenantId::new).transpose();
    let mut permissions: Vec<_> = person
        .permissions
        .iter()
        .map(|&name| name.to_owned())
        .collect();
    permissions.sort_unstable();
    Ok(Identity {
        subject: person.user.to_owned(),
        tenant: tenant.map_err(|error| Problem::internal("a tenant of the demo", &error))?,
        roles: vec![person.role.to_owned()],
        permissions,
    })
}
