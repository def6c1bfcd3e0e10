//! Who sees the board, what stands on it, and what never does.

use std::time::Duration;

use super::house;
use crate::pages::portal::{head_is_alike, until};

const PAGES: [&str; 6] = [
    "/operator",
    "/operator/live",
    "/operator/exports",
    "/operator/tenants/acme",
    "/operator/act/pause_intake",
    "/operator/find?id=acme",
];

#[tokio::test]
async fn to_everybody_else_nothing_is_there() {
    let (site, server, _operator, admin) = house();
    let with_tenant = site.token_with("acme", "eve", &["--role", "operator"]);
    let auditor = site.token_with("acme", "ann", &["--role", "auditor"]);
    let unknown = admin.get("/operators").await;
    for token in [&with_tenant, &auditor, &site.token("acme", "ada")] {
        let client = server.client(token);
        for page in PAGES {
            let answer = client.get(page).await.expect(404);
            assert_eq!(answer.code(), "not_found");
            assert_eq!(
                answer.header("cache-control"),
                unknown.header("cache-control")
            );
        }
        for form in ["/operator/act/pause_intake", "/operator/storages/verify"] {
            client.post_form(form, "reason=because").await.expect(404);
        }
    }
    admin.create(&["tickets"]).await.expect(202);
}

#[tokio::test]
async fn the_board_says_how_it_stands_and_names_nobody() {
    let (_site, _server, operator, admin) = house();
    let fresh = until(&operator, "/operator", "All well").await;
    assert!(fresh.contains("No export has been asked for yet"));
    let job = admin.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    admin.reaches(id, "running").await;
    let board = until(&operator, "/operator", id).await;
    for said in [
        "Queued",
        "Verified",
        "audit_log",
        "Requests are taken",
        "<svg",
        "As a table",
    ] {
        assert!(board.contains(said), "{said}: {board}");
    }
    head_is_alike(&operator, "/operator?range=day").await;
    assert_eq!(
        operator.get("/operator?range=year").await.status.as_u16(),
        400
    );

    let export = operator
        .get(&format!("/operator/exports/{id}"))
        .await
        .expect(200)
        .text();
    assert!(
        export.contains("started") && export.contains("Fail"),
        "{export}"
    );
    let tenant = operator
        .get("/operator/tenants/acme")
        .await
        .expect(200)
        .text();
    assert!(
        tenant.contains(id) && tenant.contains("9 of 10"),
        "{tenant}"
    );
    for page in [&board, &export, &tenant] {
        assert!(!page.contains("lovelace"), "{page}");
        assert!(
            !page.contains("style=") && !page.contains("download"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn exports_are_filtered_by_what_the_address_says() {
    let (site, server, operator, admin) = house();
    let done = admin.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = server.client(&site.token("globex", "gus"));
    let running = other.create(&["slow"]).await.expect(202).json();
    let running = running["id"].as_str().unwrap();
    other.reaches(running, "running").await;
    until(&operator, "/operator/exports", running).await;
    let list = async |query: &str| {
        let page = operator.get(&format!("/operator/exports?{query}")).await;
        page.expect(200).text()
    };
    let finds = |page: &str| [page.contains(&done), page.contains(running)];
    assert_eq!(finds(&list("").await), [true, true]);
    assert_eq!(finds(&list("status=running").await), [false, true]);
    assert_eq!(
        finds(&list("tenant=acme&status=&code=").await),
        [true, false]
    );
    assert_eq!(
        finds(&list("status=failed&code=schema_drift").await),
        [false, false]
    );
    assert!(list("stuck=true").await.contains("No export matches"));
    for bad in ["status=odd", "before=x", "colour=red"] {
        operator
            .get(&format!("/operator/exports?{bad}"))
            .await
            .expect(400);
    }
    let hostile = list("code=%22%3E%3Cscript%3E").await;
    assert!(!hostile.contains("\"><script>") && hostile.contains("&quot;&gt;&lt;script&gt;"));
    let found = operator
        .get(&format!("/operator/find?id={done}"))
        .await
        .expect(200);
    assert!(found.text().contains("Timeline"));
    operator.get("/operator/exports/nonsense").await.expect(404);
}

#[tokio::test]
async fn what_changes_is_sent_within_a_second_or_so() {
    let (_site, _server, operator, admin) = house();
    let mut live = operator.open("/operator/live").await;
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    let mut read_until = async |text: &str| {
        let reading = async {
            while !seen.contains(text) {
                let chunk = live.chunk().await.unwrap().expect("the stream goes on");
                seen.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let patience = Duration::from_secs(120);
        tokio::time::timeout(patience, reading).await.expect(text);
    };
    read_until("event: verdict").await;
    let job = admin.create(&["slow"]).await.expect(202).json();
    read_until(job["id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn storages_are_verified_when_somebody_asks() {
    let (site, _server, operator, _admin) = house();
    let board = operator.post_form("/operator/storages/verify", "").await;
    assert!(board.expect(200).text().contains("Verified"));
    let artifacts = site.path().join("data/artifacts");
    assert!(artifacts.is_dir(), "{artifacts:?}");
    std::fs::remove_dir_all(&artifacts).unwrap();
    std::fs::write(&artifacts, "not a directory").unwrap();
    let board = operator.post_form("/operator/storages/verify", "").await;
    let board = board.expect(200).text();
    assert!(
        board.contains("The storage artifacts.url doesn&#39;t work")
            || board.contains("The storage artifacts.url doesn't work"),
        "{board}"
    );
}
