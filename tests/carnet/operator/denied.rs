//! For everybody but operators there is nothing under `/api/operator`.

use serde_json::json;

use super::WHY;
use crate::account_exports::not_found::shown;
use crate::support::{Server, Site};

#[tokio::test]
async fn everybody_else_gets_the_one_not_found_and_it_is_recorded_where_they_are_at_home() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    let job = admin.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let unknown = "/api/account-exports/01890a5d-ac96-774b-bcce-b302099a8057";
    let reference = shown(&admin.get(unknown).await);
    let before = admin.audit("access_denied").await.len();

    // An operator's role within a tenant is none.
    let both = ["--role", "operator", "--role", "client_admin"];
    let both = server.client(&site.token_with("globex", "eve", &both));
    let auditor = server.client(&site.token_with("acme", "ann", &["--role", "auditor"]));
    let paths = [
        "/intake/pause".to_owned(),
        "/nodes/this/drain".to_owned(),
        format!("/exports/{id}/requeue"),
        format!("/exports/{id}/fail"),
        "/tenants/acme/close".to_owned(),
        "/tenants/acme/exemptions".to_owned(),
        "/tenants/globex/modules/core".to_owned(),
        "/projections/exports/rebuild".to_owned(),
        "/overview".to_owned(),
        "/exports".to_owned(),
        "/tenants/acme".to_owned(),
        "/platform-log".to_owned(),
    ];
    for client in [&admin, &auditor, &both] {
        for path in &paths {
            let path = format!("/api/operator{path}");
            if ["overview", "exports", "acme", "log"]
                .iter()
                .any(|end| path.ends_with(end))
            {
                assert_eq!(shown(&client.get(&path).await), reference, "{path}");
                continue;
            }
            for body in [json!({ "reason": WHY }), json!([])] {
                let answer = client.post(&path, body).await;
                assert_eq!(shown(&answer), reference, "{path}");
            }
        }
    }
    let denied = admin.audit("access_denied").await;
    let routes = denied.len() - before;
    assert_eq!(routes, 2, "the first of each person: {denied:?}");
    assert_eq!(both.audit("access_denied").await.len(), 1);
    assert_eq!(
        server.client("").get("/api/operator/overview").await.status,
        401
    );
}

#[tokio::test]
async fn who_asks_for_metrics_and_is_no_operator_is_recorded_too() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    ada.get("/metrics").await.expect(404);
    assert_eq!(ada.audit("access_denied").await.len(), 1);
}
