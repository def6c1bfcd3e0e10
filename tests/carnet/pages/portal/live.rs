//! The stream: every state in every browser, whoever brought it about.

use super::{FOREVER, start};
use crate::support::{Client, Server, Site};

/// A browser that follows the page.
struct Browser {
    response: reqwest::Response,
    unread: String,
}

impl Browser {
    async fn open(client: &Client) -> Self {
        let response = client.open("/settings/data-exports/live").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            response,
            unread: String::new(),
        }
    }

    /// Reads on to the next message about `part` that says `text`.
    async fn sees(&mut self, part: &str, text: &str) {
        let begin = format!("event: {part}\n");
        loop {
            while let Some((message, rest)) = self.unread.split_once("\n\n") {
                let found = message.starts_with(&begin) && message.contains(text);
                self.unread = rest.to_owned();
                if found {
                    return;
                }
            }
            let piece = self.response.chunk().await.unwrap();
            let piece = piece.expect("the stream goes on");
            self.unread.push_str(&String::from_utf8_lossy(&piece));
        }
    }
}

#[tokio::test]
async fn two_browsers_see_every_state_whoever_brought_it_about() {
    let site = Site::new(3);
    site.edit_config("max_running = 2", "max_running = 1");
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let eve = server.client(&site.token("globex", "eve"));
    // The one worker is busy with somebody else's.
    let busy = eve.create(&["slow"]).await.expect(202).json();
    let busy = busy["id"].as_str().unwrap().to_owned();
    eve.reaches(&busy, "running").await;
    let bob = server.client(&site.token("acme", "bob"));
    let mut browsers = [Browser::open(&ada).await, Browser::open(&bob).await];
    for browser in &mut browsers {
        browser.sees("now", r#"type="submit""#).await;
        browser.sees("history", "No exports yet.").await;
    }
    start(&ada, &["slow", "tickets"]).await.expect(200);
    for browser in &mut browsers {
        browser.sees("now", r#"aria-disabled="true""#).await;
        browser.sees("active", "1st in line").await;
    }
    eve.act(&format!("/api/account-exports/{busy}/cancel"))
        .await
        .expect(200);
    for browser in &mut browsers {
        browser.sees("active", "status running").await;
    }
    let active = ada.get("/api/account-exports?status=running").await.json();
    let id = active["items"][0]["id"].as_str().unwrap().to_owned();
    bob.act(&format!("/api/account-exports/{id}/cancel"))
        .await
        .expect(200);
    for browser in &mut browsers {
        browser.sees("history", "status cancelled").await;
    }
    ada.create(&["tickets"]).await.expect(202);
    for browser in &mut browsers {
        browser.sees("history", "status completed").await;
    }
    // Who comes back is told everything at once.
    let mut again = Browser::open(&bob).await;
    again.sees("now", r#"type="submit""#).await;
    again.sees("history", "status completed").await;
}

#[tokio::test]
async fn one_person_has_so_many_streams_and_no_more() {
    let site = Site::new(1);
    site.edit_config("[server]", "[server]\nmax_streams = 16");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let _first = Browser::open(&ada).await;
    let _second = Browser::open(&ada).await;
    let third = ada.open("/settings/data-exports/live").await;
    assert_eq!(third.status(), 503);
    assert!(third.headers().contains_key("retry-after"));
    Browser::open(&server.client(&site.token("acme", "bob"))).await;
}
