//! `GET /api/account-exports`: the tenant's jobs.

use super::FOREVER;
use crate::support::{Server, Site};

const PATH: &str = "/api/account-exports";

#[tokio::test]
async fn jobs_are_listed_newest_first_filtered_and_in_pages() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let mut ids = Vec::new();
    for _ in 0..3 {
        let job = ada.export(&["tickets"]).await;
        ids.push(job["id"].as_str().unwrap().to_owned());
    }
    let slow = ada.create(&["slow"]).await.expect(202).json();
    // One's own request is there at once.
    let page = ada.get(PATH).await.expect(200).json();
    assert_eq!(page["total"], 4);
    assert_eq!(page["items"][0]["id"], slow["id"]);
    ada.act(slow["_links"]["cancel"].as_str().unwrap())
        .await
        .expect(200);
    let cancelled = ada
        .get(&format!("{PATH}?status=cancelled"))
        .await
        .expect(200)
        .json();
    assert_eq!(cancelled["total"], 1);
    assert_eq!(cancelled["items"][0]["reason"]["code"], "requested");

    let completed = format!("{PATH}?status=completed&page_size=2");
    let mut seen = Vec::new();
    for number in 1..=3 {
        let page = ada
            .get(&format!("{completed}&page={number}"))
            .await
            .expect(200)
            .json();
        assert_eq!((&page["total"], &page["page"]), (&3.into(), &number.into()));
        for item in page["items"].as_array().unwrap() {
            assert!(item["artifact"].get("key").is_none(), "{item}");
            seen.push(item["id"].as_str().unwrap().to_owned());
        }
    }
    ids.reverse();
    assert_eq!(seen, ids);
    for wrong in [
        "status=done",
        "page=0",
        "page=x",
        "page_size=0",
        "page_size=201",
        "sort=id",
    ] {
        let answer = ada.get(&format!("{PATH}?{wrong}")).await;
        assert_eq!(answer.expect(400).code(), "malformed_request", "{wrong}");
    }
    let other = server.client(&site.token("globex", "eve"));
    assert_eq!(other.get(PATH).await.expect(200).json()["total"], 0);
}

#[tokio::test]
async fn admitted_members_see_their_own_and_client_admins_everybodys() {
    let site = Site::new(3);
    site.edit_config(
        "[limits]\n",
        "[limits]\nrequest_roles = [\"client_admin\", \"member\"]\n",
    );
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    let member = |user| server.client(&site.token_with("acme", user, &["--role", "member"]));
    let (mel, max) = (member("mel"), member("max"));
    let admins = admin.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mels = mel.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let total = async |client: &crate::support::Client| {
        client.get(PATH).await.expect(200).json()["total"].clone()
    };
    assert_eq!(total(&admin).await, 2);
    assert_eq!(total(&mel).await, 1);
    assert_eq!(total(&max).await, 0);
    mel.download(&mels, &[]).await.expect(200);
    admin.download(&mels, &[]).await.expect(200);
    for (client, id) in [(&mel, &admins), (&max, &mels)] {
        assert_eq!(
            client.download(id, &[]).await.expect(404).code(),
            "not_found"
        );
    }
}
