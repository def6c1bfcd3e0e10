//! Server-sent events: the one form in which streams tell what happens, as it happens.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Bytes;
use futures::Stream;

/// After so long without news a comment keeps proxies from closing the connection.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// That comment.
pub(super) const STILL_HERE: Bytes = Bytes::from_static(b": still here\n\n");

/// How soon a browser comes back after a break: pages are to be up to date again within about a second.
pub(super) const RETRY: Bytes = Bytes::from_static(b"retry: 1000\n\n");

/// The answer that goes on for as long as the stream of messages does.
pub(super) fn answer(
    messages: impl Stream<Item = Result<Bytes, Infallible>> + 'static,
) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(messages)
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
