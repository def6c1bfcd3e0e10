//! The HTTP interface.
//!
//! Layers, from the outside: `observe` (ids, bound, panics, problem documents, log), `authenticate` (every `/api`
//! path), then the routes, one file per resource. A handler first decides access, then reads the body, then acts.

/// A resource that is read: GET, and HEAD beside it (RFC 9110, section 9.1).
macro_rules! readable {
    ($path:literal, $handler:path) => {
        web::resource($path)
            .route(web::get().to($handler))
            .route(web::head().to($handler))
    };
}

mod account_exports;
mod admission;
mod audit_log;
mod authenticate;
mod body;
mod codes;
mod conditional;
mod context;
mod cookies;
mod csrf;
mod docs;
mod failures;
mod health;
mod links;
mod observe;
pub mod openapi;
pub(crate) mod operator;
mod page;
mod pages;
mod problem;
mod problem_pages;
mod query;
mod reason;
mod server;
mod sessions;
mod sse;
mod state;
mod streams;
#[cfg(test)]
mod tests;
mod viewer;

use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};

pub use authenticate::SignedIn;
pub use codes::Code;
pub use context::{RequestContext, TraceId};
pub use health::Failing;
pub use problem::Problem;
pub use server::{Server, ServerError};
pub use state::{AppState, ReadyCheck};
pub use streams::Streams;

/// The routes of the main listener.
fn routes(app: &mut web::ServiceConfig) {
    app.service(readable!("/healthz", health::healthz))
        .service(readable!("/readyz", health::readyz))
        .service(
            readable!("/metrics", health::metrics_for_operators)
                .wrap(from_fn(authenticate::authenticate)),
        )
        .service(readable!("/openapi.json", openapi::get))
        .service(readable!("/docs", docs::get))
        .service(readable!("/problems", problem_pages::all))
        .service(readable!("/problems/{code}", problem_pages::one))
        .service(
            web::scope("/api")
                .wrap(from_fn(authenticate::authenticate))
                .configure(account_exports::routes)
                .service(readable!("/audit-log", audit_log::get))
                .configure(operator::routes)
                .default_service(web::to(not_found)),
        )
        .configure(account_exports::link_routes)
        // Last: it has an answer for every address.
        .configure(pages::routes);
}

/// An address that nothing has, behind sign-in: recorded like one that isn't there for the caller.
async fn not_found(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    Err(viewer::turn_away(&state, caller.0, &request, "unknown").await)
}
