//! Reading and setting cookies.
//!
//! All have the `__Host-` prefix: browsers take them only over a secure connection (or from this machine itself), only for
//! this very host, and from no subdomain.

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};

/// The session's cookie.
pub(super) const SESSION: &str = "__Host-carnet";

/// The value of the one cookie called `name`. Two of them are two opinions and count as none. What other services of the same
/// domain have set stands in the same header, in whatever bytes they like: it is passed over, not read.
pub(super) fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|cookie| value_of(cookie, name));
    let value = found.next()?;
    let value = found.next().is_none().then_some(value)?;
    std::str::from_utf8(value).ok()
}

/// The value of a cookie if it has this very name. Around it browsers put spaces, and nothing else: other white space could hide
/// a name from the rules that they hold the prefix to.
fn value_of<'a>(cookie: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let start = cookie.iter().position(|byte| *byte != b' ')?;
    let value = cookie.get(start..)?.strip_prefix(name.as_bytes())?;
    let value = value.strip_prefix(b"=")?;
    let end = value.iter().rposition(|byte| *byte != b' ');
    value.get(..end.map_or(0, |last| last + 1))
}

/// Cookies to be set with the answer, written by [`write`]; the last word on a name counts.
#[derive(Debug, Clone, Default)]
struct Pending(Vec<(&'static str, String)>);

/// Sets a cookie with the answer to `request`. It lasts `max_age_s` seconds, or until the browser is closed.
pub(super) fn set(request: &HttpRequest, name: &'static str, value: &str, max_age_s: Option<u64>) {
    let age = max_age_s.map(|age| format!("; Max-Age={age}"));
    let cookie = format!(
        "{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{}",
        age.unwrap_or_default()
    );
    let mut extensions = request.extensions_mut();
    let mut pending = extensions.remove::<Pending>().unwrap_or_default();
    pending.0.retain(|(other, _)| *other != name);
    pending.0.push((name, cookie));
    extensions.insert(pending);
}

/// Makes the browser forget a cookie.
pub(super) fn clear(request: &HttpRequest, name: &'static str) {
    set(request, name, "", Some(0));
}

/// Writes what was set while `request` was answered.
pub(super) fn write(request: &HttpRequest, headers: &mut HeaderMap) {
    let pending = request.extensions_mut().remove::<Pending>();
    for (_, cookie) in pending.unwrap_or_default().0 {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(cookies: &[&str]) -> Option<String> {
        let request = cookies.iter().fold(TestRequest::get(), |request, cookies| {
            let value = HeaderValue::from_bytes(cookies.as_bytes()).unwrap();
            request.append_header((header::COOKIE, value))
        });
        get(request.to_http_request().headers(), "a").map(str::to_owned)
    }

    #[test]
    fn one_cookie_of_the_name_is_read() {
        assert_eq!(read(&["b=2; a=1;c=3"]), Some("1".to_owned()));
        assert_eq!(read(&["b=2", "a=1=1"]), Some("1=1".to_owned()));
        for none in [&["b=2"][..], &["aa=1; A=2"], &["a=1; a=2"], &["a=1", "a=1"]] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }

    #[test]
    fn cookies_of_other_services_make_no_difference() {
        assert_eq!(read(&["name=José; a=1; b"]), Some("1".to_owned()));
        // A name that browsers don't hold to the rules of its prefix.
        for none in [
            "\u{2000}a=1",
            "\u{a0}a=1",
            "\u{2000}a=1; b=2",
            "\ta=1",
            "a =1",
        ] {
            assert_eq!(read(&[none]), None, "{none:?}");
        }
        assert_eq!(read(&["\u{2000}a=2; a=1"]), Some("1".to_owned()));
    }

    #[test]
    fn the_last_word_on_a_cookie_counts() {
        let request = TestRequest::get().to_http_request();
        set(&request, "a", "1", None);
        set(&request, "b", "2", Some(60));
        clear(&request, "a");
        let mut headers = HeaderMap::new();
        write(&request, &mut headers);
        let set: Vec<_> = headers
            .get_all(header::SET_COOKIE)
            .map(|value| value.to_str().unwrap())
            .collect();
        assert_eq!(
            set,
            [
                "b=2; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60",
                "a=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
            ]
        );
    }
}
