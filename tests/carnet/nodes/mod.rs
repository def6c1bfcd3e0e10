//! Several nodes on one event store: what one does, every other knows.

pub(crate) mod engine;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use carnet::keys::KeyRing;

use crate::support::{Cluster, Inside, Site};
use engine::Engine;

/// Makes two tests of each case: one on PostgreSQL, one on KurrentDB or what stands in for it.
macro_rules! on_each_store {
    ($($case:ident)*) => {
        mod postgresql {
            use super::Engine;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(Engine::postgres()).await;
                }
            )*
        }

        mod kurrentdb {
            use super::Engine;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(Engine::kurrentdb().await).await;
                }
            )*
        }
    };
}

on_each_store! {
    what_one_node_accepts_every_other_shows_at_once
    two_nodes_that_admit_one_tenant_keep_its_limits
    what_is_decided_on_one_node_stops_downloads_on_all
    a_policy_that_one_node_begins_to_serve_with_stops_downloads_on_all
    a_session_is_good_on_every_node_and_over_on_all_at_once
    a_drained_node_takes_no_work_and_the_others_do_it
    a_paused_nodes_late_result_is_fenced_and_leaves_nothing
}

/// What a list shows of an export.
fn of_list(list: &Value, id: &str) -> Option<Value> {
    let items = list["items"].as_array().unwrap();
    items.iter().find(|job| job["id"] == id).cloned()
}

async fn what_one_node_accepts_every_other_shows_at_once(engine: Engine) {
    let site = Site::new(20);
    let cluster = Cluster::start(&site, &engine.url(), 3);
    let clients = cluster.clients(&site.token("acme", "ada"));
    for turn in 0..6 {
        let job = clients[turn % 3]
            .create(&["tickets"])
            .await
            .expect(202)
            .json();
        let id = job["id"].as_str().unwrap();
        for other in [1, 2] {
            let client = &clients[(turn + other) % 3];
            let list = client.get("/api/account-exports").await.expect(200).json();
            assert!(of_list(&list, id).is_some(), "{id} is not in {list}");
            let path = format!("/api/account-exports/{id}");
            assert_eq!(client.get(&path).await.expect(200).json()["id"], id);
        }
        let settled = clients[(turn + 1) % 3].settled(id).await;
        assert_eq!(settled["status"], "completed", "{settled}");
        for client in &clients {
            assert_eq!(client.download(id, &[]).await.expect(200).status, 200);
        }
    }
}

async fn two_nodes_that_admit_one_tenant_keep_its_limits(engine: Engine) {
    let site = Site::new(5);
    site.add_slow_category("slow", u64::MAX / 4);
    site.edit_config(
        "per_tenant = { accepted = 10000, window = \"24h\" }",
        "per_tenant = { accepted = 5, window = \"24h\" }",
    );
    let cluster = Cluster::start(&site, &engine.url(), 2);
    let clients = cluster.clients(&site.token("acme", "ada"));
    let mut accepted = Vec::new();
    // One active at a time: of each flood one is accepted, until the window of five is used up.
    for round in 0..6 {
        let flood = (0..20).map(|turn| {
            let client = clients[turn % 2].clone();
            tokio::spawn(async move { client.create(&["slow"]).await })
        });
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for answer in futures::future::join_all(flood).await {
            let answer = answer.unwrap();
            *statuses.entry(answer.status.as_u16()).or_default() += 1;
            if answer.status == 202 {
                accepted.push(answer.json()["id"].as_str().unwrap().to_owned());
            }
        }
        let expected = match round {
            0..5 => BTreeMap::from([(202, 1), (409, 19)]),
            _ => BTreeMap::from([(429, 20)]),
        };
        assert_eq!(statuses, expected, "round {round}");
        if round < 5 {
            // Given up on the other node than asked, at times.
            let path = format!("/api/account-exports/{}/cancel", accepted[round]);
            clients[round % 2].act(&path).await.expect(200);
        }
    }
    let list = clients[0].get("/api/account-exports").await.json();
    assert_eq!(list["total"], 5, "{list}");
}

async fn what_is_decided_on_one_node_stops_downloads_on_all(engine: Engine) {
    let site = Site::new(20);
    let cluster = Cluster::start(&site, &engine.url(), 2);
    let clients = cluster.clients(&site.token("acme", "ada"));
    let operator = cluster.client(1, &site.operator_token("olga"));
    let job = clients[0].export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let path = format!("/api/account-exports/{id}/download-link");
    let link = clients[0].act(&path).await.expect(201).json();
    let link = link["url"].as_str().unwrap();
    let link = &link[link.find("/api").or(link.find("/d")).unwrap()..];
    for client in &clients {
        client.download(id, &[]).await.expect(200);
        client.get(link).await.expect(200);
    }
    let why = json!({"reason": "a test"});
    let tenant = "/api/operator/tenants/acme";
    operator
        .post(&format!("{tenant}/close"), why.clone())
        .await
        .expect(200);
    for client in &clients {
        assert_eq!(
            client.download(id, &[]).await.expect(403).code(),
            "access_changed"
        );
        assert!(client.get(link).await.status.is_client_error());
    }
    operator
        .post(&format!("{tenant}/reopen"), why.clone())
        .await
        .expect(200);
    for client in &clients {
        client.download(id, &[]).await.expect(200);
    }
    // Taken back on one node, a link works on none.
    let revoked = clients[1]
        .send(reqwest::Method::DELETE, &path, &[], None)
        .await;
    assert!(revoked.status.is_success(), "{revoked:?}");
    for client in &clients {
        assert!(client.get(link).await.status.is_client_error());
    }
    // The intake is paused for all.
    operator
        .post("/api/operator/intake/pause", why.clone())
        .await
        .expect(200);
    for client in &clients {
        client.create(&["tickets"]).await.expect(503);
    }
}

