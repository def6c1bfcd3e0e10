//! `/operator/tenants/{id}`: one tenant as operators see it: state, what is active, limits, exemptions, modules.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_events::domain::tenant::window::{Window, windows};
use carnet_events::domain::tenant::{Lifecycle, LimitKind, Tenant};
use carnet_events::ids::{PrincipalId, TenantId, Timestamp};
use carnet_events::stream::StreamName;
use maud::{Markup, html};

use super::export::After;
use super::parts::{export_link, state as status_of, tenant_address};
use super::{Place, admit, notice, page};
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::pages::units::{ago, lasting, time};
use crate::http::pages::words::operator as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;

/// People whose limits are shown, those who asked last.
const PEOPLE: usize = 50;

pub(super) async fn get(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    admit(&state, &caller.0, &request).await?;
    let after: After = query(&request)?;
    let id = TenantId::new(id.as_str()).map_err(|_| Code::NotFound)?;
    let configured = state.config.tenants.contains_key(id.as_str());
    if !configured && !state.system.knows_tenant(&id).await? {
        return Err(Code::NotFound.into());
    }
    let view = state.system.tenant(&id).await?;
    let stream = StreamName::tenant(&id);
    let notice = notice::of(&state, &stream, Some(&id), after.event, after.unchanged).await;
    let (tenant, now) = (&view.tenant, state.clock.now());
    let storages = state.storages.view();
    let storage = state.storages.key_of(&id);
    let verified = storages.iter().find(|one| one.key == storage);
    let content = html! {
        @if let Some(notice) = notice { (notice) }
        div.title { h1 { (words::TENANT) " " (id) } }
        (acts(&id, tenant))
        div.pair {
            section {
                h2 { (words::HOW_IT_STANDS) }
                dl.facts {
                    dt { (words::STATUS) } dd { (standing(tenant, now)) }
                    dt { (words::REVISION) } dd { @if let Some(revision) = view.revision { (revision) } @else { "–" } }
                    dt { (words::STORAGE) } dd {
                        span.mono { (storage) } " "
                        @if verified.is_some_and(|one| one.problem.is_some()) { (status_of("failed", words::BROKEN_STORAGE)) }
                        @else { (status_of("completed", words::VERIFIED)) }
                    }
                    dt { (words::ACTIVE) } dd {
                        @if tenant.active.is_empty() { (words::NONE) }
                        @for (export, active) in &tenant.active { div { (export_link(*export)) " " span.muted { (ago(active.since)) } } }
                    }
                    dt { (words::ALL_EXPORTS) } dd { a href={ "/operator/exports?tenant=" (id) } { (words::SHOW_EXPORTS) } }
                }
                h2 { (words::MODULES) } (modules(&state, &id, tenant))
            }
            section {
                h2 { (words::LIMITS) } (limits(&state, &id, tenant, now))
                h2 { (words::EXEMPTIONS) } (exemptions(tenant, now))
            }
        }
    };
    Ok(page(
        &state,
        &caller.0,
        Place::Other,
        words::TENANT,
        &content,
    ))
}

fn act(name: &str, id: &TenantId) -> String {
    let address = tenant_address(id);
    let id = address.rsplit('/').next().unwrap_or_default();
    format!("/operator/act/{name}?tenant={id}")
}

fn acts(id: &TenantId, tenant: &Tenant) -> Markup {
    html! {
        div.actions {
            a.button href=(act("exempt", id)) { (words::EXEMPT) }
            @if tenant.closed { a.button href=(act("reopen", id)) { (words::REOPEN) } }
            @else { a.button href=(act("close", id)) { (words::CLOSE) } }
            @match tenant.lifecycle {
                Lifecycle::Active => a.button href=(act("cancel_tenant", id)) { (words::CANCEL) },
                Lifecycle::Cancelled { .. } => a.button href=(act("reactivate", id)) { (words::REACTIVATE) },
                Lifecycle::Purging | Lifecycle::Purged => {}
            }
        }
    }
}

fn standing(tenant: &Tenant, now: Timestamp) -> Markup {
    html! {
        @if tenant.closed { (status_of("failed", words::CLOSED)) " " }
        @match tenant.lifecycle {
            Lifecycle::Active if tenant.closed => {},
            Lifecycle::Active => (status_of("completed", words::OPEN)),
            Lifecycle::Cancelled { grace_until } if now < grace_until => { (status_of("warn", words::IN_GRACE)) " " (time(grace_until)) },
            Lifecycle::Cancelled { .. } => (status_of("failed", words::GRACE_OVER)),
            Lifecycle::Purging => (status_of("failed", words::PURGING)),
            Lifecycle::Purged => (status_of("failed", words::PURGED)),
        }
    }
}

