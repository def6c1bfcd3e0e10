//! Times, numbers and details, in the few characters that a dense table has for them.

use carnet_events::ids::{ExportId, Timestamp};
use maud::{Markup, html};
use serde_json::Value;

use super::super::units::grouped;

/// Digits of an id that are shown; the first ones of an export's id only say when it was made.
const ID_DIGITS: usize = 12;
/// Of a digest, the first ones.
const DIGEST_DIGITS: usize = 12;
/// Details beyond these characters are in the full record.
const MAX_SUMMARY: usize = 160;

/// A moment to the second.
pub(super) fn time(at: Timestamp) -> Markup {
    let exact = at.to_string();
    html! { time datetime=(exact) data-precise { (plain(&exact)) } }
}

/// A moment to the millisecond, always in UTC.
pub(super) fn exact_time(at: Timestamp) -> Markup {
    let exact = at.to_string();
    html! { time datetime=(exact) data-keep { (exact.replace('T', " ").replace('Z', " UTC")) } }
}

/// `2026-11-14T10:02:03.000Z` as `2026-11-14 10:02:03`, in UTC as everything is that the viewer's browser doesn't change.
pub(super) fn plain(exact: &str) -> String {
    let to_the_second = exact.split('.').next().unwrap_or(exact);
    to_the_second.replace('T', " ")
}

/// The end of an export's id, which is what differs.
pub(super) fn short_id(id: ExportId) -> String {
    let id = id.to_string();
    let begin = id.len().saturating_sub(ID_DIGITS);
    format!("…{}", id.get(begin..).unwrap_or(&id))
}

/// An entry's details in one line.
pub(super) fn summary(details: &Value) -> String {
    let mut text = String::new();
    for (name, value) in details.as_object().into_iter().flatten() {
        let value = brief(value);
        if value.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str(" · ");
        }
        text.push_str(&name.replace('_', " "));
        text.push(' ');
        text.push_str(&value);
        if text.len() > MAX_SUMMARY {
            break;
        }
    }
    match text.char_indices().nth(MAX_SUMMARY) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn brief(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(at) => plain(&at.to_string()),
            Err(_) => short_digest(text).unwrap_or_else(|| text.clone()),
        },
        Value::Array(items) => joined(items.iter().map(brief)),
        Value::Object(members) => joined(
            members
                .iter()
                .map(|(name, value)| format!("{name} {}", brief(value))),
        ),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// The beginning of a SHA-256 digest; `None` when this is none.
pub(super) fn short_digest(text: &str) -> Option<String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| format!("{}…", hex.get(..DIGEST_DIGITS).unwrap_or(hex)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_are_told_in_one_line() {
        let digest = "ab".repeat(32);
        let details = json!({"attempt": 1, "bytes": 38_000, "partial": false, "link": null, "rows": {"users": 4112}, "sha256": digest});
        assert_eq!(
            summary(&details),
            "attempt 1 · bytes 38,000 · partial no · rows users 4,112 · sha256 abababababab…"
        );
        assert_eq!(summary(&json!({})), "");
        let long = summary(&json!({"text": "é".repeat(500)}));
        assert!(long.chars().count() <= MAX_SUMMARY + 1, "{long}");
    }

    #[test]
    fn times_are_plain_to_the_second() {
        assert_eq!(plain("2026-11-14T10:02:03.004Z"), "2026-11-14 10:02:03");
    }
}
