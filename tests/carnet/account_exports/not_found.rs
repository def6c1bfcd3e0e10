//! The one not-found: for what isn't there, isn't yours, or isn't for your role, nothing tells which.

use reqwest::Method;

use crate::support::{Answer, Client, Server, Site};

const UNKNOWN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// What can be told from an answer, but for what differs by design. Whether the connection goes on depends on the
/// request alone: with a body that wasn't read it ends.
pub(crate) fn shown(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id" | "connection"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let request_id = answer.header("x-request-id");
    let body = String::from_utf8(answer.body.clone()).unwrap();
    (
        answer.status.as_u16(),
        headers,
        body.replace(request_id, "the request's id"),
    )
}

/// Every way to ask about an export.
async fn ask_all(client: &Client, id: &str) -> Vec<Answer> {
    let at = |rest: &str| format!("/api/account-exports/{id}{rest}");
    let range: &[_] = &[("range", "bytes=0-1"), ("if-range", "\"x\"")];
    let large = Some("x".repeat(17 * 1024));
    vec![
        client.send(Method::GET, &at(""), &[], None).await,
        client.act(&at("/cancel")).await,
        client.send(Method::POST, &at("/cancel"), &[], large).await,
        client.send(Method::GET, &at("/download"), &[], None).await,
        client
            .send(Method::GET, &at("/download?as=stored"), range, None)
            .await,
        client
            .send(Method::GET, &at("/download?as=nonsense"), &[], None)
            .await,
        client
            .send(
                Method::GET,
                &at("/download"),
                &[("if-none-match", "*")],
                None,
            )
            .await,
        client
            .send(Method::GET, &at(""), &[("if-none-match", "*")], None)
            .await,
        client.act(&at("/download-link")).await,
        client
            .send(Method::DELETE, &at("/download-link"), &[], None)
            .await,
        client.send(Method::GET, &at("/history"), &[], None).await,
        client
            .send(Method::GET, &at("/history?page_size=0"), &[], None)
            .await,
        client
            .send(Method::GET, &at("/events"), &[("last-event-id", "x")], None)
            .await,
    ]
}

async fn heads(client: &Client, id: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for rest in ["", "/download", "/history"] {
        let path = format!("/api/account-exports/{id}{rest}");
        answers.push(client.send(Method::HEAD, &path, &[], None).await);
    }
    answers
}

#[tokio::test]
async fn whatever_is_not_there_for_the_caller_is_answered_alike() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let owner = server.client(&site.token("globex", "eve"));
    let foreign = owner.export(&["users", "tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let admin = server.client(&site.token("acme", "ada"));
    let own = admin.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let member = server.client(&site.token_with("acme", "mel", &["--role", "member"]));

    let reference = shown(&ask_all(&admin, UNKNOWN).await[0]);
    assert_eq!(reference.0, 404);
    assert!(
        reference.2.contains(r#""code":"not_found""#),
        "{reference:?}"
    );
    let head = shown(&heads(&admin, UNKNOWN).await[0]);
    assert_eq!((head.0, &head.1, head.2.as_str()), (404, &reference.1, ""));
    for (client, id) in [
        (&admin, foreign.as_str()),
        (&admin, UNKNOWN),
        (&admin, "nonsense"),
        (&admin, "%00%ff"),
        (&member, own.as_str()),
        (&member, foreign.as_str()),
        (&member, UNKNOWN),
        (&member, "nonsense"),
    ] {
        for answer in ask_all(client, id).await {
            assert_eq!(shown(&answer), reference, "{id}");
        }
        for answer in heads(client, id).await {
            assert_eq!(shown(&answer), head, "{id}");
        }
    }
    // What has no id: the list, the catalog, a request, whatever its body.
    for path in [
        "/api/account-exports",
        "/api/account-exports/catalog",
        "/api/account-exports?page=0",
        "/api/audit-log",
        "/api/nowhere",
    ] {
        assert_eq!(shown(&member.get(path).await), reference, "{path}");
    }
    for body in [
        "{",
        "[]",
        r#"{"categories":["nonsense"]}"#,
        &"x".repeat(17 * 1024),
    ] {
        let path = "/api/account-exports";
        let answer = member
            .send(
                Method::POST,
                path,
                &[("idempotency-key", "a b")],
                Some(body.to_owned()),
            )
            .await;
        assert_eq!(shown(&answer), reference);
    }

    // Recorded where the caller is at home, and nowhere else.
    assert!(owner.audit("access_denied").await.is_empty());
    let denied = admin.audit("access_denied").await;
    let who: std::collections::BTreeSet<_> = denied
        .iter()
        .map(|entry| entry["principal"].to_string())
        .collect();
    assert_eq!(who.len(), 2, "{denied:?}");
    assert!(!format!("{denied:?}").contains(&foreign));
    // The owner still has it.
    owner.download(&foreign, &[]).await.expect(200);
}

#[tokio::test]
async fn an_address_that_nothing_has_is_recorded_like_any_other() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    let unknown = format!("/api/account-exports/{UNKNOWN}");
    let reference = shown(&admin.get(&unknown).await);
    for (number, path) in [
        "/api/nowhere",
        "/nowhere",
        "/audit/entries/0-1",
        "/audit/entries/nonsense",
        "/settings?section=nowhere",
        "/settings/data-exports/live?section=nowhere",
    ]
    .into_iter()
    .enumerate()
    {
        // The first of each person is recorded, later ones are counted.
        let client = server.client(&site.token("acme", &format!("person {number}")));
        let before = admin.audit("access_denied").await.len();
        assert_eq!(shown(&client.get(path).await), reference, "{path}");
        let denied = admin.audit("access_denied").await.len();
        assert_eq!(denied, before + 1, "{path}");
    }
    // Somebody for whom there is no desk, at the door.
    let before = admin.audit("access_denied").await.len();
    let member = server.client(&site.token_with("acme", "mel", &["--role", "member"]));
    assert_eq!(shown(&member.get("/").await), reference);
    assert_eq!(admin.audit("access_denied").await.len(), before + 1);
}

#[tokio::test]
async fn auditors_see_what_happened_and_never_an_artifact() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    let job = admin.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let auditor = server.client(&site.token_with("acme", "ann", &["--role", "auditor"]));
    let at = |rest: &str| format!("/api/account-exports/{id}{rest}");
    let reference = shown(
        &auditor
            .get(&format!("/api/account-exports/{UNKNOWN}"))
            .await,
    );
    for path in [
        at(""),
        at("/download"),
        at("/download?as=stored"),
        "/api/account-exports".to_owned(),
    ] {
        assert_eq!(shown(&auditor.get(&path).await), reference, "{path}");
    }
    for path in [at("/cancel"), at("/download-link")] {
        assert_eq!(shown(&auditor.act(&path).await), reference, "{path}");
    }
    assert_eq!(shown(&auditor.create(&["tickets"]).await), reference);
    auditor.get(&at("/history")).await.expect(200);
    auditor.get("/api/audit-log").await.expect(200);
    assert!(!auditor.audit("access_denied").await.is_empty());
}
