//! What is logged, and what never is.

use std::os::unix::fs::PermissionsExt;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, Site};

#[tokio::test]
async fn logs_are_json_with_ids_and_hold_no_token_link_or_value() {
    let site = Site::new(20);
    let server = Server::start(&site);
    let token = site.token("acme", "ada");
    let ada = server.client(&token);
    let job = ada.export(&["users"]).await;
    let id = job["id"].as_str().unwrap();
    let own = format!("/api/account-exports/{id}");
    let link = ada
        .post(&format!("{own}/download-link"), json!({}))
        .await
        .expect(201)
        .json();
    let url = link["url"].as_str().unwrap();
    let path = &url[url.find("/downloads/").unwrap()..];
    server.client("").get(path).await.expect(200);
    ada.download(id, &[]).await.expect(200);
    ada.get(&format!("{own}?access_token={token}")).await;
    let cookie = [("cookie", "__Host-session=Zq9cookie")];
    ada.send(Method::GET, &own, &cookie, None).await.expect(200);
    server
        .client(&format!("{token}x"))
        .get(&own)
        .await
        .expect(401);
    let (status, log) = server.stop();
    assert!(status.success());
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let answered: Vec<&Value> = lines
        .iter()
        .filter(|line| line["message"] == "answered")
        .collect();
    assert!(answered.len() >= 6, "{log}");
    for line in answered {
        assert!(
            line["span"]["request_id"].is_string() && line["span"]["trace_id"].is_string(),
            "{line}"
        );
        assert!(
            line["route"].is_string() && line["duration_ms"].is_number(),
            "{line}"
        );
    }
    let secrets = [
        token.rsplit('.').next().unwrap(),
        path.rsplit('/').next().unwrap(),
        "person 7 of acme",
        "Zq9cookie",
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} stands in the log");
    }
}

/// Whatever the umask: the log knows who people are, and read models what they did.
#[tokio::test]
async fn what_a_service_keeps_is_its_owners_alone_to_read() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    ada.export(&["tickets"]).await;
    let data = std::fs::read_dir(site.path().join("data")).unwrap();
    let mut kept = 0;
    for entry in data.map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let tells = ["events.db", "projections", "keys"];
        if tells.iter().any(|begin| name.starts_with(begin)) && !name.ends_with("lock") {
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
            kept += 1;
        }
    }
    assert!(kept >= 4, "{kept}");
}