async fn a_policy_that_one_node_begins_to_serve_with_stops_downloads_on_all(engine: Engine) {
    let site = Site::new(20);
    let mut cluster = Cluster::start(&site, &engine.url(), 2);
    let clients = cluster.clients(&site.token("acme", "ada"));
    let job = clients[1].export(&["tickets", "users"]).await;
    let other = clients[0].export(&["users"]).await;
    let (id, other) = (job["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    for client in &clients {
        client.download(id, &[]).await.expect(200);
    }
    // One node is started anew with another rule; the other knows nothing of it but what stands in the log.
    let (before, after) = (
        "subject = { type = \"text\" }",
        "subject = { type = \"text\", rule = \"drop\" }",
    );
    cluster.stop(1);
    site.edit_config(before, after);
    cluster.revive(1);
    for client in &clients {
        let refused = client.download(id, &[]).await.expect(403).json();
        assert_eq!(refused["code"], "access_changed", "{refused}");
        client.download(other, &[]).await.expect(200);
    }
    // Put back, it works again.
    cluster.stop(1);
    site.edit_config(after, before);
    cluster.revive(1);
    for client in &clients {
        client.download(id, &[]).await.expect(200);
    }
}

async fn a_session_is_good_on_every_node_and_over_on_all_at_once(engine: Engine) {
    let site = Site::new(20);
    KeyRing::make(&site.path().join("data/keys")).unwrap();
    let url = engine.url();
    let (one, two) = (
        Inside::node(&site, &url, "one"),
        Inside::node(&site, &url, "two"),
    );
    let mut here = one.browser();
    here.choose("client_admin@acme").await.expect(303);
    let mut there = here.at(two.address());
    let page = "/settings?section=data-exports";
    // A form made by one node is taken by the other.
    let token = here.token(page).await;
    let asked = [("csrf", token.as_str()), ("categories", "tickets")];
    there
        .post("/settings/data-exports", &asked)
        .await
        .expect(303);
    let list = here.get(page).await.expect(200).text();
    assert!(list.contains("Tickets"), "{list}");
    let mut kept = there.clone();
    there.submit(page, "/sign-out").await.expect(303);
    for mut browser in [kept.clone(), kept.at(one.address())] {
        let answer = browser.get(page).await;
        assert_eq!(answer.status.as_u16(), 303, "{}", answer.text());
    }
    assert!(kept.get(page).await.header("location").contains("sign-in"));
}

async fn a_drained_node_takes_no_work_and_the_others_do_it(engine: Engine) {
    let site = Site::new(20);
    let cluster = Cluster::start(&site, &engine.url(), 2);
    let operator = cluster.client(0, &site.operator_token("olga"));
    let drained = std::fs::read_to_string(site.path().join("node-1/node")).unwrap();
    let path = format!("/api/operator/nodes/{}/drain", drained.trim());
    operator
        .post(&path, json!({"reason": "a test"}))
        .await
        .expect(200);
    let clients = cluster.clients(&site.token("acme", "ada"));
    // The other one learns of it with its next look.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for _ in 0..4 {
        let job = clients[1].export(&["tickets"]).await;
        assert_eq!(job["status"], "completed");
        let history = format!(
            "/api/account-exports/{}/history",
            job["id"].as_str().unwrap()
        );
        let history = clients[1].get(&history).await.expect(200).json();
        let started = history["items"].as_array().unwrap();
        let started = started
            .iter()
            .find(|event| event["type"] == "started")
            .unwrap();
        assert_ne!(started["data"]["node"], drained.trim(), "{started}");
    }
}

async fn a_paused_nodes_late_result_is_fenced_and_leaves_nothing(engine: Engine) {
    let site = Site::new(20);
    // Long enough to be paused in, even where the processor is fast; short enough to end.
    site.add_slow_category("slow", 20_000_000);
    let mut cluster = Cluster::start(&site, &engine.url(), 1);
    let token = site.token("acme", "ada");
    let client = cluster.client(0, &token);
    let job = client.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap().to_owned();
    client.reaches(&id, "running").await;
    cluster.node(0).signal("STOP");
    let second = cluster.add();
    let client = cluster.client(second, &token);
    let done = client.settled(&id).await;
    assert_eq!(
        (&done["status"], &done["attempt"]),
        (&json!("completed"), &json!(2))
    );
    cluster.node(0).signal("CONT");
    // The one that slept wakes up, runs on, reports, and learns that it is too late.
    let patience = Instant::now() + Duration::from_secs(60);
    let published = |name: &str| name.contains(&format!("{id}/2-"));
    loop {
        let names = site.artifact_files();
        let mut names = names.iter().filter_map(|path| path.to_str());
        let late = names.find(|name| name.contains(&id) && !published(name));
        let log = cluster.node(0).log();
        let fenced = log.contains("fenced off") || log.contains("came too late");
        if late.is_none() && fenced {
            break;
        }
        assert!(
            Instant::now() < patience,
            "left: {late:?}, fenced: {fenced}\n{}",
            cluster.node(0).log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for client in cluster.clients(&token) {
        let job = client
            .get(&format!("/api/account-exports/{id}"))
            .await
            .json();
        assert_eq!(
            (&job["status"], &job["attempt"]),
            (&json!("completed"), &json!(2))
        );
        client.download(&id, &[]).await.expect(200);
    }
}
