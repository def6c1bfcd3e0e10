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

/// `scheme://user:password@host` becomes `scheme://user:********@host`, whichever key it stands under.
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

fn masked_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if !scheme
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_info, host) = authority.rsplit_once('@')?;
    let (user, _) = user_info.split_once(':')?;
    let after = &rest[authority.len()..];
    Some(format!("{scheme}://{user}:{MASK}@{host}{after}"))
}

#[cfg(test)]
mod tests {
    use super::masked_url;

    #[test]
    fn masks_passwords_in_urls_only() {
        let masked = |text| masked_url(text);
        assert_eq!(
            masked("postgres://me:p%40ss@db.example/x?a=b").as_deref(),
            Some("postgres://me:********@db.example/x?a=b")
        );
        assert_eq!(
            masked("esdb://admin:a@b@node"),
            Some("esdb://admin:********@node".to_owned())
        );
        assert_eq!(masked("https://login.example/keys"), None);
        assert_eq!(masked("sqlite:data/a:b@c.db"), None);
        assert_eq!(masked("select 'a://b:c@d'"), None);
    }
}
