//! The frame that all pages share: head, top bar, the desks this person may see, and the rules the browser enforces.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::words::frame as words;
use crate::auth::Caller;
use crate::config::Config;

/// What a page may load and do: its own style sheet, scripts, pictures and addresses; nothing inline, nothing foreign.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// htmx without `eval`, without styles of its own, and without copies of pages in the browser's storage.
const HTMX: &str = r#"{"allowEval":false,"includeIndicatorStyles":false,"historyCacheSize":0,"refreshOnHistoryMiss":true,"selfRequestsOnly":true,"scrollBehavior":"auto"}"#;

/// One of the three desks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Desk {
    /// Exports, for the people of a tenant.
    Portal,
    /// The history, for auditors.
    Audit,
    /// The service, for operators.
    Operator,
}

impl Desk {
    const ALL: [Self; 3] = [Self::Portal, Self::Audit, Self::Operator];

    /// Its address.
    pub(super) fn address(self) -> &'static str {
        match self {
            Self::Portal => "/settings?section=data-exports",
            Self::Audit => "/audit",
            Self::Operator => "/operator",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Portal => words::PORTAL,
            Self::Audit => words::AUDIT,
            Self::Operator => words::OPERATOR,
        }
    }

    /// Whether `caller` has anything to do there.
    pub(super) fn is_open_to(self, caller: &Caller, config: &Config) -> bool {
        match self {
            Self::Portal => {
                caller.tenant.is_some() && caller.has_any_role(&config.limits.request_roles)
            }
            Self::Audit => {
                caller.tenant.is_some()
                    && (caller.has_role("auditor") || caller.has_role("client_admin"))
            }
            Self::Operator => caller.tenant.is_none() && caller.has_role("operator"),
        }
    }

    /// The desk this person most likely wants; `None` when none is theirs.
    pub(in crate::http) fn home_of(caller: &Caller, config: &Config) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|desk| desk.is_open_to(caller, config))
    }
}

/// What surrounds a page's content.
pub(super) struct Frame<'a> {
    /// Who looks at it.
    pub(super) caller: &'a Caller,
    /// The configuration in effect.
    pub(super) config: &'a Config,
    /// The desk it belongs to.
    pub(super) desk: Desk,
    /// Its title.
    pub(super) title: &'a str,
}

impl Frame<'_> {
    /// The page with `content`.
    pub(super) fn page(&self, content: &Markup) -> HttpResponse {
        self.page_with(StatusCode::OK, content)
    }

    /// The page with `content`, answered with `status`.
    pub(super) fn page_with(&self, status: StatusCode, content: &Markup) -> HttpResponse {
        let desks = Desk::ALL
            .into_iter()
            .filter(|desk| desk.is_open_to(self.caller, self.config));
        let tenant = self.caller.tenant.as_ref().map(|tenant| tenant.as_str());
        answer(
            status,
            self.title,
            &html! {
                a.skip href="#main" { (words::SKIP) }
                header.top {
                    a.brand href="/" { (brand()) }
                    span.tenant { (tenant.unwrap_or(words::PLATFORM)) }
                    span.person { (self.caller.subject) " · " (roles(self.caller)) }
                    (sign_out(self.caller))
                }
                div.columns {
                    nav.desks aria-label=(words::DESKS) {
                        @for desk in desks {
                            a href=(desk.address()) aria-current=[(desk == self.desk).then_some("page")] { (desk.name()) }
                        }
                    }
                    main #main tabindex="-1" { (content) }
                }
                p #connection.banner.warn role="status" hidden { (words::CONNECTION_LOST) }
                p #signed-out.banner.warn role="alert" hidden {
                    (words::SIGNED_OUT) " " a href="" { (words::SIGN_IN_AGAIN) }
                }
            },
        )
    }
}

/// The way out, for those who signed in with a browser.
pub(super) fn sign_out(caller: &Caller) -> Markup {
    html! {
        @if caller.csrf().is_some() {
            form method="post" action="/sign-out" {
                (super::form::csrf_field(caller))
                button.quiet type="submit" { (words::SIGN_OUT) }
            }
        }
    }
}

/// Roles as people write them: `client_admin` is “client admin”.
fn roles(caller: &Caller) -> String {
    caller.roles.join(", ").replace('_', " ")
}

/// A page without a person: sign-in, problems.
pub(in crate::http) fn bare(status: StatusCode, title: &str, content: &Markup) -> HttpResponse {
    answer(
        status,
        title,
        &html! {
            header.top { a.brand href="/" { (brand()) } }
            main.narrow #main { (content) }
        },
    )
}

fn brand() -> Markup {
    html! {
        img src=(assets::address("icon.svg")) width="24" height="24" alt="";
        (words::PRODUCT)
    }
}

/// A part of a page, fetched to be swapped in.
pub(super) fn fragment(content: Markup) -> HttpResponse {
    html_answer(StatusCode::OK, content)
}

fn answer(status: StatusCode, title: &str, body: &Markup) -> HttpResponse {
    html_answer(
        status,
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="htmx-config" content=(HTMX);
                    title { (title) " · " (words::PRODUCT) }
                    link rel="icon" href=(assets::address("icon.svg")) type="image/svg+xml";
                    link rel="stylesheet" href=(assets::address("style.css"));
                    @for script in assets::SCRIPTS {
                        script src=(assets::address(script)) defer {}
                    }
                }
                body { (body) }
            }
        },
    )
}

fn html_answer(status: StatusCode, content: Markup) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "HX-Request"))
        .body(content.into_string())
}
