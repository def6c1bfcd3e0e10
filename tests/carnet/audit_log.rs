//! `GET /api/audit-log`: everything that happened in the tenant, for its auditors, in three forms.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Client, Server, Site};

const PATH: &str = "/api/audit-log";

async fn page(client: &Client, query: &str) -> Value {
    client
        .get(&format!("{PATH}?{query}"))
        .await
        .expect(200)
        .json()
}

#[tokio::test]
async fn what_happened_is_filtered_paged_and_written_as_csv_and_ndjson() {
    let site = Site::new(3);
    let server = Server::start(&site);
    // A name that no digest can hold by chance.
    let ada = server.client(&site.token("acme", "lovelace"));
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = ada.export(&["tickets"]).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        ada.download(&id, &[]).await.expect(200);
        ids.push(id);
    }
    ada.create(&["nonsense"]).await.expect(422);
    ada.audited("download_ended", 3).await;
    let auditor = server.client(&site.token_with("acme", "ann", &["--role", "auditor"]));

    let all = page(&auditor, "page_size=1000").await;
    let all = all["items"].as_array().unwrap();
    let kinds: BTreeSet<&str> = all
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    for kind in [
        "export_admitted",
        "completed",
        "downloaded",
        "download_ended",
        "export_refused",
        "audit_read",
    ] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    assert!(all.is_sorted_by(|a, b| a["at"].as_str() >= b["at"].as_str()));
    for private in ["lovelace", "person 1", "ticket 1", "select ", "eyJ"] {
        assert!(!format!("{all:?}").contains(private), "{private}");
    }

    let of_one = page(&auditor, &format!("export_id={}", ids[1])).await;
    assert!(
        of_one["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["export_id"] == ids[1].as_str())
    );
    let completed = page(&auditor, "type=completed").await;
    assert_eq!(completed["items"].as_array().unwrap().len(), 3);
    let at = completed["items"][1]["at"].as_str().unwrap();
    let from = page(&auditor, &format!("type=completed&from={at}")).await;
    let to = page(&auditor, &format!("type=completed&to={at}")).await;
    assert_eq!(from["items"].as_array().unwrap().len(), 2);
    assert_eq!(to["items"].as_array().unwrap().len(), 1);

    // Pages by cursor give each entry once, whatever is written meanwhile.
    let (mut cursor, mut paged) = (String::new(), Vec::new());
    loop {
        let page = page(&auditor, &format!("type=downloaded&page_size=2{cursor}")).await;
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, ada.audit("downloaded").await);
    assert_eq!(paged.len(), 3);

    let ndjson = auditor
        .get(&format!("{PATH}?type=completed&format=ndjson"))
        .await
        .expect(200);
    assert_eq!(ndjson.header("content-type"), "application/x-ndjson");
    let mut lines: Vec<Value> = ndjson
        .body
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    lines.reverse();
    assert_eq!(Value::from(lines), completed["items"]);
    let csv = auditor
        .get(&format!("{PATH}?type=completed&format=csv"))
        .await
        .expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.header("content-disposition").starts_with("attachment"));
    let csv = String::from_utf8(csv.body).unwrap();
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(rows[0], "at,type,principal,export_id,code,details");
    assert_eq!(rows.len(), 5, "{csv}");
    assert!(
        rows[1].contains(&ids[0]) && rows[1].contains(",completed,"),
        "{csv}"
    );

    for wrong in [
        "type=nonsense",
        "from=yesterday",
        "export_id=1",
        "cursor=x",
        "page_size=0",
        "page_size=1001",
        "format=xml",
        "since=1",
    ] {
        let answer = auditor.get(&format!("{PATH}?{wrong}")).await;
        assert_eq!(answer.expect(400).code(), "malformed_request", "{wrong}");
    }
}

#[tokio::test]
async fn reading_is_recorded_and_stays_within_the_tenant() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    ada.export(&["tickets"]).await;
    let auditor = server.client(&site.token_with("acme", "ann", &["--role", "auditor"]));
    auditor
        .get(&format!("{PATH}?type=completed&format=csv"))
        .await
        .expect(200);
    let reads = ada.audited("audit_read", 1).await;
    let read = reads
        .iter()
        .find(|entry| entry["details"]["format"] == "csv")
        .unwrap();
    assert_eq!(read["details"]["filters"]["type"], "completed", "{read}");

    let eve = server.client(&site.token("globex", "eve"));
    let theirs = page(&eve, "page_size=1000").await;
    let kinds: BTreeSet<&str> = theirs["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert!(kinds.iter().all(|kind| *kind == "audit_read"), "{kinds:?}");
    let member = server.client(&site.token_with("acme", "mel", &["--role", "member"]));
    assert_eq!(member.get(PATH).await.expect(404).code(), "not_found");
    assert_eq!(ada.audit("access_denied").await.len(), 1);
}