fn limits(state: &AppState, id: &TenantId, tenant: &Tenant, now: Timestamp) -> Markup {
    let limits = state.config.limits.for_domain();
    // The tenant's window is the same whoever asks.
    let mut people: BTreeMap<&PrincipalId, Timestamp> = BTreeMap::new();
    for accepted in &tenant.accepted {
        people.insert(&accepted.principal, accepted.at);
    }
    let of = |who: &PrincipalId| windows(tenant, &limits, who, now);
    let nobody = PrincipalId::new("nobody").ok();
    let shared = nobody.as_ref().map(|nobody| of(nobody).tenant);
    let mut recent: Vec<(&PrincipalId, Timestamp)> = people.into_iter().collect();
    recent.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
    html! {
        table.stacked {
            thead { tr {
                th scope="col" { (words::LIMIT_OF) } th.number scope="col" { (words::LEFT) } th scope="col" { (words::OPENS) }
                th scope="col" { span.visually-hidden { (words::ACTION) } }
            } }
            tbody {
                @if let Some(window) = shared { (limit(&html! { (words::WHOLE_TENANT) }, &window, &act("exempt", id))) }
                @for (person, _) in recent.iter().take(PEOPLE) {
                    @let form = format!("{}&person={person}", act("exempt", id));
                    (limit(&html! { span.mono title=(person) { (person.as_str().get(..14).unwrap_or(person.as_str())) } }, &of(person).user, &form))
                }
            }
        }
        @if recent.is_empty() { p.hint { (words::NOBODY_ASKED) } }
    }
}

fn limit(whose: &Markup, window: &Window, form: &str) -> Markup {
    html! {
        tr {
            td data-label=(words::LIMIT_OF) { (whose) }
            td.number data-label=(words::LEFT) { (words::left(window.remaining(), window.limit, &lasting(window.length))) }
            td data-label=(words::OPENS) {
                @if window.fits() { (words::OPEN_NOW) }
                @else if let Some(at) = window.next_allowed_at { (time(at)) }
                @else { "–" }
            }
            td.act { a.button.small href=(form) { (words::EXEMPT) } }
        }
    }
}

fn exemptions(tenant: &Tenant, now: Timestamp) -> Markup {
    let open: Vec<_> = tenant
        .exemptions
        .iter()
        .filter(|one| one.left > 0 && now < one.until)
        .collect();
    if open.is_empty() {
        return html! { p.muted { (words::NO_EXEMPTIONS) } };
    }
    html! {
        ul.plain { @for one in open { li {
            @match one.limit { LimitKind::User => (words::OF_PERSON), LimitKind::Tenant => (words::WHOLE_TENANT) }
            ": " (words::requests_left(one.left)) " " (words::UNTIL) " " (time(one.until))
            @if let Some(person) = &one.person { " · " span.mono { (person) } }
        } } }
    }
}

fn modules(state: &AppState, id: &TenantId, tenant: &Tenant) -> Markup {
    let categories = state.catalog.categories();
    let modules: BTreeSet<&str> = categories.filter_map(|one| one.module.as_deref()).collect();
    if modules.is_empty() {
        return html! { p.muted { (words::NO_MODULES) } };
    }
    html! {
        table.stacked {
            thead { tr {
                th scope="col" { (words::MODULE) } th scope="col" { (words::STATUS) } th scope="col" { (words::BECAUSE) }
                th scope="col" { span.visually-hidden { (words::ACTION) } }
            } }
            tbody { @for module in modules {
                @let on = tenant.module_is_on(module, state.config.module_is_on(id, module));
                tr {
                    td.mono data-label=(words::MODULE) { (module) }
                    td data-label=(words::STATUS) { @if on { (status_of("completed", words::ON)) } @else { (status_of("cancelled", words::OFF)) } }
                    td data-label=(words::BECAUSE) { @if tenant.modules.contains_key(module) { (words::SWITCHED) } @else { (words::CONFIGURED) } }
                    td.act {
                        a.button.small href=(format!("{}&module={module}", act(if on { "module_off" } else { "module_on" }, id))) {
                            @if on { (words::SWITCH_OFF) } @else { (words::SWITCH_ON) }
                        }
                    }
                }
            } }
        }
    }
}
