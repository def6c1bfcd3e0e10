//! The page somebody wanted before they were led to sign in: only ever a page of ours.

use percent_encoding::percent_decode_str;

/// Longer ones weren't made by us.
const MAX_BYTES: usize = 1_024;

/// `address` if it is a path of this service, with or without a query, and nothing that a browser could read as
/// another host; nor a page that would sign out or begin anew.
pub(super) fn checked(address: &str) -> Option<&str> {
    let plain = address.len() <= MAX_BYTES
        && address.bytes().all(|byte| byte.is_ascii_graphic())
        && !address.contains(['\\', '#']);
    let path = address.split('?').next().unwrap_or_default();
    // Whoever decodes once more on the way must come to the same verdict.
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let ours = [path, &decoded].into_iter().all(is_plain_path);
    (plain && ours && !leads_astray(&decoded)).then_some(address)
}

fn is_plain_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains("//")
        && !path.contains(['\\', ':', '@'])
        && !path.chars().any(char::is_control)
        && !path.split('/').any(|part| part == "." || part == "..")
}

fn leads_astray(path: &str) -> bool {
    ["/sign-in", "/sign-out", "/signed-out", "/demo/sign-in"]
        .into_iter()
        .any(|page| path == page || path.starts_with(&format!("{page}/")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::checked;

    #[test]
    fn pages_of_ours_are_returned_to() {
        let base = reqwest::Url::parse("https://exports.example.org/sign-in/callback").unwrap();
        for address in [
            "/",
            "/settings?section=data-exports",
            "/audit?from=2026-11-01T00%3A00%3A00Z&type=a%2Fb",
            "/audit/exports/0198c7a1-7b0c-7abc-8def-0123456789ab",
            "/settings?next=//example.com",
        ] {
            assert_eq!(checked(address), Some(address));
            let joined = base.join(address).unwrap();
            assert_eq!(joined.origin(), base.origin(), "{address}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for address in [
            "",
            "settings",
            "https://example.com/",
            "//example.com",
            "///example.com",
            "/\\example.com",
            "\\\\example.com",
            "/\t/example.com",
            "/\n//example.com",
            " //example.com",
            "/%2Fexample.com",
            "/%2f%2fexample.com",
            "/%5Cexample.com",
            "/%09/example.com",
            "/.//example.com",
            "/..//example.com",
            "/%2e%2e/example.com",
            "/a/../../x",
            "/@example.com",
            "/a:b",
            "javascript:alert(1)",
            "/settings#top",
            "/ö",
            "/%FF",
            "/sign-in",
            "/sign-in?return_to=/",
            "/sign-in/callback",
            "/%73ign-in",
            "/sign-out",
            "/demo/sign-in",
            &format!("/{}", "a".repeat(1_024)),
        ] {
            assert_eq!(checked(address), None, "{address}");
        }
    }
}
