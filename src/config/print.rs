//! The configuration in effect, as people and programs may see it: secrets masked.

use super::{Config, MASK};

impl Config {
    /// The configuration in effect as a JSON value, secrets and passwords in urls masked.
    ///
    /// # Errors
    /// A value that JSON can't hold; no loaded configuration has one.
    pub fn shown(&self) -> Result<serde_json::Value, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        mask_urls(&mut value);
        Ok(value)
    }

    /// The same as TOML text, which can be read back but for its secrets.
    ///
    /// # Errors
    /// A value that TOML can't hold; no loaded configuration has one.
    pub fn shown_toml(&self) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        Ok(toml::to_string_pretty(&self.shown()?)?)
    }
}

/// Parts of names of url parameters that hold secrets. A harmless one that is masked costs less than a secret that isn't.
const SECRET_NAMES: [&str; 8] = [
    "auth",
    "credential",
    "key",
    "pass",
    "pwd",
    "secret",
    "sig",
    "token",
];

/// Masks the secrets in every url, whichever key it stands under.
fn mask_urls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => {
            if let Some(masked) = masked_url(text) {
                *text = masked;
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(mask_urls),
        serde_json::Value::Object(members) => members.values_mut().for_each(mask_urls),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// A url with all of its user info and the values of its secret parameters masked; `None`: there is none in it, or it is
/// no url. A user's name is masked with the password, for it may be a token as well.
fn masked_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !is_scheme {
        return None;
    }
    // Databases' passwords work though they aren't encoded as they should be, and then hold any character.
    let is_database = ["postgres", "esdb", "kurrentdb"]
        .iter()
        .any(|name| scheme.starts_with(name));
    if is_database && let Some((_, address)) = rest.rsplit_once('@') {
        let plain = format!("{scheme}://{address}");
        let shown = masked_url(&plain).unwrap_or(plain);
        return Some(shown.replacen("://", &format!("://{MASK}@"), 1));
    }
    if text.contains(char::is_whitespace) {
        return None;
    }
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (address, parameters) = rest.split_at(end);
    let masked = format!(
        "{scheme}:{}{}",
        mask_user_info(address),
        mask_parameters(parameters)
    );
    (masked != text).then_some(masked)
}

fn mask_user_info(address: &str) -> String {
    let Some(rest) = address.strip_prefix("//") else {
        return address.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("//{MASK}@{host}{path}"),
        None => address.to_owned(),
    }
}

fn mask_parameters(parameters: &str) -> String {
    let parts = parameters.split_inclusive(['?', '#', '&', ';']);
    let masked = parts.map(|part| {
        let Some((name, value)) = part.split_once('=') else {
            return part.to_owned();
        };
        let lower = name.to_ascii_lowercase();
        if !SECRET_NAMES.iter().any(|secret| lower.contains(secret)) {
            return part.to_owned();
        }
        let end = value.find(['?', '#', '&', ';']).unwrap_or(value.len());
        format!("{name}={MASK}{}", &value[end..])
    });
    masked.collect()
}

#[cfg(test)]
mod tests {
    use super::masked_url;

    #[test]
    fn masks_user_info_and_secret_parameters_of_urls_and_nothing_else() {
        for (text, masked) in [
            (
                "postgres://me:p%40ss@db.example/x?a=b",
                "postgres://********@db.example/x?a=b",
            ),
            ("esdb://admin:a@b@node", "esdb://********@node"),
            (
                "https://token@host.example",
                "https://********@host.example",
            ),
            (
                "https://token:@host.example/a@b",
                "https://********@host.example/a@b",
            ),
            (
                "https://host.example/keys?a=1&Access_Token=t%26t&b=2#sig=x;c",
                "https://host.example/keys?a=1&Access_Token=********&b=2#sig=********;c",
            ),
            (
                "postgres://host.example/db?user=me&password=p=q",
                "postgres://host.example/db?user=me&password=********",
            ),
            ("sqlite:data/x.db?key=k", "sqlite:data/x.db?key=********"),
        ] {
            assert_eq!(masked_url(text).as_deref(), Some(masked));
        }
        for text in [
            "https://login.example/keys",
            "https://login.example/a@b?page=1",
            "sqlite:data/a:b@c.db",
            "select 'a://b:c@d'",
            "a: b?key=c",
            "127.0.0.1:8080",
        ] {
            assert_eq!(masked_url(text), None, "{text}");
        }
    }

    #[test]
    fn a_password_that_is_not_encoded_is_masked_whole() {
        for (text, shown) in [
            ("postgres://u:p#ss@h/d", "postgres://********@h/d"),
            ("postgres://u:p/ss@h/d", "postgres://********@h/d"),
            ("postgres://u:p ss@h/d", "postgres://********@h/d"),
            ("postgres://u:p@ss@h/d?x=1", "postgres://********@h/d?x=1"),
            (
                "esdb://u:a/b@h?password=hunter2",
                "esdb://********@h?password=********",
            ),
        ] {
            assert_eq!(masked_url(text).as_deref(), Some(shown), "{text}");
        }
    }
}
