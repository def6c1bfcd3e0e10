//! Conditional, range and coding headers (RFC 9110), as far as downloads use them.

use std::ops::Range;

use actix_web::http::header::{self, HeaderMap, HeaderName};

/// What a `Range` header comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything: no range, or one we needn't follow.
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that aren't there.
    Unsatisfiable,
}

/// The header's value if it stands there exactly once and is text.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name);
    let value = all.next()?.to_str().ok()?;
    if all.next().is_some() {
        None
    } else {
        Some(value.trim())
    }
}

/// Whether the client accepts content coded as `coding`. A client that says nothing about codings gets the content
/// as it is: many that say nothing can't decode.
pub(super) fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let mut any = None;
    for value in headers
        .get_all(header::ACCEPT_ENCODING)
        .filter_map(|value| value.to_str().ok())
    {
        for item in value.split(',') {
            let mut parts = item.split(';');
            let name = parts.next().unwrap_or_default().trim();
            let refused = parts.any(|parameter| weight(parameter) == Some(0.0));
            if name.eq_ignore_ascii_case(coding)
                || (coding == "gzip" && name.eq_ignore_ascii_case("x-gzip"))
            {
                return !refused;
            }
            if name == "*" {
                any = Some(!refused);
            }
        }
    }
    any.unwrap_or(false)
}

fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    if name.trim().eq_ignore_ascii_case("q") {
        value.trim().parse().ok()
    } else {
        None
    }
}

/// Whether `If-None-Match` names `etag` (weak comparison) or any.
pub(super) fn none_match_fails(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// What part of `length` bytes is asked for. One range is served; several, or a unit or form we don't know, count as
/// none, which the standard allows. `If-Range` must name exactly the current file, else all of it is sent.
pub(super) fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Wanted {
    let Some(range) = single(headers, &header::RANGE) else {
        return Wanted::All;
    };
    if headers.contains_key(header::IF_RANGE) && single(headers, &header::IF_RANGE) != Some(etag) {
        return Wanted::All;
    }
    let Some(set) = range.strip_prefix("bytes=") else {
        return Wanted::All;
    };
    if set.contains(',') {
        return Wanted::All;
    }
    let Some((first, last)) = set.trim().split_once('-') else {
        return Wanted::All;
    };
    match (number(first), number(last)) {
        (Number::None, Number::Some(0)) => Wanted::Unsatisfiable,
        (Number::None, Number::Some(suffix)) if length > 0 => {
            Wanted::Part(length.saturating_sub(suffix)..length)
        }
        (Number::None, Number::Some(_)) => Wanted::Unsatisfiable,
        (Number::Some(first), _) if first >= length => Wanted::Unsatisfiable,
        (Number::Some(first), Number::None) => Wanted::Part(first..length),
        (Number::Some(first), Number::Some(last)) if first <= last => {
            Wanted::Part(first..length.min(last.saturating_add(1)))
        }
        _ => Wanted::All,
    }
}

enum Number {
    None,
    Some(u64),
    Bad,
}

fn number(text: &str) -> Number {
    if text.is_empty() {
        Number::None
    } else if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(Number::Some(u64::MAX), Number::Some)
    } else {
        Number::Bad
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn with(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn codings_are_accepted_as_the_client_says() {
        for (value, accepted) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("x-gzip", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, *", false),
            ("*", true),
            ("*;q=0", false),
            ("identity", false),
            ("zstd, br", false),
            ("", false),
        ] {
            assert_eq!(
                accepts(&with(&[(header::ACCEPT_ENCODING, value)]), "gzip"),
                accepted,
                "{value}"
            );
        }
        assert!(!accepts(&HeaderMap::new(), "gzip"));
        assert!(accepts(
            &with(&[
                (header::ACCEPT_ENCODING, "br"),
                (header::ACCEPT_ENCODING, "gzip")
            ]),
            "gzip"
        ));
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=9-99999999999999999999999", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-11", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("", Wanted::All),
        ] {
            assert_eq!(
                wanted(&with(&[(header::RANGE, range)]), "\"a\"", 10),
                expected,
                "{range}"
            );
        }
        assert_eq!(
            wanted(&with(&[(header::RANGE, "bytes=0-")]), "\"a\"", 0),
            Wanted::Unsatisfiable
        );
        let if_range = |tag| {
            wanted(
                &with(&[(header::RANGE, "bytes=1-2"), (header::IF_RANGE, tag)]),
                "\"a\"",
                10,
            )
        };
        assert_eq!(if_range("\"a\""), Wanted::Part(1..3));
        assert_eq!(if_range("\"b\""), Wanted::All);
        assert_eq!(if_range("W/\"a\""), Wanted::All);
        assert_eq!(if_range("Sat, 14 Nov 2026 10:00:00 GMT"), Wanted::All);
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for (value, fails) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(
                none_match_fails(&with(&[(header::IF_NONE_MATCH, value)]), "\"a\""),
                fails,
                "{value}"
            );
        }
    }
}
