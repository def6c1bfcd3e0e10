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

#[tokio::test]
async fn a_list_tells_of_waiting_exports_what_each_tells_of_itself() {
    let site = Site::new(1);
    site.add_slow_category("slow", FOREVER);
    site.edit_config(
        "[limits]",
        "[limits]\nactive_per_user = 9\nactive_per_tenant = 9",
    );
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for running in 0..2 {
        let job = ada.create(&["slow"]).await.expect(202).json();
        let id = job["id"].as_str().unwrap();
        assert_eq!(
            ada.reaches(id, "running").await["status"],
            "running",
            "{running}"
        );
    }
    for _ in 0..2 {
        ada.create(&["tickets"]).await.expect(202);
    }
    let list = ada.get(&format!("{PATH}?status=queued")).await.expect(200);
    let list = list.json();
    for (item, place) in list["items"].as_array().unwrap().iter().zip([2, 1]) {
        let own = item["_links"]["self"].as_str().unwrap();
        let own = ada.get(own).await.expect(200).json();
        assert_eq!(item["queue_position"], place, "{list}");
        assert_eq!(item["reason"]["code"], "free_worker", "{list}");
        for key in ["queue_position", "reason"] {
            assert_eq!(item[key], own[key], "{key}");
        }
    }
    let page = ada.get(PATH).await.expect(200).json();
    for item in page["items"].as_array().unwrap() {
        let cancel = item["_links"]["cancel"].as_str().unwrap();
        ada.act(cancel).await.expect(200);
    }
}
