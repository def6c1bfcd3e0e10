//! `/api/account-exports`: asking for exports, following them, getting their files.

pub(super) mod cancel;
pub(super) mod catalog;
pub(super) mod create;
mod download;
mod events;
pub(super) mod gate;
pub(super) mod history;
mod job;
pub(super) mod link;
pub(super) mod list;
mod presigned;
mod show;

pub(super) use download::Documents;

use actix_web::web;

/// The description of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    catalog::get,
    list::get,
    create::post,
    show::get,
    cancel::post,
    download::get,
    link::post,
    link::delete,
    link::get,
    history::get,
    events::get,
))]
pub(super) struct Api;

/// The routes, within `/api`.
pub(super) fn routes(scope: &mut web::ServiceConfig) {
    scope
        .service(readable!("/account-exports/catalog", catalog::get))
        .service(readable!("/account-exports", list::get).route(web::post().to(create::post)))
        .service(readable!("/account-exports/{id}", show::get))
        .service(web::resource("/account-exports/{id}/cancel").route(web::post().to(cancel::post)))
        .service(readable!("/account-exports/{id}/download", download::get))
        .service(
            web::resource("/account-exports/{id}/download-link")
                .route(web::post().to(link::post))
                .route(web::delete().to(link::delete)),
        )
        .service(readable!("/account-exports/{id}/history", history::get))
        .service(web::resource("/account-exports/{id}/events").route(web::get().to(events::get)));
}

/// The route of links, outside `/api`: the link is the credential.
pub(super) fn link_routes(app: &mut web::ServiceConfig) {
    app.service(readable!("/downloads/{link}", link::get));
}

/// What the API calls a moment: RFC 3339 with milliseconds.
fn rfc3339(at: carnet_events::ids::Timestamp) -> String {
    at.to_string()
}
