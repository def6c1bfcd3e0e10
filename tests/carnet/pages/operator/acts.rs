//! Each act: the form says what will happen, what is written is shown, and stands in the tenant's audit log.

use serde_json::json;

use super::{WHY, act, done, house};
use crate::pages::portal::until;
use crate::support::Client;

/// What of the audit log of the admin's tenant has this type.
async fn audited(admin: &Client, kind: &str) -> Vec<serde_json::Value> {
    let path = format!("/api/audit-log?type={kind}");
    let page = admin.get(&path).await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn intake_is_paused_and_resumed() {
    let (_site, _server, operator, admin) = house();
    let form = operator.get("/operator/act/pause_intake").await.expect(200);
    assert!(
        form.text()
            .contains("New requests are refused on every node")
    );
    let board = done(&operator, "pause_intake", &[], "intake_paused").await;
    assert!(board.contains("need") && board.contains("The intake is paused"));
    let refused = admin.create(&["tickets"]).await.expect(503);
    assert_eq!(refused.code(), "intake_paused");
    let again = act(&operator, "pause_intake", &[]).await.expect(200).text();
    assert!(again.contains("It was so already"), "{again}");
    done(&operator, "resume_intake", &[], "intake_resumed").await;
    admin.create(&["tickets"]).await.expect(202);
}

#[tokio::test]
async fn nodes_are_drained_and_projections_rebuilt() {
    let (_site, _server, operator, _admin) = house();
    let board = until(&operator, "/operator", "/operator/act/drain?node=").await;
    let drain = board.split("/operator/act/drain?node=").nth(1).unwrap();
    let node = &drain[..36];
    let drained = done(
        &operator,
        &format!("drain?node={node}"),
        &[],
        "drain_started",
    )
    .await;
    assert!(drained.contains("drain_started"), "{drained}");
    until(&operator, "/operator", "is draining").await;
    done(
        &operator,
        &format!("undrain?node={node}"),
        &[],
        "drain_ended",
    )
    .await;
    done(
        &operator,
        "rebuild?projection=exports",
        &[],
        "rebuild_requested",
    )
    .await;
    for nothing in [
        "drain?node=x",
        "drain",
        "rebuild?projection=users",
        "explode",
    ] {
        operator
            .get(&format!("/operator/act/{nothing}"))
            .await
            .expect(404);
        act(&operator, nothing, &[]).await.expect(404);
    }
}

#[tokio::test]
async fn exports_are_requeued_and_failed() {
    let (_site, _server, operator, admin) = house();
    let job = admin.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    admin.reaches(id, "running").await;
    let form = operator
        .get(&format!("/operator/act/fail?export={id}"))
        .await
        .expect(200)
        .text();
    assert!(
        form.contains("It ends for good") && form.contains("Running"),
        "{form}"
    );
    let requeued = done(&operator, &format!("requeue?export={id}"), &[], "requeued").await;
    assert!(requeued.contains("Timeline"), "{requeued}");
    done(&operator, &format!("fail?export={id}"), &[], "failed").await;
    assert_eq!(admin.settled(id).await["reason"]["code"], "operator");
    admin.audited("failed", 1).await;
    assert_eq!(audited(&admin, "requeued").await.len(), 1);

    // A failed one stays failed; another is admitted in its place, and shown.
    let other = done(&operator, &format!("requeue?export={id}"), &[], "requested").await;
    assert!(
        other.contains("In place of") && other.contains(id),
        "{other}"
    );
    let refused = act(&operator, &format!("fail?export={id}"), &[]).await;
    assert!(refused.text().contains("It was so already"));
}

#[tokio::test]
async fn exemptions_let_one_more_through_and_say_so() {
    let (_site, _server, operator, admin) = house();
    for _ in 0..3 {
        admin.export(&["tickets"]).await;
    }
    admin.create(&["tickets"]).await.expect(429);
    let tenant = operator
        .get("/operator/tenants/acme")
        .await
        .expect(200)
        .text();
    assert!(tenant.contains("0 of 3"), "{tenant}");
    let fields = [
        ("limit", "user"),
        ("count", "1"),
        ("until", "2099-01-01T00:00"),
    ];
    let refused = act(&operator, "exempt?tenant=acme", &fields)
        .await
        .expect(400)
        .text();
    assert!(
        refused.contains("at most 366 days") && refused.contains("2099-01-01T00:00"),
        "{refused}"
    );
    let form = operator
        .get("/operator/act/exempt?tenant=acme")
        .await
        .expect(200)
        .text();
    let value = |name: &str| {
        let field = form.split(&format!("name=\"{name}\"")).nth(1).unwrap();
        let value = field.split("value=\"").nth(1).unwrap();
        value.split('"').next().unwrap().to_owned()
    };
    let (until, once) = (value("until"), value("once"));
    let fields = [
        ("limit", "user"),
        ("count", "1"),
        ("until", until.as_str()),
        ("once", once.as_str()),
    ];
    let granted = done(
        &operator,
        "exempt?tenant=acme",
        &fields,
        "exemption_granted",
    )
    .await;
    assert!(granted.contains("1 request"), "{granted}");
    // The same form sent twice is one exemption.
    let twice = act(&operator, "exempt?tenant=acme", &fields).await.text();
    assert!(twice.contains("It was so already"), "{twice}");
    admin.create(&["tickets"]).await.expect(202);
    assert_eq!(audited(&admin, "exemption_granted").await.len(), 1);
}

#[tokio::test]
async fn tenants_are_closed_and_reopened() {
    let (_site, _server, operator, admin) = house();
    admin.export(&["tickets"]).await;
    let closed = done(&operator, "close?tenant=acme", &[], "closed").await;
    assert!(
        closed.contains("Closed") && closed.contains("Reopen"),
        "{closed}"
    );
    assert_eq!(
        admin.create(&["tickets"]).await.expect(403).code(),
        "tenant_closed"
    );
    let board = until(&operator, "/operator", "/operator/tenants/acme").await;
    assert!(board.contains("Closed tenants"));
    done(&operator, "reopen?tenant=acme", &[], "reopened").await;
    admin.create(&["tickets"]).await.expect(202);
    admin.audited("tenant_closed", 1).await;
    assert_eq!(audited(&admin, "tenant_reopened").await.len(), 1);
    operator.get("/operator/tenants/nobody").await.expect(404);
    act(&operator, "close?tenant=nobody", &[]).await.expect(404);
}

#[tokio::test]
async fn tenants_are_cancelled_with_what_follows_spelled_out_and_come_back() {
    let (_site, _server, operator, admin) = house();
    admin.export(&["tickets"]).await;
    let path = "/operator/act/cancel_tenant?tenant=acme";
    let tenant = operator.get("/operator/tenants/acme").await.expect(200);
    assert!(tenant.text().contains(path), "{}", tenant.text());
    let form = operator.get(path).await.expect(200).text();
    for said in ["days of grace", "purged", "value=\"30\"", "max=\"366\""] {
        assert!(form.contains(said), "{said}: {form}");
    }
    for days in ["", "soon", "367", "-1"] {
        let fields = [("grace_days", days)];
        let refused = act(&operator, "cancel_tenant?tenant=acme", &fields).await;
        let refused = refused.expect(400).text();
        assert!(refused.contains("Nothing was done"), "{days}: {refused}");
    }
    let fields = [("grace_days", "2")];
    let cancelled = done(&operator, "cancel_tenant?tenant=acme", &fields, "cancelled").await;
    assert!(
        !cancelled.contains("act/cancel_tenant") && cancelled.contains("act/reactivate"),
        "{cancelled}"
    );
    let shown = operator.get("/api/operator/tenants/acme").await.json();
    assert_eq!(shown["lifecycle"], "cancelled", "{shown}");
    admin.export(&["tickets"]).await;
    done(&operator, "reactivate?tenant=acme", &[], "reactivated").await;
    let nobody = "cancel_tenant?tenant=nobody";
    act(&operator, nobody, &fields).await.expect(404);
    operator
        .get("/operator/act/cancel_tenant")
        .await
        .expect(404);
}

#[tokio::test]
async fn without_a_reason_nothing_is_done_and_the_form_comes_back_as_it_was() {
    let (_site, _server, operator, admin) = house();
    admin.export(&["tickets"]).await;
    let hostile = "\"><script>alert(1)</script>";
    for reason in ["", "   "] {
        let fields = [
            ("reason", reason),
            ("limit", "user"),
            ("count", "7"),
            ("person", hostile),
        ];
        let path = "/operator/act/exempt?tenant=acme";
        let page = super::super::portal::post(&operator, path, &fields)
            .await
            .expect(400)
            .text();
        assert!(
            page.contains("Nothing was done") && page.contains("Give a reason"),
            "{page}"
        );
        assert!(
            page.contains("value=\"7\"") && !page.contains("<script>alert"),
            "{page}"
        );
    }
    let pause = super::super::portal::post(&operator, "/operator/act/pause_intake", &[]).await;
    pause.expect(400);
    admin.create(&["tickets"]).await.expect(202);
    let log = admin.get("/api/audit-log").await.expect(200).json();
    assert!(!log.to_string().contains(WHY) && log["items"] != json!([]));
}
