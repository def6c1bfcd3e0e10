//! An export that waits, and that another node holds in its queue.

use carnet_events::codec::{self, Context};
use carnet_events::domain::export::ExportEvent;
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request};
use carnet_events::ids::{ExportId, TenantId};
use carnet_events::store::Expected;
use carnet_events::stream::StreamName;
use uuid::Uuid;

use super::support::NOW;
use super::*;

/// What another node admitted: events, and nothing that this node's dispatcher was told.
async fn queued_elsewhere(state: &AppState, number: u128) -> ExportId {
    let (tenant, export) = (
        TenantId::new("acme").unwrap(),
        ExportId::from_uuid(Uuid::from_u128(number)),
    );
    let principal = state
        .system
        .principal(&tenant, "ada", &carnet_actors::Cause::default())
        .await
        .unwrap();
    let request = Request {
        tenant: tenant.clone(),
        principal: principal.clone(),
        origin: Origin::User,
        kind: ExportKind::Account,
        categories: vec!["users".to_owned()],
        scope: None,
        format: Format::Json,
        layers: vec![Layer::Gzip],
        policy_digests: Default::default(),
        retry_of: None,
    };
    let context = Context {
        tenant: Some(tenant),
        principal: Some(principal),
        ..Context::default()
    };
    let event = ExportEvent::Requested(request);
    let event = codec::encode(Uuid::new_v4(), NOW, &event, &context).unwrap();
    let stream = StreamName::export(export);
    let appended = state.store.append(&stream, Expected::NoStream, vec![event]);
    appended.await.unwrap();
    export
}

#[actix_web::test]
async fn its_place_is_told_alike_in_the_list_and_by_itself() {
    let state = state(|_| ()).await;
    let admin = format!("Bearer {}", token(&["client_admin"]));
    let ask = async |path: &str| {
        let request = test::TestRequest::get().uri(path);
        let request = request.insert_header((header::AUTHORIZATION, admin.clone()));
        let response = send(&state, request).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        json(response).await
    };
    for number in 1..=2 {
        queued_elsewhere(&state, number).await;
    }
    let list = ask("/api/account-exports").await;
    let items = list["items"].as_array().unwrap();
    let places: Vec<_> = items.iter().map(|item| &item["queue_position"]).collect();
    assert_eq!(places, [2, 1], "{list}");
    for item in items {
        let own = ask(item["_links"]["self"].as_str().unwrap()).await;
        assert_eq!(own["queue_position"], item["queue_position"], "{own}");
        assert_eq!(own["reason"], item["reason"], "{own}");
    }
}
