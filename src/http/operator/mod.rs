//! `/api/operator`: looking at the whole service, and intervening. For callers with the role `operator` and no tenant; for
//! everybody else none of it is there.
//!
//! | room | what is in it |
//! |---|---|
//! | `access` | who acts |
//! | `actions` | every act there is, for these routes and for pages alike |
//! | `orders` | the routes that act |
//! | `overview`, `list`, `tenant`, `platform_log` | the routes that show |

pub(in crate::http) mod access;
pub(in crate::http) mod actions;
mod again;
mod answer;
mod list;
mod orders;
mod overview;
mod platform_log;
mod tenant;
mod views;

use actix_web::web;

/// The description of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    overview::get,
    list::get,
    platform_log::get,
    tenant::get,
    orders::intake::pause,
    orders::intake::resume,
    orders::nodes::drain,
    orders::nodes::undrain,
    orders::exports::requeue,
    orders::exports::fail,
    orders::exports::hold,
    orders::exports::release_hold,
    orders::tenants::exempt,
    orders::tenants::close,
    orders::tenants::reopen,
    orders::tenants::cancel,
    orders::tenants::reactivate,
    orders::tenants::switch_module,
    orders::projections::rebuild,
))]
pub(super) struct Api;

/// The routes, within `/api`.
pub(super) fn routes(scope: &mut web::ServiceConfig) {
    let post = |path: &str| web::resource(format!("/operator{path}"));
    scope
        .service(readable!("/operator/overview", overview::get))
        .service(readable!("/operator/exports", list::get))
        .service(readable!("/operator/platform-log", platform_log::get))
        .service(readable!("/operator/tenants/{tenant}", tenant::get))
        .service(post("/intake/pause").route(web::post().to(orders::intake::pause)))
        .service(post("/intake/resume").route(web::post().to(orders::intake::resume)))
        .service(post("/nodes/{node}/drain").route(web::post().to(orders::nodes::drain)))
        .service(post("/nodes/{node}/undrain").route(web::post().to(orders::nodes::undrain)))
        .service(post("/exports/{id}/requeue").route(web::post().to(orders::exports::requeue)))
        .service(post("/exports/{id}/fail").route(web::post().to(orders::exports::fail)))
        .service(post("/exports/{id}/hold").route(web::post().to(orders::exports::hold)))
        .service(
            post("/exports/{id}/release-hold").route(web::post().to(orders::exports::release_hold)),
        )
        .service(
            post("/tenants/{tenant}/exemptions").route(web::post().to(orders::tenants::exempt)),
        )
        .service(post("/tenants/{tenant}/close").route(web::post().to(orders::tenants::close)))
        .service(post("/tenants/{tenant}/reopen").route(web::post().to(orders::tenants::reopen)))
        .service(post("/tenants/{tenant}/cancel").route(web::post().to(orders::tenants::cancel)))
        .service(
            post("/tenants/{tenant}/reactivate").route(web::post().to(orders::tenants::reactivate)),
        )
        .service(
            post("/tenants/{tenant}/modules/{module}")
                .route(web::post().to(orders::tenants::switch_module)),
        )
        .service(
            post("/projections/{name}/rebuild").route(web::post().to(orders::projections::rebuild)),
        );
}
