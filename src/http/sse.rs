//! Server-sent events: the one form in which streams tell what happens, as it happens.
//!
//! A [`Follower`] says what is new and when there may be more; the rest is the same for all of them: news are sent, signing out and stopping
//! end the stream, and where nothing happens it says that it is still there.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::{Bytes, Data};
use tokio::time::Instant;

use super::state::AppState;
use super::streams::StreamPermit;
use crate::auth::Caller;

/// After so long without news a comment keeps proxies from closing the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// That comment.
const STILL_HERE: &[u8] = b": still here\n\n";

/// How soon a browser comes back after a break: pages are to be up to date again within about a second.
const RETRY: &[u8] = b"retry: 1000\n\n";

/// One client's view of something that changes, in constant memory: what it hasn't read yet isn't made yet.
pub(super) trait Follower: 'static {
    /// How often it looks when nothing tells it to.
    const TICK: Duration;

    /// The stream ends with the token or session it was asked for with.
    fn caller(&self) -> &Caller;

    /// Looks at what may have changed, and puts what did among the news.
    async fn look(&mut self, news: &mut News) -> Next;

    /// Waits until something has changed; `false`: nothing will any more. Cancelled at the next tick.
    async fn changed(&mut self) -> bool {
        std::future::pending().await
    }
}

/// What follows a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another one, once there may be something new.
    Wait,
    /// Another one at once: there is more.
    Again,
    /// Nothing.
    End,
}

/// What is yet to be sent.
#[derive(Debug, Default)]
pub(super) struct News {
    ready: Vec<u8>,
    /// What each part of a page looked like when it was sent.
    sent: HashMap<&'static str, String>,
}

impl News {
    /// Of a page, whose browser comes back soon.
    pub(super) fn of_page() -> Self {
        Self {
            ready: RETRY.to_vec(),
            sent: HashMap::new(),
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// A message.
    pub(super) fn push(&mut self, message: &[u8]) {
        self.ready.extend_from_slice(message);
    }

    /// A part of a page, unless it looks as it did. Whether it is sent.
    pub(super) fn tell(&mut self, name: &'static str, content: String) -> bool {
        let differs = self.sent.get(name) != Some(&content);
        if differs {
            self.push(&message(name, None, &content));
            self.sent.insert(name, content);
        }
        differs
    }
}

/// The answer that goes on for as long as there may be news.
pub(super) fn follow(
    state: Data<AppState>,
    permit: StreamPermit,
    news: News,
    follower: impl Follower,
) -> HttpResponse {
    let following = Following {
        state,
        follower,
        news,
        next: Next::Again,
        spoke: Instant::now(),
        _permit: permit,
    };
    let messages = futures::stream::unfold(following, |mut following| async move {
        let piece = following.next().await?;
        Some((Ok::<_, Infallible>(piece), following))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(messages)
}

struct Following<F> {
    state: Data<AppState>,
    follower: F,
    news: News,
    next: Next,
    /// When something was sent last.
    spoke: Instant,
    _permit: StreamPermit,
}

impl<F: Follower> Following<F> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.news.is_empty() {
                self.spoke = Instant::now();
                return Some(std::mem::take(&mut self.news.ready).into());
            }
            let goes_on = match self.next {
                Next::Wait => self.wait().await,
                Next::Again => true,
                Next::End => false,
            };
            if !goes_on || self.state.is_signed_out(self.follower.caller()).await {
                return None;
            }
            self.next = self.follower.look(&mut self.news).await;
        }
    }

    async fn wait(&mut self) -> bool {
        let goes_on = tokio::select! {
            () = self.state.stopping.cancelled() => false,
            goes_on = self.follower.changed() => goes_on,
            () = tokio::time::sleep(F::TICK) => true,
        };
        if self.spoke.elapsed() >= HEARTBEAT {
            self.news.push(STILL_HERE);
        }
        goes_on
    }
}

/// A message, with an id to go on from where it has one: one `data` line for each line of the content, so that nothing in
/// it can be taken for another message.
pub(super) fn message(event: &str, id: Option<u64>, content: &str) -> Bytes {
    let mut text = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    text.push_str("event: ");
    text.push_str(event);
    text.push('\n');
    // Swapped into a page, a message without content would leave what stood there before.
    let content = if content.is_empty() {
        "<!---->"
    } else {
        content
    };
    for line in content.split(['\r', '\n']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn a_message_keeps_its_form_whatever_is_in_it() {
        let text = |id, content| String::from_utf8_lossy(&message("now", id, content)).into_owned();
        let plain = text(None, "<p>a</p>");
        assert_eq!(plain, "event: now\ndata: <p>a</p>\n\n");
        assert_eq!(text(Some(7), "{}"), "id: 7\nevent: now\ndata: {}\n\n");
        let hostile = text(None, "a\n\nevent: over\r\rdata: b");
        let expected = "event: now\ndata: a\ndata: \ndata: event: over\ndata: \ndata: data: b\n\n";
        assert_eq!(hostile, expected);
        assert_eq!(text(None, ""), "event: now\ndata: <!---->\n\n");
    }
}
