//! `GET …/{id}/events`: server-sent events, resumed by `Last-Event-ID`.

use reqwest::Method;
use serde_json::Value;

use super::FOREVER;
use crate::support::{Client, Server, Site};

/// One message of the stream.
#[derive(Debug)]
struct Message {
    id: Option<u64>,
    event: String,
    data: Value,
}

fn messages(body: &[u8]) -> Vec<Message> {
    let text = std::str::from_utf8(body).unwrap();
    let field = |message: &str, name: &str| {
        let mut lines = message.lines();
        lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
    };
    text.split("\n\n")
        .filter(|message| message.contains("data: "))
        .map(|message| Message {
            id: field(message, "id: ").map(|id| id.parse().unwrap()),
            event: field(message, "event: ").unwrap(),
            data: serde_json::from_str(&field(message, "data: ").unwrap()).unwrap(),
        })
        .collect()
}

async fn follow(client: &Client, id: &str, last: Option<&str>) -> Vec<Message> {
    let path = format!("/api/account-exports/{id}/events");
    let headers: Vec<_> = last
        .map(|last| ("last-event-id", last))
        .into_iter()
        .collect();
    let answer = client
        .send(Method::GET, &path, &headers, None)
        .await
        .expect(200);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("cache-control"), "no-store");
    messages(&answer.body)
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_no_more() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["tickets"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let all = follow(&ada, &id, None).await;
    let ids: Vec<u64> = all.iter().filter_map(|message| message.id).collect();
    assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>());
    assert_eq!(all[0].data["type"], "requested");
    let last = all.last().unwrap();
    assert_eq!(
        (last.event.as_str(), &last.data["status"]),
        ("end", &"completed".into())
    );

    let rest = follow(&ada, &id, Some("0")).await;
    let rest: Vec<u64> = rest.iter().filter_map(|message| message.id).collect();
    assert_eq!(rest, ids[1..]);
    // Who has it all is told to ask no more.
    let path = format!("/api/account-exports/{id}/events");
    let last = (ids.len() - 1).to_string();
    ada.send(Method::GET, &path, &[("last-event-id", &last)], None)
        .await
        .expect(204);
    for wrong in ["x", "-1", ""] {
        let answer = ada
            .send(Method::GET, &path, &[("last-event-id", wrong)], None)
            .await;
        assert_eq!(answer.expect(400).code(), "malformed_request");
    }
}

/// A stream that is still read.
struct Stream {
    response: reqwest::Response,
    read: Vec<u8>,
}

impl Stream {
    async fn open(client: &Client, id: &str) -> Self {
        let path = format!("/api/account-exports/{id}/events");
        Self {
            response: client.open(&path).await,
            read: Vec::new(),
        }
    }

    async fn until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.read).contains(text) {
            let piece = self.response.chunk().await.unwrap();
            self.read.extend(piece.expect("the stream goes on"));
        }
    }

    async fn rest(mut self) -> Vec<Message> {
        while let Some(piece) = self.response.chunk().await.unwrap() {
            self.read.extend(piece);
        }
        messages(&self.read)
    }
}

#[tokio::test]
async fn progress_place_and_reason_are_told_while_it_lasts() {
    let site = Site::new(3);
    site.edit_config("max_running = 2", "max_running = 1");
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let eve = server.client(&site.token("globex", "eve"));
    let first = ada.create(&["slow"]).await.expect(202).json();
    let first = first["id"].as_str().unwrap().to_owned();
    ada.reaches(&first, "running").await;
    let waiting = eve.create(&["tickets"]).await.expect(202).json();
    let second = waiting["id"].as_str().unwrap().to_owned();
    let job = eve.reaches(&second, "queued").await;
    assert_eq!(job["queue_position"], 1, "{job}");
    assert!(job["reason"]["code"].is_string(), "{job}");

    // Both are followed, and told how it stands, before the first makes room for the second.
    let mut running = Stream::open(&ada, &first).await;
    let mut queued = Stream::open(&eve, &second).await;
    running.until("event: progress").await;
    queued.until("event: waiting").await;
    ada.act(&format!("/api/account-exports/{first}/cancel"))
        .await
        .expect(200);
    let (running, queued) = (running.rest().await, queued.rest().await);
    assert!(
        running.iter().any(|message| message.event == "progress"),
        "{running:?}"
    );
    assert_eq!(running.last().unwrap().data["status"], "cancelled");
    let waits = queued
        .iter()
        .find(|message| message.event == "waiting")
        .unwrap();
    assert_eq!(waits.data["queue_position"], 1);
    assert_eq!(waits.data["reason"], job["reason"]);
    assert_eq!(queued.last().unwrap().data["status"], "completed");
}
