//! One export: its booklet, its manifest, links, and who had the file.

use reqwest::Method;

use super::{head_is_alike, post};
use crate::support::{Answer, Client, Server, Site};

fn address(id: &str) -> String {
    format!("/settings/data-exports/{id}")
}

#[tokio::test]
async fn the_page_tells_what_is_in_it_and_who_had_it() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["users", "tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let before = ada.get(&address(id)).await.expect(200).text();
    assert!(before.contains("Nobody has downloaded it yet."), "{before}");
    for expected in [
        job["artifact"]["checksum"].as_str().unwrap(),
        job["artifact"]["sha256"].as_str().unwrap(),
        "carnet verify carnet-",
        "Asked for and accepted",
        "Completed: the file is ready",
    ] {
        assert!(before.contains(expected), "{expected}: {before}");
    }
    let bob = server.client(&site.token("acme", "bob"));
    bob.download(id, &[]).await.expect(200);
    ada.audited("downloaded", 1).await;
    let after = ada.get(&address(id)).await.expect(200).text();
    let had = after.split("Who had the file").nth(1).unwrap();
    let had = had.split("</section>").next().unwrap();
    assert!(had.contains("bob") && had.contains("Downloaded"), "{had}");
    head_is_alike(&ada, &address(id)).await;
}

#[tokio::test]
async fn a_link_is_shown_once_works_for_anybody_and_ends_when_told() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let made = post(&ada, &format!("{}/link", address(id)), &[]).await;
    let made = made.expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    let text = made.text();
    let link = text.split(r#"data-copy="http"#).nth(1).unwrap();
    let path = link.split("/downloads/").nth(1).unwrap();
    let path = format!("/downloads/{}", path.split('"').next().unwrap());
    let nobody = Client::new(server.address(), "");
    nobody.get(&path).await.expect(200);
    let details = ada.get(&address(id)).await.expect(200).text();
    assert!(!details.contains(&path), "{details}");
    let ended = post(&ada, &format!("{}/revoke-links", address(id)), &[]).await;
    assert!(ended.expect(200).text().contains("The links have ended."));
    nobody.get(&path).await.expect(404);
}

#[tokio::test]
async fn what_is_not_there_for_the_asker_is_one_page() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let eve = server.client(&site.token("globex", "eve"));
    let member = server.client(&site.token_with("acme", "max", &["--role", "member"]));
    let unknown = "0198c7a1-7b0c-7abc-8def-0123456789ab";
    for (method, suffix) in [
        (Method::GET, ""),
        (Method::GET, "/cancel"),
        (Method::POST, "/cancel"),
        (Method::POST, "/link"),
        (Method::POST, "/revoke-links"),
    ] {
        let ask = async |client: &Client, id: &str| {
            let path = format!("{}{suffix}", address(id));
            let html = [("accept", "text/html")];
            let answer = client.send(method.clone(), &path, &html, None).await;
            body(answer.expect(404))
        };
        let one = ask(&eve, unknown).await;
        assert!(
            one.contains("<!DOCTYPE html>") && one.contains("Not found"),
            "{one}"
        );
        for (client, id) in [
            (&eve, id.as_str()),
            (&eve, "nonsense"),
            (&member, id.as_str()),
            (&member, unknown),
        ] {
            assert_eq!(ask(client, id).await, one, "{method} {suffix} {id}");
        }
    }
    let html = [("accept", "text/html")];
    for path in [super::PAGE, "/settings/data-exports/live"] {
        let answer = member.send(Method::GET, path, &html, None).await;
        answer.expect(404);
    }
    let asked = post(
        &member,
        "/settings/data-exports",
        &[("categories", "tickets")],
    )
    .await;
    asked.expect(404);
}

/// The page without the request's id.
fn body(answer: Answer) -> String {
    let id = answer.header("x-request-id").to_owned();
    answer.text().replace(&id, "")
}
